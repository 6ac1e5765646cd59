// Several meshes over a hub and a network, in a time of their own, with chance that can be repeated.

import type { MeshOptions } from '../../src/mesh/coordinator.ts';
import { FakeClock } from './clock.ts';
import { Hub, type Member } from './hub.ts';
import { FakeNetwork, type FakePeerConnection } from './rtc.ts';

const NAMES = ['Ada', 'Grace', 'Hedy', 'Radia'];

export interface World {
  clock: FakeClock;
  network: FakeNetwork;
  hub: Hub;
  members: Member[];
}

/** Numbers from 0 to 1 out of a seed (mulberry32), so that a run can be repeated. */
const chance = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

export function world(seed: number, people: number, options: MeshOptions = {}): World {
  const random = chance(seed);
  const clock = new FakeClock();
  const network = new FakeNetwork(clock, random);
  const hub = new Hub(clock, network, random);
  const members = NAMES.slice(0, people).map((name) => hub.member(name, options));
  return { clock, network, hub, members };
}

export const connectionsOf = (member: Member): FakePeerConnection[] =>
  member.mesh.peers.flatMap(({ connection }) => (connection ? [connection as unknown as FakePeerConnection] : []));

/** Time passes until all are connected with all. */
export async function settled({ clock, hub, members }: World, whatFor = 'all are connected with all'): Promise<void> {
  const present = members.filter((member) => hub.isIn(member));
  const whole = () =>
    present.every((member) =>
      present.every((other) => {
        if (other === member) return true;
        const peer = member.peer(other);
        return peer?.state === 'connected' && peer.presence === 'here' && peer.connection?.signalingState === 'stable';
      }),
    );
  for (let waited = 0; waited < 200_000; waited += 100) {
    if (whole()) return;
    await clock.passing(100);
  }
  const states = present.map((member) => [
    member.name,
    member.id,
    ...member.mesh.peers.map(
      ({ meta, id, state, presence, unreachable, connection }) =>
        `${meta['name']} (${id}): ${state}, ${presence}, ${unreachable?.reason}, ${connection?.signalingState}`,
    ),
  ]);
  throw new Error(`not within 200 s: ${whatFor}; ${JSON.stringify(states, null, 1)}`);
}
