// Many meshes over a server and a network of their own, and whatever may happen to them: in the end everybody is connected with everybody,
// once, and hears and sees them.

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Member } from '../support/hub.ts';
import { tells } from '../support/page.ts';
import { fakeStream } from '../support/rtc.ts';
import { connectionsOf, settled, type World, world } from '../support/world.ts';

const RUNS = Number(process.env['MESH_RUNS'] ?? 60);
/** Most people of a world. */
const PEOPLE = 4;
const TIMEOUT_MS = 60_000 + RUNS * 500;

/** Nobody has more connections than peers, everybody hears what everybody says, and gets what everybody publishes. */
async function whole({ clock, network, hub, members }: World): Promise<void> {
  const present = members.filter((member) => hub.isIn(member));
  await clock.passing(5_000);
  expect(network.open.length, 'connections that were not closed').toBe(present.length * (present.length - 1));
  for (const member of present) {
    member.heard = [];
    void member.mesh.messages.send(`hello from ${member.name}`);
  }
  await clock.passing(1_000);
  for (const member of present) {
    const others = present.filter((other) => other !== member);
    expect(member.heard.map(({ data }) => data).sort()).toEqual(others.map(({ name }) => `hello from ${name}`).sort());
    for (const other of others) {
      const streams = member.peer(other)?.publications.map(({ id }) => id);
      expect(streams?.sort(), `what ${member.name} gets of ${other.name}`).toEqual(
        other.mesh.media.publications.map(({ id }) => id).sort(),
      );
    }
  }
}

type Op =
  | { op: 'join' | 'leave' | 'cut' | 'back' | 'lossy' | 'publish' | 'unpublish' | 'mute'; who: number }
  | { op: 'restart' | 'online' | 'part' | 'heal' }
  | { op: 'wait'; ms: number };

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constantFrom<'join' | 'leave' | 'cut' | 'back' | 'lossy' | 'publish' | 'unpublish' | 'mute'>(
        'join',
        'leave',
        'cut',
        'back',
        'lossy',
        'publish',
        'publish',
        'unpublish',
        'mute',
      ),
      who: fc.nat(PEOPLE - 1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constantFrom<'restart' | 'online' | 'part' | 'heal'>('restart', 'online', 'part', 'heal') }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant<'wait'>('wait'), ms: fc.oneof(fc.nat(80), fc.nat(5_000), fc.nat(40_000)) }),
  },
);

/** Does it, if it can be done. */
async function play({ clock, network, hub, members }: World, step: Op): Promise<void> {
  if (step.op === 'wait') return clock.passing(step.ms);
  if (step.op === 'restart') return hub.restart();
  if (step.op === 'online') return tells('online');
  if (step.op === 'part' || step.op === 'heal') {
    const parted = step.op === 'part';
    network.reaches = () => !parted;
    return network.changed();
  }
  if (!('who' in step)) return;
  const member = members[step.who % members.length] as Member;
  const { media } = member.mesh;
  const publication = media.publications[0];
  if (step.op === 'publish') void member.mesh.publish(fakeStream('audio', 'video') as never).catch(() => {});
  else if (step.op === 'unpublish') publication?.unpublish();
  else if (step.op === 'mute') publication?.mute();
  else if (step.op === 'join') {
    if (!hub.isIn(member) && member.id === '') hub.join(member);
  } else if (!hub.isIn(member)) return;
  else if (step.op === 'leave') {
    hub.leave(member, 'disconnected');
    member.events.emit('state', { name: 'waiting' });
  } else if (step.op === 'cut' && member.connected) hub.cut(member);
  else if (!member.connected && step.op === 'back') hub.back(member);
  else if (!member.connected && step.op === 'lossy') hub.back(member, false);
}

test(
  'whatever happens, in the end everybody is connected with everybody, once',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 2, max: 4 }),
        fc.array(op, { maxLength: 25 }),
        async (seed, people, steps) => {
          const all = world(seed, people);
          const { clock, network, hub, members } = all;
          for (const member of members) hub.join(member);
          for (const step of steps) await play(all, step);
          network.reaches = () => true;
          network.changed();
          for (const member of members) {
            if (hub.isIn(member) && !member.connected) hub.back(member);
          }
          await clock.passing(5_000); // whoever was about to join has
          for (const member of members) if (!hub.isIn(member)) hub.join(member);
          tells('online');
          await settled(all);
          await whole(all);
          for (const { mesh } of members) mesh.close();
          await clock.passing(1_000);
          expect(network.open).toEqual([]);
          expect(clock.timers, 'timers that are left').toBe(0);
        },
      ),
      { numRuns: RUNS },
    );
  },
  TIMEOUT_MS,
);

test(
  'a restart, or several, costs no connection',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 2, max: 4 }),
        fc.array(fc.nat(6_000), { minLength: 1, maxLength: 4 }),
        async (seed, people, waits) => {
          const all = world(seed, people);
          const { clock, network, hub, members } = all;
          for (const member of members) hub.join(member);
          for (const { mesh } of members) void mesh.publish(fakeStream('audio') as never);
          await settled(all);
          await clock.passing(2_000);
          const before = members.map(connectionsOf);
          const peers = members.map(({ mesh }) => mesh.peers);
          for (const ms of waits) {
            hub.restart();
            await clock.passing(ms);
          }
          await clock.passing(4_000);
          await settled(all);
          expect(members.map((member) => new Set(connectionsOf(member)))).toEqual(before.map((one) => new Set(one)));
          expect(members.map(({ mesh }) => new Set(mesh.peers))).toEqual(peers.map((one) => new Set(one)));
          expect(network.connections.length).toBe(people * (people - 1));
          await whole(all);
          expect(members.flatMap(({ troubles }) => troubles)).toEqual([]);
        },
      ),
      { numRuns: RUNS },
    );
  },
  TIMEOUT_MS,
);

test(
  'both renegotiate at once, again and again: both end stable, and no offer is lost',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(fc.nat(60), { minLength: 1, maxLength: 12 }), async (seed, waits) => {
        const all = world(seed, 2);
        const { clock, hub, members, network } = all;
        for (const member of members) hub.join(member);
        await settled(all);
        for (const ms of waits) {
          for (const { mesh } of members) void mesh.publish(fakeStream('audio') as never);
          await clock.passing(ms);
        }
        await settled(all);
        await whole(all);
        expect(network.connections.length).toBe(2);
        expect(members.flatMap(({ troubles }) => troubles)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  },
  TIMEOUT_MS,
);
