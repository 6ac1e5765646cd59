// What one peer, or one browser, may cost the others: nothing.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CHANNEL_PROTOCOL, LARGEST_BYTES } from '../../src/mesh/channel.ts';
import { Assembler, frameOf } from '../../src/mesh/channel-framing.ts';
import { HELD_BYTES, HELD_MESSAGES, Held } from '../../src/mesh/held.ts';
import { DEMANDS, DEMANDS_MS } from '../../src/mesh/recovery.ts';
import { type FakePeerConnection, FakeTrack, fakeStream } from '../support/rtc.ts';
import type { FakeDataChannel } from '../support/rtc-channel.ts';
import type { FakeSender } from '../support/rtc-media.ts';
import { connectionsOf, settled, type World, world } from '../support/world.ts';

type Member = World['members'][0];
type Three = World & { ada: Member; grace: Member; hedy: Member };

async function three(): Promise<Three> {
  const all = world(9, 3);
  for (const member of all.members) all.hub.join(member);
  await settled(all);
  await all.clock.passing(1_000);
  const [ada, grace, hedy] = all.members as [Member, Member, Member];
  return { ...all, ada, grace, hedy };
}

const connectionTo = (member: Member, other: Member) => member.peer(other)?.connection as unknown as FakePeerConnection;
const framed = (text: string) => new TextEncoder().encode(`\0${JSON.stringify(text)}`);

/** A channel that the peer opens by itself. */
const opened = (member: Member, to: Member, name: string): FakeDataChannel =>
  connectionTo(member, to).createDataChannel(name, { protocol: CHANNEL_PROTOCOL });

test('a peer that opens channels takes none of the places of the application, and none of another peer', async () => {
  const { clock, ada, grace, hedy } = await three();
  const names = Array.from({ length: 100 }, (_, nth) => `flood-${nth}`);
  const flood = names.map((name) => opened(hedy, ada, name));
  const again = opened(hedy, ada, 'flood-0');
  await clock.passing(2_000);
  expect(flood.filter(({ readyState }) => readyState === 'open').length, 'channels of that peer').toBe(64);
  expect(again.readyState, 'a second one of the same name').toBe('closed');
  for (let nth = 0; nth < 64; nth += 1) ada.mesh.channel(`ours-${nth}`);
  expect(() => ada.mesh.channel('one more')).toThrow(expect.objectContaining({ code: 'too_many' }));
  const heard: unknown[] = [];
  ada.mesh.channel('ours-63').on('message', ({ data }) => heard.push(data));
  void grace.mesh.channel('ours-63').send('through');
  await clock.passing(1_000);
  expect(heard).toEqual(['through']);
  // One that is closed leaves its place to another.
  flood[0]?.close();
  await clock.passing(1_000);
  const next = opened(hedy, ada, 'one more');
  await clock.passing(1_000);
  expect(next.readyState).toBe('open');
});

test('what comes before anybody listens waits for that, in a place of the sender; what is too much of it is told once', async () => {
  const { clock, ada, grace, hedy } = await three();
  void grace.mesh.channel('game').send('early');
  const flood = opened(hedy, ada, 'noise');
  await clock.passing(1_000);
  for (let nth = 0; nth < 1_000; nth += 1) flood.send(framed(`${nth}`));
  const game = opened(hedy, ada, 'game');
  await clock.passing(1_000);
  game.send(framed('late'));
  await clock.passing(1_000);
  expect(ada.troubles).toMatchObject([{ code: 'too_many', peers: [hedy.id] }]);
  const heard: unknown[] = [];
  ada.mesh.channel('game').on('message', ({ peer, data }) => heard.push([peer.meta['name'], data]));
  expect(heard).toEqual([
    ['Grace', 'early'],
    ['Hedy', 'late'],
  ]);
  const noise: unknown[] = [];
  ada.mesh.channel('noise').on('message', ({ data }) => noise.push(data));
  expect([noise.length, noise[0], noise.at(-1)]).toEqual([HELD_MESSAGES - 1, '745', '999']);
});

test('what waits for a listener is bounded in messages and in bytes, and is gone with its peer', async () => {
  const held = new Held();
  for (let nth = 0; nth < HELD_MESSAGES; nth += 1) expect(held.add('a', nth, 1)).toBe(false);
  expect([held.add('b', 'more', 1), held.add('b', 'more', 1)]).toEqual([true, false]);
  expect(held.take('a').length).toBe(HELD_MESSAGES - 2);
  expect(held.take('a')).toEqual([]);
  expect(held.take('b')).toEqual(['more', 'more']);
  for (let nth = 0; nth < 4; nth += 1) held.add('a', nth, HELD_BYTES / 2);
  expect(held.take('a')).toEqual([2, 3]);
  const { clock, hub, ada, hedy } = await three();
  const channel = opened(hedy, ada, 'noise');
  await clock.passing(1_000);
  channel.send(framed('late'));
  await clock.passing(1_000);
  hub.leave(hedy);
  await clock.passing(1_000);
  const heard: unknown[] = [];
  ada.mesh.channel('noise').on('message', ({ data }) => heard.push(data));
  expect(heard).toEqual([]);
});

test('unfinished messages on many channels of one peer hold no more than they may together', () => {
  const unread = { bytes: 0, most: 40_000 };
  const [first, second] = [new Assembler(1 << 20, true, unread), new Assembler(1 << 20, true, unread)];
  const message = new Uint8Array(100_000);
  first.take(frameOf(message, 1, 0));
  second.take(frameOf(message, 1, 0));
  expect(() => second.take(frameOf(message, 1, 1))).toThrow(expect.objectContaining({ code: 'peer_error' }));
  second.clear();
  first.take(frameOf(message, 1, 1));
  expect(unread.bytes).toBe(first.held);
  first.clear();
  expect(unread.bytes).toBe(0);
});

test('a peer that offers ever new connections makes us build a few of them, and is told of once; later it may again', async () => {
  const { clock, network, ada, hedy, grace } = await three();
  const before = network.connections.length;
  const offer = (nth: number) => {
    const { localDescription } = connectionTo(hedy, ada);
    const sdp = localDescription?.sdp;
    ada.events.emit('signal', {
      from: hedy.id,
      kind: 'offer',
      data: { type: 'offer', sdp, connection: { id: `new-${nth}`, generation: 1 } },
    });
  };
  for (let nth = 0; nth < 200; nth += 1) {
    offer(nth);
    await clock.passing(10);
  }
  // Ours, and what Hedy makes because of them.
  const ours = () => network.connections.slice(before).filter(({ id }) => !connectionsOf(hedy).some((one) => one.id === id));
  expect(ours().length).toBeLessThanOrEqual(3 * DEMANDS);
  expect(ada.troubles.filter((error) => (error as { code?: string }).code === 'too_many')).toMatchObject([
    { peers: [hedy.id] },
  ]);
  expect(ada.peer(grace)?.state).toBe('connected');
  await clock.passing(DEMANDS_MS);
  const built = network.connections.length;
  offer(1_000);
  await clock.passing(100);
  expect(network.connections.length).toBeGreaterThan(built);
});

test('ICE servers that the browser does not take make that peer unreachable, and hide nobody', async () => {
  const all = world(10, 3);
  const { clock, network, hub } = all;
  let refused = 0;
  const { RTCPeerConnection } = network;
  const picky = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      if (refused < 1) {
        refused += 1;
        throw new DOMException('no ICE server: nonsense', 'SyntaxError');
      }
      super(configuration);
    }
  };
  const [ada, grace] = all.members as [Member, Member];
  const hedy = hub.member('Hedy', { RTCPeerConnection: picky });
  all.members[2] = hedy;
  hub.join(ada);
  hub.join(grace);
  await settled(all);
  hub.join(hedy);
  await clock.passing(5_000);
  expect(hedy.mesh.peers.map(({ meta }) => meta['name'])).toEqual(['Ada', 'Grace']);
  expect(hedy.peer(ada)?.unreachable).toMatchObject({ reason: 'negotiation_failed', cause: { name: 'SyntaxError' } });
  expect(hedy.peer(grace)?.state).toBe('connected');
  hedy.peer(ada)?.retry();
  await settled(all);
});

test('a track is published to all or to none', async () => {
  const { ada, grace, hedy, clock } = await three();
  const to = connectionTo(ada, hedy);
  const add = to.addTrack.bind(to);
  to.addTrack = () => {
    throw new DOMException('no encoder is left', 'OperationError');
  };
  const stream = fakeStream('video');
  await expect(ada.mesh.publish(stream as never)).rejects.toMatchObject({ name: 'OperationError' });
  await clock.passing(2_000);
  expect(ada.mesh.media.publications).toEqual([]);
  expect(grace.peer(ada)?.publications).toEqual([]);
  to.addTrack = add;
  await ada.mesh.publish(stream as never);
  await clock.passing(3_000);
  for (const other of [grace, hedy]) expect(other.peer(ada)?.publications.length).toBe(1);
});

test('a track takes the place of another everywhere or nowhere; when the room is left meanwhile, that is told', async () => {
  const { ada, grace, hedy, clock } = await three();
  const publication = await ada.mesh.publish(fakeStream('video') as never);
  await clock.passing(3_000);
  const [before] = publication.tracks;
  const senderTo = (other: Member) => connectionTo(ada, other).getSenders()[0] as FakeSender;
  senderTo(hedy).replaceTrack = () => Promise.reject(new DOMException('another size', 'InvalidModificationError'));
  const track = new FakeTrack('video');
  await expect(publication.replaceTrack(track as never)).rejects.toMatchObject({ name: 'InvalidModificationError' });
  await clock.passing(100);
  expect(publication.tracks).toEqual([before]);
  expect(publication.stream.getTracks()).toEqual([before]);
  expect(senderTo(grace).track).toBe(before);
  // What a connection has begun when it is closed never ends (W3C webrtc, section 5.2).
  senderTo(hedy).replaceTrack = () => new Promise(() => {});
  const replaced = expect(publication.replaceTrack(track as never)).rejects.toMatchObject({ code: 'closed' });
  ada.mesh.close();
  await replaced;
});

test('whatever may be sent may wait for the connection, too: as README.md says', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, mebibytes] = /`send\(data, \{ to \}\)` \| JSON or bytes, up to (\d+) MiB/.exec(readme) ?? [];
  expect(Number(mebibytes) * 1024 * 1024).toBe(LARGEST_BYTES);
  const all = world(11, 2);
  const [ada, grace] = all.members as [Member, Member];
  for (const member of [ada, grace]) all.hub.join(member);
  await all.clock.passing(100);
  expect(ada.peer(grace)?.state).not.toBe('connected');
  const sent = ada.mesh.messages.send(new Uint8Array(LARGEST_BYTES));
  await expect(ada.mesh.messages.send('more')).rejects.toMatchObject({ code: 'queue_full' });
  await settled(all);
  while (grace.heard.length === 0) await all.clock.passing(100);
  await sent;
  expect((grace.heard[0] as { data: Uint8Array }).data.length).toBe(LARGEST_BYTES);
});
