// What a mesh does about peers that cannot be reached, leave, return, or are sent away; about credentials, seats and clocks.

import { expect, test } from 'vitest';
import { SignalingError } from '../../src/signaling/error.ts';
import { tells } from '../support/page.ts';
import { type FakePeerConnection, fakeStream } from '../support/rtc.ts';
import { connectionsOf, settled, type World, world } from '../support/world.ts';

const MINUTE_MS = 60_000;

async function couple(): Promise<World & { ada: World['members'][0]; grace: World['members'][0] }> {
  const all = world(7, 2);
  for (const member of all.members) all.hub.join(member);
  await settled(all);
  await all.clock.passing(1_000);
  const [ada, grace] = all.members as [World['members'][0], World['members'][0]];
  return { ...all, ada, grace };
}

test('who cannot be reached is told so once, after a bounded number of tries, and is tried again when the network is back', async () => {
  const all = world(1, 2);
  const { clock, network, hub, members } = all;
  network.reaches = () => false;
  for (const member of members) hub.join(member);
  const [ada, grace] = members as [(typeof members)[0], (typeof members)[0]];
  await clock.passing(2_000);
  const sent = ada.mesh.messages.send('anybody?');
  const gone = expect(sent).rejects.toMatchObject({ name: 'PeerUnreachable', code: 'unreachable' });
  await clock.passing(3 * MINUTE_MS);
  await gone;
  for (const [member, other] of [
    [ada, grace],
    [grace, ada],
  ] as const) {
    const peer = member.peer(other);
    expect(peer?.unreachable?.reason).toMatch(/^ice_/);
    expect(peer?.state).toBe('failed');
    expect(peer?.connection).toBeUndefined();
    expect(member.troubles.filter(({ name }) => name === 'PeerUnreachable').length).toBe(1);
  }
  const made = network.connections.length;
  expect(made).toBeLessThanOrEqual(16);
  await clock.passing(30 * MINUTE_MS);
  expect(network.connections.length, 'connections that were made after that').toBe(made);
  network.reaches = () => true;
  tells('online');
  await settled(all);
  expect(ada.peer(grace)?.unreachable).toBeUndefined();
});

test('a peer that says nothing is unreachable, and what is asked of it is rejected', async () => {
  const all = world(2, 2);
  const { clock, hub, members } = all;
  const [ada, mute] = members as [(typeof members)[0], (typeof members)[0]];
  mute.mesh.close(); // somebody who does without a mesh
  hub.join(mute);
  hub.join(ada);
  await clock.passing(3 * MINUTE_MS);
  expect(ada.peer(mute)?.unreachable?.reason).toBe('no_answer');
  await expect(ada.mesh.messages.request(ada.mesh.peers[0] as never, 'hello')).rejects.toMatchObject({ reason: 'no_answer' });
  expect(clock.timers).toBe(0);
});

test('who leaves on purpose, or is sent away, is cut off at once; who is lost stays connected until it fails, or for ten minutes', async () => {
  for (const reason of ['left', 'kicked', 'room_closed']) {
    const { clock, hub, ada, grace } = await couple();
    const [connection] = connectionsOf(ada);
    hub.leave(grace, reason);
    await clock.passing(100);
    expect(connection?.connectionState, reason).toBe('closed');
    expect(ada.mesh.peers).toEqual([]);
  }
  for (const reason of ['disconnected', 'timeout', 'server_draining', 'token_expired', 'of a later version']) {
    const { clock, hub, ada, grace } = await couple();
    const [peer] = ada.mesh.peers;
    hub.leave(grace, reason);
    await clock.passing(9 * MINUTE_MS);
    expect(peer?.presence, reason).toBe('gone');
    expect(peer?.state, reason).toBe('connected');
    void grace.mesh.messages.send('still here');
    await clock.passing(1_000);
    expect(ada.heard.map(({ data }) => data)).toEqual(['still here']);
    await clock.passing(MINUTE_MS);
    expect(ada.mesh.peers).toEqual([]);
    expect(peer?.connection).toBeUndefined();
  }
  const { clock, network, hub, ada, grace } = await couple();
  hub.leave(grace, 'disconnected');
  await clock.passing(100);
  network.reaches = () => false;
  network.changed();
  await clock.passing(MINUTE_MS);
  expect(ada.mesh.peers, 'it has failed').toEqual([]);
});

test('a person who is sent away while gone is cut off, too', async () => {
  const { clock, hub, ada, grace } = await couple();
  hub.leave(grace, 'disconnected');
  await clock.passing(100);
  ada.events.emit('kicked', { type: 'kicked', who: 'somebody else' });
  expect(ada.mesh.peers.length).toBe(1);
  ada.events.emit('kicked', { type: 'kicked', who: 'Grace' });
  expect(ada.mesh.peers).toEqual([]);
  expect(connectionsOf(ada)).toEqual([]);
});

test('who comes back as the same person is the same Peer; another page of theirs gets a connection of its own', async () => {
  const all = await couple();
  const { clock, network, hub, ada, grace } = all;
  const peer = ada.peer(grace);
  const before = connectionsOf(ada);
  // Her page is reloaded: it has nothing of the former one.
  grace.mesh.close();
  hub.leave(grace, 'replaced');
  const again = hub.member('Grace');
  all.members[1] = again;
  hub.join(again);
  await settled(all);
  expect(ada.peer(again)).toBe(peer);
  expect(connectionsOf(ada)).not.toEqual(before);
  expect(before[0]?.connectionState).toBe('closed');
  expect(network.open.length).toBe(2);
  await clock.passing(2_000);
  expect(ada.mesh.peers.length).toBe(1);
});

test('what is being sent is rejected when the room is left meanwhile', async () => {
  const { ada } = await couple();
  const sent = ada.mesh.messages.send(new Uint8Array(3 << 20));
  const rejected = expect(sent).rejects.toThrow();
  ada.mesh.close();
  await rejected;
});

test('a page that hangs does not stand in the way of the one that takes its place', async () => {
  const all = await couple();
  const { clock, network, hub, ada, grace } = all;
  const [former] = connectionsOf(ada);
  // Nothing closes its end of the connection, which seems to be up.
  grace.events.emit('state', { name: 'waiting' });
  hub.leave(grace, 'replaced');
  const again = hub.member('Grace');
  all.members[1] = again;
  hub.join(again);
  await settled(all);
  expect(ada.peer(again)?.connection).not.toBe(former);
  expect(former?.connectionState).toBe('closed');
  expect(connectionsOf(ada).length).toBe(1);
  void again.mesh.messages.send('the new page');
  await clock.passing(1_000);
  expect(ada.heard.map(({ data }) => data)).toEqual(['the new page']);
  expect(network.connections.length).toBe(4);
});

test('an offer to a connection that is gone on the other side is answered by another one', async () => {
  const all = await couple();
  const { clock, hub, ada, grace } = all;
  const [former] = connectionsOf(grace);
  // Grace's page is another one, with the same name and identity; Ada comes back to it as the newcomer and offers what she holds.
  hub.leave(ada, 'disconnected');
  hub.leave(grace, 'disconnected');
  for (const member of [ada, grace]) member.events.emit('state', { name: 'waiting' });
  const again = hub.member('Grace');
  all.members[1] = again;
  hub.join(again);
  hub.join(ada);
  await settled(all);
  expect(former?.connectionState).toBe('connected'); // nobody has told it
  void ada.mesh.messages.send('to the new page');
  await clock.passing(1_000);
  expect(again.heard.map(({ data }) => data)).toEqual(['to the new page']);
  expect(grace.heard).toEqual([]);
});

test('credentials are renewed before they end, for the connections there are and for new ones; a refusal is not repeated at once', async () => {
  const all = world(3, 2);
  const { clock, hub, members } = all;
  hub.iceTtlMs = 10 * MINUTE_MS;
  const [ada, grace] = members as [(typeof members)[0], (typeof members)[0]];
  ada.events.emit('welcome', { type: 'welcome', features: ['ice'] });
  for (const member of members) hub.join(member);
  await settled(all);
  await clock.passing(7 * MINUTE_MS);
  expect(ada.iceRequests).toBe(0);
  await clock.passing(MINUTE_MS);
  expect(ada.iceRequests).toBe(1);
  expect(grace.iceRequests, 'a server that does not know `ice` is not asked').toBe(0);
  const fresh = [{ urls: 'turn:fresh' }];
  ada.events.emit('ice_servers', { type: 'ice_servers', iceServers: fresh, ttlMs: MINUTE_MS });
  const [connection] = connectionsOf(ada) as [FakePeerConnection];
  expect(connection.getConfiguration().iceServers).toEqual(fresh);
  await clock.passing(MINUTE_MS);
  expect(ada.iceRequests).toBe(2);
  ada.events.emit('permissions', { type: 'permissions', re: 'token-1', permissions: [], expiresInMs: 1 });
  expect(ada.iceRequests, 'after another token').toBe(3);
  expect(connection.connectionState).toBe('connected');
});

test('no more connections than the room has seats: of those who are gone the oldest makes room', async () => {
  const all = world(4, 4);
  const { clock, hub, members } = all;
  hub.capacity = 3;
  const [ada, grace, hedy, radia] = members as [
    World['members'][0],
    World['members'][0],
    World['members'][0],
    World['members'][0],
  ];
  for (const member of [ada, grace, hedy]) hub.join(member);
  await settled(all);
  await clock.passing(1_000);
  hub.leave(grace, 'disconnected');
  await clock.passing(1_000);
  expect(ada.peer(grace)?.presence).toBe('gone');
  hub.join(radia);
  await clock.passing(5_000);
  expect(ada.mesh.peers.map(({ meta }) => meta['name']).sort()).toEqual(['Hedy', 'Radia']);
  expect(connectionsOf(ada).length).toBe(2);
});

test('a signal to a peer that has too much waiting is sent again, for as long as it is of use', async () => {
  const all = world(5, 2);
  const { clock, hub, members } = all;
  let refusals = 0;
  hub.refuses = (_, kind) => {
    if (kind === 'candidate' || refusals >= 6) return undefined;
    refusals += 1;
    return new SignalingError('peer_busy', { category: 'RATE_LIMITED', retryable: true, retryAfterMs: 200 });
  };
  for (const member of members) hub.join(member);
  await clock.passing(5_000);
  expect(refusals).toBe(6);
  await settled(all);
  expect(members.flatMap(({ troubles }) => troubles)).toEqual([]);
});

test('a page that is held up, or a machine that sleeps, gives nobody up', async () => {
  const all = world(6, 2);
  const { clock, hub, members } = all;
  for (const member of members) hub.join(member);
  await clock.passing(20); // offers are on their way
  clock.holdUp(20 * MINUTE_MS);
  clock.sleep(60 * MINUTE_MS);
  await settled(all);
  clock.holdUp(5 * MINUTE_MS);
  await clock.passing(1_000);
  expect(members.flatMap(({ troubles }) => troubles)).toEqual([]);
});

test('whoever comes later gets what is published; what is muted or named is so for them, too', async () => {
  const all = world(8, 3);
  const { clock, hub, members } = all;
  const [ada, grace, hedy] = members as [World['members'][0], World['members'][0], World['members'][0]];
  hub.join(ada);
  hub.join(grace);
  const camera = await ada.mesh.publish(fakeStream('audio', 'video') as never);
  const screen = await ada.mesh.publish(fakeStream('video') as never, { name: 'screen' });
  await clock.passing(3_000);
  camera.mute();
  await clock.passing(1_000);
  hub.join(hedy);
  await clock.passing(5_000);
  for (const member of [grace, hedy]) {
    const got = member.peer(ada)?.publications.map(({ id, name, muted, tracks }) => [id, name, muted, tracks.length]);
    expect(got?.sort()).toEqual(
      [
        [camera.id, undefined, true, 2],
        [screen.id, 'screen', false, 1],
      ].sort(),
    );
  }
  screen.unpublish();
  camera.unmute();
  await clock.passing(3_000);
  expect(hedy.peer(ada)?.publications.map(({ id, muted }) => [id, muted])).toEqual([[camera.id, false]]);
});

test('a track is published once, and not more streams than may be', async () => {
  const { ada } = await couple();
  const stream = fakeStream('audio');
  await ada.mesh.publish(stream as never);
  await expect(ada.mesh.publish(stream as never)).rejects.toMatchObject({ code: 'already_published' });
  for (let nth = 1; nth < 16; nth += 1) await ada.mesh.publish(fakeStream('audio') as never);
  await expect(ada.mesh.publish(fakeStream('audio') as never)).rejects.toMatchObject({ code: 'too_many' });
});
