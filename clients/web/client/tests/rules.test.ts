// What a client does about this and that, against a model of the server and in a time of the test's own.

import { expect, test } from 'vitest';
import { SignalingError } from '../src/signaling/index.ts';
import { TestClock } from '../src/testing/clock.ts';
import { Model, refusal } from './support/model.ts';
import { inRoom, outcome, prepared } from './support/started.ts';

test('joins with what the server understands, and no more', async () => {
  const full = await inRoom({ meta: { name: 'Ada' }, identity: 'correct-horse-battery-staple-417', token: 'a.b.c' });
  expect(full.model.joins).toEqual([
    {
      type: 'join',
      id: 'join',
      room: 'blue',
      meta: { name: 'Ada' },
      resumable: true,
      identity: 'correct-horse-battery-staple-417',
      replace: false,
    },
  ]);
  const bare = prepared({ token: 'a.b.c' });
  bare.model.features = ['tokens'];
  void bare.client.start();
  await bare.clock.passing(200);
  expect(bare.model.joins).toEqual([{ type: 'join', id: 'join', room: 'blue', token: 'a.b.c' }]);
  expect(bare.model.sockets[0]?.url).toBe('wss://sb.example/ws?room=blue');
});

test('an identity of the client’s own making is the same after close and start, and takes over who is not missed yet', async () => {
  const store = new Map<string, string>();
  const storage = {
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, value: string) => void store.set(key, value),
    removeItem: (key: string) => void store.delete(key),
  };
  const { clock, model, client } = await inRoom({ storage });
  expect(store.size, 'while it is in use, no copied tab finds it').toBe(0);
  const other = prepared({ storage });
  void other.client.start();
  await other.clock.passing(200);
  void client.close();
  void client.start();
  await clock.passing(4_000);
  expect(model.joins.map(({ identity }) => identity)).toEqual([model.joins[0]?.['identity'], model.joins[0]?.['identity']]);
  expect(model.joins[0]?.['identity']).toMatch(/^[\w-]{43}$/);
  expect(model.joins[0]?.['replace']).toBe(true);
  expect(other.model.joins[0]?.['identity']).not.toBe(model.joins[0]?.['identity']);
});

test('an identity that somebody else took the session with is theirs, and a storage that fails costs nothing else', async () => {
  const store = new Map<string, string>();
  const storage = {
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, value: string) => void store.set(key, value),
    removeItem: (key: string) => void store.delete(key),
  };
  const { model } = await inRoom({ storage });
  model.openSockets[0]!.ended(4500);
  expect(store.size).toBe(0);
  const forbidden = () => {
    throw new Error('no storage here');
  };
  const { client } = await inRoom({ storage: { getItem: forbidden, setItem: forbidden, removeItem: forbidden } });
  void client.close();
  expect(client.state.name).toBe('closed');
});

test('start, leave, start, leave: one socket at a time, and none at the end', async () => {
  const { clock, model, client } = prepared();
  const outcomes = [outcome(client.start()), outcome(client.close()), outcome(client.start()), outcome(client.close())];
  await clock.passing(5_000);
  expect(await Promise.all(outcomes)).toEqual(['closed', 'done', 'closed', 'done']);
  expect(model.openSockets).toEqual([]);
  await clock.passing(60_000);
  expect(model.connected).toBe(false);
  expect(clock.timers).toBe(0);
  const again = client.start();
  await clock.passing(200);
  expect((await again).room).toBe('blue');
  expect(model.openSockets.length).toBe(1);
});

test('an AbortSignal ends it, before the start, on the way and in the room', async () => {
  expect(await outcome(prepared().client.start(AbortSignal.abort()))).toBe('aborted');
  const onTheWay = prepared();
  const first = new AbortController();
  const started = outcome(onTheWay.client.start(first.signal));
  first.abort();
  expect(await started).toBe('aborted');
  const inside = prepared();
  const second = new AbortController();
  void inside.client.start(second.signal);
  await inside.clock.passing(200);
  second.abort();
  await inside.clock.passing(4_000);
  expect(inside.client.state).toMatchObject({ name: 'closed', reason: 'aborted' });
  expect(inside.model.connected).toBe(false);
});

test('a signal resolves when the server has handled it, and rejects with what the server said', async () => {
  const { clock, model, client, errors } = await inRoom();
  const good = outcome(client.signal('*', 'app', 1));
  model.judge = ({ data }) => (data === 2 ? { ...refusal('peer_busy', 'RATE_LIMITED', true, 1000), peers: ['b'] } : undefined);
  const bad = client.signal(['b'], 'app', 2).catch((error: SignalingError) => error);
  await clock.passing(6_000);
  expect(await good).toBe('done');
  expect(await bad).toBeInstanceOf(SignalingError);
  expect(await bad).toMatchObject({
    code: 'peer_busy',
    category: 'RATE_LIMITED',
    retryable: true,
    retryAfterMs: 1000,
    peers: ['b'],
  });
  expect(errors).toEqual(['peer_busy']);
});

test('what is sent before the start of a session waits for it, and the newest metadata go with the join', async () => {
  const { clock, model, client } = prepared({ meta: { name: 'Ada' } });
  void client.start();
  const said = outcome(client.signal('*', 'app', 'early'));
  const renamed = outcome(client.update({ name: 'Countess' }));
  await clock.passing(6_000);
  expect(await said).toBe('done');
  expect(await renamed).toBe('done');
  expect(model.metas).toEqual([{ name: 'Countess' }]);
  model.restart();
  void client.update({ name: 'Lovelace' });
  await clock.passing(10_000);
  expect(model.metas.at(-1), 'after a restart, too').toEqual({ name: 'Lovelace' });
});

test('metadata that change while the join is on its way are sent after it', async () => {
  const { clock, model, client } = prepared({ meta: { n: 1 } });
  void client.start();
  await clock.passing(70);
  expect(model.joins.length).toBe(1);
  const updated = outcome(client.update({ n: 2 }));
  await clock.passing(6_000);
  expect(await updated).toBe('done');
  expect(model.metas).toEqual([{ n: 1 }, { n: 2 }]);
});

test('the queue has an end, and so has a message', async () => {
  const { clock, model, client, errors } = await inRoom();
  model.refuses = true;
  model.cut();
  const all = Array.from({ length: 513 }, (_, at) => outcome(client.signal('*', 'app', at)));
  expect(await all.at(-1)).toBe('queue_full');
  expect(await outcome(client.signal('*', 'app', 'x'.repeat(70_000)))).toBe('message_too_large');
  model.refuses = false;
  await clock.passing(20_000);
  expect(new Set(await Promise.all(all.slice(0, -1)))).toEqual(new Set(['done']));
  expect(model.signals.length).toBe(512);
  expect(errors).toEqual(['queue_full', 'message_too_large']);
  const chars = await inRoom();
  chars.model.refuses = true;
  chars.model.cut();
  const long = Array.from({ length: 40 }, () => outcome(chars.client.signal('*', 'app', 'x'.repeat(60_000))));
  expect(await long.at(-1)).toBe('queue_full');
});

test('a restart: the same person, a new session; offers of the old one are not sent to peers that are gone', async () => {
  const { clock, model, client } = await inRoom();
  model.refuses = true;
  model.restart();
  const offer = outcome(client.signal('a'.repeat(32), 'offer', {}));
  const chat = outcome(client.signal('*', 'app', 'hello'));
  model.refuses = false;
  await clock.passing(30_000);
  expect(await offer).toBe('session_lost');
  expect(await chat).toBe('done');
  expect(model.joins.at(-2)).toMatchObject({ resume: {}, attempt: expect.any(Number) });
  expect(model.joins.at(-1)).toMatchObject({ resumable: true, replace: true });
  expect(model.joins.at(-1)?.['identity']).toBe(model.joins[0]?.['identity']);
});

test('a full room is waited for on the connection; without patience it is an error', async () => {
  const full = refusal('room_full', 'ROOM_FULL', true, 5_000);
  const patient = prepared();
  patient.model.judge = ({ type }) => (type === 'join' && patient.model.joins.length < 3 ? full : undefined);
  const joined = outcome(patient.client.start());
  await patient.clock.passing(4_900);
  expect(patient.model.joins.length).toBe(1);
  expect(patient.client.state).toMatchObject({ name: 'queued', delayMs: 5_250, error: { code: 'room_full' } });
  await patient.clock.passing(8_000);
  expect(await joined).toMatchObject({ type: 'joined' });
  expect(patient.model.sockets.length).toBe(1);
  const hasty = prepared({ wait: false });
  hasty.model.judge = () => full;
  const refused = outcome(hasty.client.start());
  await hasty.clock.passing(200);
  expect(await refused).toBe('room_full');
  expect(hasty.client.state).toMatchObject({ name: 'closed', reason: 'refused' });
});

test('a ban is not waited for on the connection, at the first join or after a stay', async () => {
  const banned = refusal('banned', 'AUTH', true, 86_400_000);
  const newcomer = prepared();
  newcomer.model.judge = () => banned;
  const refused = outcome(newcomer.client.start());
  await newcomer.clock.passing(200);
  expect(await refused).toBe('banned');
  const former = await inRoom();
  former.model.judge = ({ type }) => (type === 'join' ? banned : undefined);
  former.model.cut();
  await former.clock.passing(60_000);
  for (const { client, model } of [newcomer, former]) {
    expect(client.state).toMatchObject({ name: 'closed', reason: 'refused', error: { code: 'banned' } });
    const { length } = model.sockets;
    await former.clock.passing(3_600_000);
    expect(model.sockets.length).toBe(length);
  }
});

test('a refusal for two months is waited out, and not at once', async () => {
  const { clock, model, client } = prepared();
  model.judge = () => refusal('room_locked', 'ROOM_STATE', true, 5_000_000_000);
  void client.start();
  await clock.passing(60_000);
  expect(model.joins.length).toBe(1);
  expect(client.state).toMatchObject({ name: 'queued', error: { code: 'room_locked', retryAfterMs: 5_000_000_000 } });
});

test('endings for good are told with their reason, and nobody comes back', async () => {
  for (const [code, reason, category] of [
    [4500, 'session_taken', 'SESSION'],
    [1009, 'message_too_large', 'WS_ERROR'],
  ] as const) {
    const { clock, model, client } = await inRoom();
    const pending = outcome(client.signal('*', 'app', 1));
    model.tell(model.openSockets[0]!, { type: 'bye', reason, action: 'disconnect', retryAfterMs: 0 });
    await clock.passing(50);
    model.openSockets[0]!.ended(code);
    await clock.passing(60_000);
    expect(client.state).toMatchObject({ name: 'closed', reason, error: { code: reason, category, retryable: false } });
    expect(model.sockets.length).toBe(1);
    expect(await pending).toBe(reason);
    expect(await outcome(client.signal('*', 'app', 1))).toBe('closed');
  }
});

test('a server without resume: nothing is counted, and what was sent is not sent again', async () => {
  const { clock, model, client } = prepared();
  model.features = [];
  void client.start();
  await clock.passing(200);
  expect(await outcome(client.signal('*', 'app', 1))).toBe('done');
  await clock.passing(200);
  model.cut();
  const waiting = outcome(client.signal('*', 'app', 2));
  await clock.passing(10_000);
  expect(await waiting).toBe('done');
  expect(model.signals).toEqual([1, 2]);
  expect(model.joins.every((join) => !('resumable' in join) && !('resume' in join))).toBe(true);
  expect(model.violations).toEqual([]);
});

test('a room that ends under us is joined again on the same connection', async () => {
  const { clock, model, client, states } = await inRoom();
  model.failRoom('blue');
  await clock.passing(5_000);
  expect(model.joins.length).toBe(2);
  expect(model.joins[1]).not.toHaveProperty('resume');
  expect(model.sockets.length).toBe(1);
  expect(states.map(({ name }) => name)).toEqual(['connecting', 'joined', 'queued', 'joined']);
  expect(client.joined?.room).toBe('blue');
});

test('the server is told at least every 50 frames what was handled', async () => {
  const { clock, model } = await inRoom();
  await clock.passing(6_000);
  const before = model.pings.length;
  for (let sent = 0; sent < 200; sent += 1) model.send({ type: 'from_a_later_version', n: sent });
  await clock.passing(100);
  expect(model.pings.length - before).toBe(4);
  expect(model.violations).toEqual([]);
});

test('a listener that fails harms nobody else, and what it asks for comes after what it was told', async () => {
  const { clock, model, client } = await inRoom();
  const order: string[] = [];
  const rejected: unknown[] = [];
  const note = (error: unknown) => rejected.push(error);
  process.on('uncaughtException', note);
  client.on('signal', () => {
    void client.signal('*', 'app', 'answer');
    order.push('first');
    throw new Error('the listener’s mistake');
  });
  client.on('signal', () => order.push('second'));
  model.send({ type: 'signal', from: 'a'.repeat(32), kind: 'app', data: 1 });
  await clock.passing(200);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('uncaughtException', note);
  expect(order).toEqual(['first', 'second']);
  expect(model.signals).toEqual(['answer']);
  expect(rejected).toMatchObject([{ message: 'the listener’s mistake' }]);
});

test('the round trip is measured, and lost with the connection', async () => {
  const { clock, model, client } = await inRoom();
  const trip = client.ping();
  await clock.passing(100);
  expect(await trip).toBeGreaterThanOrEqual(40);
  const lost = outcome(client.ping());
  model.cut();
  expect(await lost).toBe('connection_lost');
});

test('URLs may be http, relative to nothing but a page, and have a query', () => {
  const { WebSocket } = new Model(new TestClock());
  const urls: string[] = [];
  class Noted extends (WebSocket as any) {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      urls.push(url);
    }
  }
  for (const url of ['http://a.example/ws', new URL('https://b.example/rooms/ws?x=1#y')]) {
    const { client } = prepared({ url, room: 'café +', WebSocket: Noted as any });
    void client.start();
    void client.close();
  }
  expect(urls).toEqual(['ws://a.example/ws?room=caf%C3%A9%20%2B', 'wss://b.example/rooms/ws?x=1&room=caf%C3%A9%20%2B']);
});

test('what cannot be sent, and a socket that cannot be made, is told to who asked, and harms nothing else', async () => {
  const { clock, model, client } = await inRoom();
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  expect(await outcome(client.signal('*', 'app', circle))).toBe('invalid_message');
  expect(await outcome(client.update(circle))).toBe('invalid_message');
  expect(() => prepared({ meta: circle })).toThrow(TypeError);
  const fine = outcome(client.signal('*', 'app', 'fine'));
  await clock.passing(6_000);
  expect(await fine).toBe('done');
  expect(model.signals).toEqual(['fine']);
  class Forbidden {
    constructor() {
      throw new DOMException('an insecure WebSocket connection may not be initiated', 'SecurityError');
    }
  }
  const blocked = prepared({ WebSocket: Forbidden as any });
  expect(await outcome(blocked.client.start())).toBe('socket_failed');
  expect(blocked.client.state).toMatchObject({ name: 'closed', reason: 'refused', error: { retryable: false } });
  expect(blocked.clock.timers).toBe(0);
});

test('pings that wait for an answer are bounded, too', async () => {
  const { client, model, clock } = await inRoom();
  model.swallow();
  const pings = Array.from({ length: 513 }, () => outcome(client.ping()));
  expect(await pings.at(-1)).toBe('queue_full');
  await clock.passing(200_000);
  expect(new Set(await Promise.all(pings.slice(0, -1)))).toEqual(new Set(['connection_lost']));
});

test('without a WebSocket it says what to do', async () => {
  const { client } = prepared();
  const bare = new (client.constructor as any)({ url: 'ws://a.example/ws', room: 'blue' });
  const had = Reflect.get(globalThis, 'WebSocket');
  Reflect.deleteProperty(globalThis, 'WebSocket');
  expect(await outcome(bare.start())).toMatch(/import WebSocket from 'ws'/);
  if (had) Reflect.set(globalThis, 'WebSocket', had);
});
