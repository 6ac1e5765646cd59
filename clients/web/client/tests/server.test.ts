// The client in front of the real server, with what happens to real connections in between.

import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { tells } from './support/page.ts';
import { inbox, pathTo, roster, startServer, until, visit } from './support/real.ts';
import { outcome } from './support/started.ts';
import { worlds } from './support/worlds.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

test('through fifteen cuts, what two say to each other arrives once and in order, under the same ids', async () => {
  const server = await startServer();
  const path = await pathTo(server);
  const [ada, grace] = [visit(path.url, 'blue', { meta: { name: 'Ada' } }), visit(server.url, 'blue')];
  const [toAda, toGrace] = [inbox(ada), inbox(grace)];
  const first = await grace.start();
  const { self } = await ada.start();
  const outcomes: Promise<unknown>[] = [];
  const faults: string[] = [];
  for (const client of [ada, grace]) client.on('error', ({ code, message }) => faults.push(`${code}: ${message}`));
  let resumed = 0;
  ada.on('joined', ({ complete }) => {
    resumed += complete ? 1 : 0;
  });
  await ada.ping(); // until then the server does not know that the session's token has arrived, and parks nothing
  for (const round of numbers(15)) {
    for (const part of numbers(4)) {
      const number = (round - 1) * 4 + part;
      outcomes.push(outcome(ada.signal(first.self.id, 'app', number)), outcome(grace.signal(self.id, 'app', number)));
      if (part === 2) path.cut();
    }
    await until(`in the room again, round ${round}`, () => {
      ada.retryNow();
      return resumed === round;
    });
  }
  await until('all has arrived', () => toAda.length >= 60 && toGrace.length >= 60);
  expect(toGrace.map(({ data }) => data)).toEqual(numbers(60));
  expect(toAda.map(({ data }) => data)).toEqual(numbers(60));
  expect(new Set(toGrace.map(({ from }) => from))).toEqual(new Set([self.id]));
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['done']));
  expect(faults).toEqual([]);
});

test('kill -9 and a restart: both come back as the same persons, with what they are called by then', async () => {
  const server = await startServer();
  const [ada, grace] = [visit(server.url, 'blue', { meta: { name: 'Ada' } }), visit(server.url, 'blue')];
  const before = [await ada.start(), await grace.start()].map(({ self }) => self.who);
  await ada.update({ name: 'Countess' });
  const tooLong = { name: 'x'.repeat(5_000) };
  expect(await outcome(ada.update(tooLong))).toBe('invalid_message');
  const peers = roster(grace);
  await server.crash();
  // Whether the client knows of the crash yet or not: this is refused, in a join, and what was before it holds.
  const refused = outcome(ada.update(tooLong));
  const said = outcome(ada.signal('*', 'app', 'still here'));
  const heard = inbox(grace);
  await startServer({ SWITCHBOARD__SERVER__PORT: server.port });
  await until('both are back', () => {
    for (const client of [ada, grace]) client.retryNow();
    return ada.state.name === 'joined' && grace.state.name === 'joined' && peers.size === 1;
  });
  expect([ada, grace].map((client) => client.joined?.self.who)).toEqual(before);
  expect([...peers.values()]).toEqual([{ name: 'Countess' }]);
  expect(await refused).toBe('invalid_message');
  expect(ada.state).toEqual({ name: 'joined', resumed: false });
  // The message was written before the client could know of the crash, or it waited for the next session.
  const end = await said;
  expect(['done', 'session_lost']).toContain(end);
  if (end === 'done') await until('it is heard', () => heard.length === 1 || peers.size === 1);
});

test('a drain: relayed until the end, and back in the next server’s room', async () => {
  const server = await startServer({ SWITCHBOARD__SERVER__DRAIN_MS: '1500' });
  const [ada, grace] = [visit(server.url, 'blue'), visit(server.url, 'blue')];
  const heard = inbox(grace);
  await Promise.all([ada.start(), grace.start()]);
  const told = new Promise((resolve) => ada.on('bye', resolve));
  const before = roster(grace);
  server.terminate();
  expect(await told).toMatchObject({ reason: 'server_draining', action: 'reconnect' });
  const late = visit(server.url, 'blue');
  void late.start();
  if (ada.state.name === 'joined') void ada.signal('*', 'app', 'meanwhile');
  await server.exit();
  await startServer({ SWITCHBOARD__SERVER__PORT: server.port });
  await until('all three are in the next room', () => {
    for (const client of [ada, grace, late]) client.retryNow();
    return [ada, grace, late].every((client) => client.state.name === 'joined') && before.size === 2;
  });
  const again = outcome(ada.signal('*', 'app', 'afterwards'));
  await until('it is heard', () => heard.some(({ data }) => data === 'afterwards'));
  expect(await again).toBe('done');
});

test('a drain: what was said before it and during it is confirmed, and so is not said again in the next session', async () => {
  const server = await startServer({ SWITCHBOARD__SERVER__DRAIN_MS: '6000' });
  const [ada, grace] = [visit(server.url, 'blue'), visit(server.url, 'blue')];
  const heard = inbox(grace);
  const { self } = await grace.start();
  await ada.start();
  await ada.ping();
  const said: Promise<unknown>[] = [];
  const say = (first: number) => {
    for (const number of numbers(5)) said.push(outcome(ada.signal(self.id, 'app', first + number)));
  };
  say(0);
  await until('it is heard', () => heard.length === 5);
  const told = new Promise<void>((resolve) => {
    ada.on('bye', ({ retryAfterMs = 0 }) => {
      // The first is closed a tenth of the drain after it began.
      expect(retryAfterMs).toBeGreaterThan(500);
      say(5);
      resolve();
    });
  });
  server.terminate();
  await told;
  await server.exit();
  await startServer({ SWITCHBOARD__SERVER__PORT: server.port });
  await until('she is in the next room', () => {
    ada.retryNow();
    return ada.state.name === 'joined';
  });
  expect(await Promise.all(said)).toEqual(numbers(10).map(() => 'done'));
  expect(heard.map(({ data }) => data)).toEqual(numbers(10));
});

test('a path that is gone is noticed within 5 s of the network’s return, and the session is taken over', async () => {
  const server = await startServer();
  const path = await pathTo(server);
  const [ada, grace] = [visit(path.url, 'blue'), visit(server.url, 'blue')];
  const { self } = await ada.start();
  await grace.start();
  const heard = inbox(ada);
  const events: string[] = [];
  for (const type of ['peer_left', 'peer_joined'] as const) grace.on(type, () => events.push(type));
  path.swallow();
  void grace.signal(self.id, 'app', 'into the void');
  path.heal();
  const began = performance.now();
  tells('online');
  await until('the message that was swallowed is here', () => heard.length === 1);
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(ada.state).toEqual({ name: 'joined', resumed: true });
  expect(ada.joined?.self.id).toBe(self.id);
  expect(events, 'the others noticed nothing').toEqual([]);
});

test('a slow path is no reason to give a connection up', async () => {
  const server = await startServer({ SWITCHBOARD__HEARTBEAT__INTERVAL_MS: '1000' });
  const path = await pathTo(server);
  path.slow(700);
  const ada = visit(path.url, 'blue');
  const states: string[] = [];
  ada.on('state', ({ name }) => states.push(name));
  await ada.start();
  const pongs: unknown[] = [];
  ada.on('pong', (frame) => pongs.push(frame));
  tells('online');
  await until('five answers, each after two of its delays', () => pongs.length >= 5);
  expect(states).toEqual(['connecting', 'joined']);
});

test.each(worlds)('start, leave, start, leave: no ghost, neither at once nor later: %s', async (_, start) => {
  const world = await start();
  const [ada, witness] = [world.visit('blue'), world.visit('blue')];
  const peers = roster(witness);
  const reasons: string[] = [];
  witness.on('peer_left', ({ reason }) => reasons.push(reason));
  await witness.start();
  const ends = [ada.start(), ada.close(), ada.start(), ada.close()].map(outcome);
  await Promise.all(ends);
  for (const _ of numbers(3)) {
    await ada.start();
    void ada.close();
    await ada.start();
    await ada.close();
  }
  await until('the room is empty but for the witness', () => peers.size === 0 && reasons.length >= 6);
  await until('and so is the server', async () => (await world.connections()) === 1);
  expect(new Set(reasons)).toEqual(new Set(['left']));
  expect(ada.state).toMatchObject({ name: 'closed', reason: 'left' });
});

test.each(worlds)('a full room is waited for, on one connection: %s', async (_, start) => {
  const world = await start({ peersPerRoom: 2 });
  const [ada, grace, late] = ['Ada', 'Grace', 'late'].map((name) => world.visit('blue', { meta: { name } }));
  await ada!.start();
  await grace!.start();
  const welcomes: unknown[] = [];
  late!.on('welcome', (frame) => welcomes.push(frame));
  const joined = late!.start();
  await until('it waits', () => late!.state.name === 'queued');
  expect(late!.state).toMatchObject({ error: { code: 'room_full', category: 'ROOM_FULL', retryable: true } });
  await ada!.close();
  expect((await joined).capacity).toBe(2);
  expect(welcomes.length).toBe(1);
  const hasty = world.visit('blue', { wait: false });
  expect(await outcome(hasty.start())).toBe('room_full');
});

test.each(worlds)('who is not there, and who may not: the error belongs to its signal: %s', async (_, start) => {
  const world = await start();
  const ada = world.visit('blue');
  await ada.start();
  const nobody = '0'.repeat(32);
  const failed = await ada.signal([nobody], 'offer', { type: 'offer', sdp: '' }).catch((error) => error);
  expect(failed).toMatchObject({ code: 'peer_not_found', category: 'PEER', retryable: false, peers: [nobody] });
  expect(await outcome(ada.signal('*', 'app', undefined))).toBe('done');
  expect(await outcome(ada.update({ big: 'x'.repeat(5_000) }))).toBe('invalid_message');
  expect(await outcome(ada.signal('*', 'app', 'x'.repeat(70_000))), 'and the connection lives on').toBe('message_too_large');
  expect(await ada.ping()).toBeGreaterThan(0);
  expect(await ada.request({ type: 'ice' }), 'any other request, with its answer').toMatchObject({ type: 'ice_servers' });
  expect(ada.state.name).toBe('joined');
});

test('tokens: asked for at the join, refused in words, renewed in the session', async () => {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-client-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const secret = randomBytes(48).toString('base64');
  const file = join(home, 'tokens.secret');
  writeFileSync(file, secret, { mode: 0o600 });
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (claims: object) => {
    const body = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  };
  const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
  const server = await startServer({
    SWITCHBOARD__AUTH__MODE: 'token',
    SWITCHBOARD__AUTH__KEYS: JSON.stringify([{ algorithm: 'HS256', file }]),
  });
  expect(await outcome(visit(server.url, 'blue').start())).toBe('unauthorized');
  expect(await outcome(visit(server.url, 'blue', { token: token({ room: 'red', exp: inSeconds(60) }) }).start())).toBe(
    'permission_denied',
  );
  let asked = 0;
  const ada = visit(server.url, 'blue', {
    token: async () => {
      asked += 1;
      // The first is over already; the second lives for a moment, so that it has to be renewed.
      return token({ room: 'blue', exp: inSeconds([-100, 4][asked - 1] ?? 600) });
    },
  });
  const renewed: number[] = [];
  ada.on('permissions', ({ expiresInMs }) => renewed.push(expiresInMs));
  const { permissions, expiresInMs } = await ada.start();
  expect(permissions).toContain('signal');
  expect(expiresInMs).toBeLessThan(4_001);
  expect(asked).toBe(2);
  await until('the token is renewed', () => renewed.some((ms) => ms > 60_000));
  expect(asked).toBe(3);
  expect(ada.state.name).toBe('joined');
});

test.each(worlds)(
  'two clients in one process have identities of their own, and one that is started anew finds its own: %s',
  async (_, start) => {
    const world = await start();
    const store = new Map<string, string>();
    const storage = {
      getItem: (key: string) => store.get(key) ?? null,
      setItem: (key: string, value: string) => void store.set(key, value),
      removeItem: (key: string) => void store.delete(key),
    };
    const [ada, twin] = [world.visit('blue', { storage }), world.visit('blue', { storage })];
    const [mine, other] = [await ada.start(), await twin.start()];
    expect(mine.self.who).toMatch(/^[0-9a-f]{32}$/);
    expect(other.self.who).not.toBe(mine.self.who);
    await ada.close();
    expect((await ada.start()).self.who).toBe(mine.self.who);
  },
);
