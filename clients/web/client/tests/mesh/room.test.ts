// Rooms as an application has them, over the real server; what is between peers is in mesh.test.ts and browser.test.ts.

import { execFileSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { joinRoom, type Room, type RoomOptions } from '../../src/index.ts';
import type { Server } from '../support/real.ts';
import { roster, startServer, until, visit } from '../support/real.ts';

/** As `sessionStorage`. */
const tab = () => {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
};

/** No peer is ever connected: what a page would have is not there in Node. */
class NoConnection extends EventTarget {
  createDataChannel = () => ({
    readyState: 'connecting',
    bufferedAmount: 0,
    close: () => {},
    maxRetransmits: null,
    maxPacketLifeTime: null,
  });
  connectionState = 'new';
  signalingState = 'stable';
  close = () => {};
  setConfiguration = () => {};
}

async function enter(server: Server, options: RoomOptions = {}): Promise<Room> {
  const room = await joinRoom('blue', {
    url: new URL('ws', server.url),
    WebSocket,
    RTCPeerConnection: NoConnection as never,
    ...options,
  });
  onTestFinished(() => room.leave());
  return room;
}

test('who is there, what they say of themselves, and a snapshot that is another one after each change', async () => {
  const server = await startServer();
  const ada = await enter(server, { meta: { name: 'Ada' } });
  const changes: string[] = [];
  let notified = 0;
  const off = ada.subscribe(() => {
    notified += 1;
  });
  ada.on('peer', ({ peer, change }) => changes.push(`${peer.meta['name']} ${change}`));
  const before = ada.getSnapshot();
  expect(ada.getSnapshot()).toBe(before);
  expect(before).toMatchObject({ state: { name: 'joined' }, peers: [], locked: false, capacity: 10 });
  const grace = await enter(server, { meta: { name: 'Grace' } });
  await until('Ada knows of Grace', () => ada.peers.length === 1);
  expect(ada.getSnapshot()).not.toBe(before);
  expect(ada.getSnapshot().peers).toEqual(ada.peers);
  const [peer] = ada.peers;
  expect(peer).toMatchObject({ who: grace.self.who, id: grace.self.id, presence: 'here', state: 'new', polite: false });
  expect(grace.peers[0]).toMatchObject({ id: ada.self.id, polite: true });
  await grace.update({ name: 'Grace Hopper' });
  expect(grace.self.meta).toEqual({ name: 'Grace Hopper' });
  await until('Ada knows it', () => peer?.meta['name'] === 'Grace Hopper');
  await grace.leave();
  await until('Ada knows that she has left', () => ada.peers.length === 0);
  expect(peer?.presence).toBe('gone');
  expect(changes).toEqual(['Grace joined', 'Grace Hopper updated', 'Grace Hopper left']);
  expect(notified).toBeGreaterThanOrEqual(3);
  off();
  const heard = notified;
  await ada.leave();
  expect(notified).toBe(heard);
  expect(ada.state).toMatchObject({ name: 'closed', reason: 'left' });
});

test('two mounts of one component, as StrictMode does it, are one person; what was aborted leaves nothing', async () => {
  const server = await startServer();
  const witness = visit(server.url, 'blue');
  const peers = roster(witness);
  let joins = 0;
  witness.on('peer_joined', () => {
    joins += 1;
  });
  await witness.start();
  const storage = tab();
  const first = new AbortController();
  const refused = expect(enter(server, { storage, signal: first.signal })).rejects.toMatchObject({ code: 'aborted' });
  first.abort();
  const second = new AbortController();
  const room = await enter(server, { storage, signal: second.signal });
  await refused;
  await until('she is there', () => peers.has(room.self.id));
  expect([peers.size, joins]).toEqual([1, 1]);
  second.abort();
  await until('she has left', () => peers.size === 0);
  expect(room.state).toMatchObject({ name: 'closed', reason: 'aborted' });
  expect(() => room.mesh.channel('files')).not.toThrow();
  await expect(room.publish({ getTracks: () => [] } as never)).rejects.toMatchObject({ code: 'closed' });
});

test('`for await` gets what comes, and ends with the room', async () => {
  const server = await startServer();
  const ada = await enter(server);
  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const { change } of ada.events('peer')) seen.push(change);
  })();
  const grace = await enter(server);
  await grace.leave();
  await until('both were seen', () => seen.length === 2);
  await ada.leave();
  await reading;
  expect(seen).toEqual(['joined', 'left']);
  const late = ada.events('peer');
  expect(await late.next()).toEqual({ done: true, value: undefined });
});

test('without the permission to moderate nobody is sent away, and no room is locked', async () => {
  const server = await startServer();
  const ada = await enter(server);
  await enter(server);
  await until('they know of each other', () => ada.peers.length === 1);
  await expect(ada.kick(ada.peers[0] as never)).rejects.toMatchObject({ code: 'permission_denied' });
  await expect(ada.lock()).rejects.toMatchObject({ code: 'permission_denied' });
  expect(ada.locked).toBe(false);
});

test('the built library touches nothing of a page where it is imported', () => {
  const module = new URL('../../dist/index.js', import.meta.url).href;
  const program = `
    const names = ['document', 'window', 'navigator', 'location', 'sessionStorage', 'addEventListener', 'RTCPeerConnection', 'MediaStream', 'WebSocket', 'Worker'];
    for (const name of names) Object.defineProperty(globalThis, name, { get() { throw new Error(name + ' was looked for'); } });
    const { joinRoom, randomRoom } = await import('${module}');
    console.log(typeof joinRoom, typeof randomRoom());
  `;
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
  expect(said).toBe('function string\n');
});
