// The answers that docs/protocol.md gives to a client's author ("Questions of a client's author"), asked of the real server.

import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { startServer, until } from './support/real.ts';

type Json = Record<string, any>;

/** A connection with nothing but what a browser's WebSocket can do. */
async function connect(url: string) {
  const socket = new WebSocket(new URL('ws', url).href.replace('http', 'ws'), ['switchboard.v1']);
  onTestFinished(() => socket.terminate());
  const frames: Json[] = [];
  socket.on('message', (text) => frames.push(JSON.parse(String(text))));
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  const send = (...all: Json[]) => {
    for (const frame of all) socket.send(JSON.stringify(frame));
  };
  const receive = (type: string, more: (frame: Json) => boolean = () => true) =>
    until(`a frame ${type}`, () => frames.find((frame) => frame['type'] === type && more(frame))) as Promise<Json>;
  await receive('welcome');
  return { socket, frames, closed, send, receive };
}

test('which closes of a browser end a session, and which park it', async () => {
  const server = await startServer();
  const witness = await connect(server.url);
  witness.send({ type: 'join', room: 'blue' });
  await witness.receive('joined');
  const closes: [string, (socket: WebSocket) => void, string][] = [
    ['close()', (socket) => socket.close(), 'peer_left'],
    ['close(1000)', (socket) => socket.close(1000), 'peer_left'],
    ['a reload, or a closed tab', (socket) => socket.close(1001), 'peer_left'],
    ['close(3000)', (socket) => socket.close(3000), 'peer_away'],
    ['close(4999)', (socket) => socket.close(4999), 'peer_away'],
    ['a crash', (socket) => socket.terminate(), 'peer_away'],
  ];
  for (const [name, close, told] of closes) {
    const peer = await connect(server.url);
    peer.send({ type: 'join', room: 'blue', resumable: true });
    const { self } = await peer.receive('joined');
    peer.send({ type: 'ping', ack: 0 }); // confirms the token
    await peer.receive('pong');
    close(peer.socket);
    const ofIt = (frame: Json) => frame['id'] === self.id;
    const news = () => witness.frames.find((frame) => ofIt(frame) && frame['type'] !== 'peer_joined');
    await until(`news of ${name}`, news);
    expect([name, news()?.['type']]).toEqual([name, told]);
  }
});

test('a session whose token was never confirmed is not parked', async () => {
  const server = await startServer();
  const witness = await connect(server.url);
  witness.send({ type: 'join', room: 'blue' });
  await witness.receive('joined');
  const peer = await connect(server.url);
  peer.send({ type: 'join', room: 'blue', resumable: true });
  await peer.receive('joined');
  peer.socket.terminate();
  expect(await witness.receive('peer_left')).toMatchObject({ reason: 'disconnected' });
});

test('what is sent between a join and its answer', async () => {
  const server = await startServer();
  const witness = await connect(server.url);
  witness.send({ type: 'join', room: 'blue' });
  const { self } = await witness.receive('joined');
  const peer = await connect(server.url);
  peer.send(
    { type: 'join', id: '1', room: 'blue' },
    { type: 'ping', id: '2' },
    { type: 'signal', id: '3', to: self.id, kind: 'app', data: 'early' },
    { type: 'update', id: '4', meta: {} },
    { type: 'join', id: '5', room: 'blue' },
    { type: 'ping', id: '6' },
  );
  await peer.receive('pong', ({ re }) => re === '6');
  await peer.receive('joined');
  const code = (id: string) => peer.frames.find(({ re }) => re === id)?.['code'];
  expect(peer.frames.find(({ re }) => re === '2')).toMatchObject({ type: 'pong' });
  expect(code('5')).toBe('already_joined');
  // Unless the answer was quicker.
  const refused = code('3') === 'not_in_room' && code('4') === 'not_in_room';
  expect(refused || witness.frames.some(({ data }) => data === 'early')).toBe(true);
});

test('an error belongs to a signal by its id, and to none without', async () => {
  const server = await startServer();
  const peer = await connect(server.url);
  peer.send({ type: 'join', id: '1', room: 'blue' });
  await peer.receive('joined');
  const gone = '0'.repeat(32);
  peer.send(
    { type: 'signal', id: 'offer-7', to: gone, kind: 'offer', data: {} },
    { type: 'signal', to: gone, kind: 'offer', data: {} },
    { type: 'ping', id: 'end' },
  );
  await peer.receive('pong');
  const errors = peer.frames.filter(({ type }) => type === 'error');
  expect(errors).toMatchObject([{ re: 'offer-7', code: 'peer_not_found', peers: [gone] }, { code: 'peer_not_found' }]);
  expect(errors[1]).not.toHaveProperty('re');
});

test('of a restart only the person survives', async () => {
  const server = await startServer();
  const identity = 'correct-horse-battery-staple-417';
  const join = { type: 'join', id: '1', room: 'blue', resumable: true, identity };
  const before = await connect(server.url);
  before.send(join);
  const former = await before.receive('joined');
  before.send({ type: 'ping', ack: 0 });
  await before.receive('pong');
  await server.crash();
  await startServer({ SWITCHBOARD__SERVER__PORT: server.port });
  const after = await connect(server.url);
  after.send({ type: 'join', id: '1', room: 'blue', attempt: 1, resume: { token: former['resume'].token, ack: 0 } });
  expect(await after.receive('error')).toMatchObject({ re: '1', code: 'session_not_found' });
  after.send(join);
  const joined = await after.receive('joined');
  expect(joined['self'].who).toBe(former['self'].who);
  expect(joined['self'].id).not.toBe(former['self'].id);
});

test('more than a burst that is sent again is read at the pace of frameRate, and none of it is lost', async () => {
  const server = await startServer({ SWITCHBOARD__LIMITS__FRAME_RATE: '100', SWITCHBOARD__LIMITS__FRAME_BURST: '50' });
  const witness = await connect(server.url);
  witness.send({ type: 'join', room: 'blue' });
  await witness.receive('joined');
  const peer = await connect(server.url);
  peer.send({ type: 'join', id: '1', room: 'blue' });
  await peer.receive('joined');
  peer.send(...Array.from({ length: 200 }, (_, at) => ({ type: 'signal', to: '*', kind: 'app', data: at })));
  const signals = () => witness.frames.filter(({ type }) => type === 'signal').map(({ data }) => data);
  await until('all are there', () => signals().length === 200);
  expect(signals()).toEqual(Array.from({ length: 200 }, (_, at) => at));
  expect(await peer.receive('error')).toMatchObject({ code: 'rate_limited', retryable: true });
});
