// The server of the entry `testing` does as the real one: both take and refuse the documented frames, and in the same play everybody
// hears the same from either.

import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import type { SocketClass } from '../src/signaling/index.ts';
import {
  DEFAULT_LIMITS,
  type Frame,
  type Grant,
  TestClock,
  TestServer,
  type TestServerOptions,
  whoOf,
} from '../src/testing/index.ts';
import { startServer, until } from './support/real.ts';

/** A server of either kind. */
interface World {
  url: string;
  WebSocket: SocketClass;
  /** In memory time passes when it is told to: what is on its way arrives. */
  settle?: () => Promise<void>;
  /** A token that grants this to that user, in any room. */
  token(user: string, permissions: string[]): string;
}

const grantOf = (token: string | undefined): Grant | 'unauthorized' => {
  if (token === undefined) return {};
  return token.startsWith('{') ? (JSON.parse(token) as Grant) : 'unauthorized';
};
const inMemory = (options: TestServerOptions = {}): World => {
  const clock = new TestClock();
  const server = new TestServer({ ...options, clock, tokens: grantOf });
  return {
    url: server.url,
    WebSocket: server.WebSocket,
    settle: () => clock.passing(100),
    token: (user, permissions) => JSON.stringify({ user, permissions, expiresInMs: 3_600_000 } satisfies Grant),
  };
};

async function real(settings: Record<string, string> = {}): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-testing-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const secret = randomBytes(48).toString('base64');
  const file = join(home, 'tokens.secret');
  writeFileSync(file, secret, { mode: 0o600 });
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (sub: string, perms: string[]) => {
    const claims = { room_prefix: 'r', sub, perms, exp: Math.floor(Date.now() / 1000) + 3_600 };
    const body = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  };
  const server = await startServer({
    SWITCHBOARD__AUTH__KEYS: JSON.stringify([{ algorithm: 'HS256', file }]),
    ...settings,
  });
  return { url: new URL('ws', server.url).href.replace('http', 'ws'), WebSocket: WebSocket as unknown as SocketClass, token };
}

/** A connection with nothing but what a browser's WebSocket can do. */
async function connect({ url, WebSocket: Socket, settle }: World) {
  const socket = new Socket(url, ['switchboard.v1']);
  const frames: Frame[] = [];
  let code: number | undefined;
  socket.onmessage = ({ data }: { data: string }) => frames.push(JSON.parse(data));
  socket.onclose = (event: { code: number }) => {
    code = event.code;
  };
  socket.onerror = () => {};
  onTestFinished(() => socket.close());
  const receive = async (what: string, fits: (frame: Frame) => boolean) =>
    (await until(what, async () => {
      await settle?.();
      return frames.find(fits);
    })) as Frame;
  await receive('welcome', ({ type }) => type === 'welcome');
  return {
    frames,
    receive,
    get code() {
      return code;
    },
    send: (frame: Frame | string) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    close: (code: number) => socket.close(code),
  };
}
type Connection = Awaited<ReturnType<typeof connect>>;

const FOLDER = new URL('../../../../tests/fixtures/protocol/', import.meta.url);
const fixtures = (folder: string): [string, Frame][] =>
  readdirSync(new URL(folder, FOLDER)).map((name) => [
    name.replace('.json', ''),
    JSON.parse(readFileSync(new URL(`${folder}/${name}`, FOLDER), 'utf8')),
  ]);

const worlds: [string, () => World | Promise<World>][] = [
  ['in memory', () => inMemory()],
  ['real', () => real()],
];

test.each(worlds)('what is documented as invalid is refused with its code, and nothing is lost by it: %s', async (_, world) => {
  const here = await world();
  const all = fixtures('invalid');
  // Not all at once: the real one has a pace.
  for (let from = 0; from < all.length; from += 100) {
    const connection = await connect(here);
    for (const [name, { text, frame, id, code }] of all.slice(from, from + 100)) {
      const before = connection.frames.length;
      connection.send(text ?? JSON.stringify(frame));
      await connection.receive(`an answer to ${name}`, () => connection.frames.length > before);
      const answer = connection.frames.at(-1);
      expect([name, answer?.['type'], answer?.['code'], answer?.['re']]).toEqual([name, 'error', code, id]);
    }
    connection.send({ type: 'ping', id: 'still' });
    await connection.receive('a pong', ({ re }) => re === 'still');
  }
});

test.each(worlds)('what is documented as a client’s frame is understood: %s', async (_, world) => {
  const here = await world();
  for (const [name, frame] of fixtures('client')) {
    const connection = await connect(here);
    if (frame['type'] !== 'join') {
      connection.send({ type: 'join', id: 'in', room: 'r', resumable: true });
      await connection.receive('joined', ({ type }) => type === 'joined');
    }
    connection.send(frame);
    connection.send({ type: 'ping', id: 'after' });
    await connection.receive('a pong', ({ type, re }) => type === 'pong' && re === 'after');
    // An acknowledgement of what was never sent is understood, and wrong.
    if (name === 'ping_ack') continue;
    const bad = connection.frames.filter(({ code }) => code === 'invalid_message' || code === 'unknown_type');
    expect([name, bad]).toEqual([name, []]);
    connection.close(1000);
  }
});

test('its limits, features and hash are the real ones', async () => {
  const [ours, theirs] = await Promise.all([connect(inMemory()), real().then(connect)]);
  const welcome = ({ frames }: Connection) => frames.find(({ type }) => type === 'welcome') as Frame;
  expect(DEFAULT_LIMITS).toEqual(welcome(theirs)['limits']);
  expect(Object.keys(welcome(ours)).sort()).toEqual([...new Set([...Object.keys(welcome(theirs)), 'node'])].sort());
  const features = new Set(welcome(theirs)['features']);
  expect(welcome(ours)['features'].filter((feature: string) => !features.has(feature))).toEqual([]);
  expect(whoOf('correct-horse-battery-staple-417', 'team-standup')).toBe('af4ed5336492ea0680adb40e68cbdf0b');
});

/** What one does in a play; `$ada` in it is that peer's id, and `$ada.token` its latest resume token. */
type Line = { who: string; says: Frame } | { who: string; connects: true } | { who: string; closes: number };
const says = (who: string, says: Frame): Line => ({ who, says });
const comes = (who: string): Line => ({ who, connects: true });
const goes = (who: string, closes: number): Line => ({ who, closes });

const IDENTITY = 'correct-horse-battery-staple-417';
const enters = (who: string, more: Frame = {}): Line[] => [
  comes(who),
  says(who, { type: 'join', id: `join-${who}`, room: 'r', ...more }),
];
const app = (who: string, to: unknown, data: unknown): Line =>
  says(who, { type: 'signal', id: `to-${String(to)}`, to, kind: 'app', data });

const PLAYS: { [name: string]: { lines: (world: World) => Line[]; seats?: number } } = {
  'coming, talking and going': {
    lines: () => [
      ...enters('ada', { meta: { name: 'Ada' } }),
      ...enters('grace'),
      ...enters('joan', { identity: IDENTITY }),
      app('ada', '*', 'hello, all'),
      app('grace', '$ada', { only: 'you' }),
      app('grace', ['$ada', '$joan', '$ada', 'nobody', '$grace'], [1]),
      says('joan', { type: 'signal', id: 's', to: '$ada', kind: 'candidate', data: null }),
      says('ada', { type: 'update', id: 'u', meta: { name: 'Countess' } }),
      says('joan', { type: 'join', id: 'again', room: 'r' }),
      says('grace', { type: 'ice', id: 'i' }),
      says('grace', { type: 'kick', id: 'k', peer: '$ada' }),
      says('grace', { type: 'lock', id: 'l', locked: true }),
      says('ada', { type: 'leave', id: 'bye' }),
      says('ada', { type: 'signal', id: 'outside', to: '*', kind: 'app', data: 1 }),
      says('ada', { type: 'join', id: 'back', room: 'r' }),
      goes('grace', 1000),
    ],
  },
  'a full room': {
    seats: 2,
    lines: () => [
      ...enters('ada'),
      ...enters('grace'),
      ...enters('joan'),
      says('ada', { type: 'leave' }),
      says('joan', { type: 'join', id: '2', room: 'r' }),
    ],
  },
  'a connection that is lost, and comes back': {
    lines: () => [
      ...enters('ada', { resumable: true }),
      ...enters('grace'),
      says('ada', { type: 'ping', id: 'p', ack: 0 }),
      app('ada', '$grace', 1),
      goes('ada', 4100),
      app('grace', '$ada', 2),
      ...enters('joan'),
      app('joan', '$ada', 3),
      comes('ada'),
      says('ada', { type: 'join', id: 'resume', room: 'r', attempt: 1, resume: { token: '$ada.token', ack: 1 } }),
      says('ada', { type: 'ping', id: 'q', ack: 1 }),
      app('ada', '*', 4),
      goes('ada', 4100),
      comes('ada'),
      says('ada', { type: 'join', id: 'bad', room: 'r', attempt: 1, resume: { token: 'none', ack: 0 } }),
    ],
  },
  'somebody who takes the own place': {
    seats: 2,
    lines: () => [
      ...enters('grace'),
      ...enters('ada', { resumable: true, identity: IDENTITY, meta: { n: 1 } }),
      says('ada', { type: 'ping', id: 'p', ack: 0 }),
      goes('ada', 4100),
      ...enters('ada', { identity: IDENTITY, meta: { n: 2 } }),
      ...enters('twin', { identity: IDENTITY, replace: true }),
    ],
  },
  'who may, and who may not': {
    lines: ({ token }) => [
      ...enters('admin', { token: token('admin@example.org', ['join', 'signal', 'admin']), identity: IDENTITY }),
      ...enters('ada', { token: token('ada', ['join', 'broadcast', 'update']) }),
      ...enters('grace', { token: token('grace', ['signal']) }),
      ...enters('joan', { identity: `${IDENTITY}-joan` }),
      app('ada', '*', 'may'),
      app('ada', '$admin', 'may not'),
      app('admin', '*', 'may not'),
      says('admin', { type: 'update', id: 'u', meta: {} }),
      says('ada', { type: 'update', id: 't', token: token('ada', ['signal']) }),
      says('ada', { type: 'update', id: 'v', token: token('grace', ['signal']) }),
      says('admin', { type: 'lock', id: 'l', locked: true }),
      says('grace', { type: 'join', id: 'locked', room: 'r' }),
      says('admin', { type: 'lock', id: 'm', locked: true }),
      says('admin', { type: 'lock', id: 'n', locked: false }),
      says('admin', { type: 'kick', id: 'k', user: 'ada', reason: 'out' }),
      says('admin', { type: 'kick', id: 'x', who: 'f'.repeat(32) }),
      says('admin', { type: 'kick', id: 'y', peer: 'f'.repeat(32) }),
      says('admin', { type: 'kick', id: 'z', peer: '$joan', banMs: 60_000 }),
      ...enters('joan', { identity: `${IDENTITY}-joan` }),
    ],
  },
};

/** A reply to `lock` or `kick`, and the news of it, come in either order. */
const byChance = (a: Frame, b: Frame): number => {
  const isNews = ({ heard }: Frame) => ['room_state', 'kicked'].includes(heard?.type);
  return isNews(a) && isNews(b) && a['by'] === b['by'] ? Number('re' in a['heard']) - Number('re' in b['heard']) : 0;
};

/** What everybody hears, line by line, without what is by chance. */
async function play(world: World, lines: Line[], expected?: Frame[][]): Promise<Frame[][]> {
  const cast = new Map<string, Connection>();
  const everybody: { who: string; connection: Connection; told: number; closed: boolean }[] = [];
  const values = new Map<string, string>();
  const names = new Map<string, string>();
  const known = (value: unknown): unknown => {
    if (typeof value === 'string') return value.startsWith('$') ? (values.get(value) ?? value) : value;
    if (Array.isArray(value)) return value.map(known);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, known(inner)]));
  };
  const plain = (value: unknown, name = ''): unknown => {
    if (name === 'token' || name === 'message') return name;
    if (['until', 'retryAfterMs', 'expiresInMs'].includes(name)) return typeof value;
    if (typeof value === 'string' && /^[0-9a-f]{32}$/.test(value) && name !== 'who') {
      if (!names.has(value)) names.set(value, `id-${names.size}`);
      return names.get(value);
    }
    // The peers of an error are in no order.
    if (name === 'peers' && typeof (value as unknown[])[0] === 'string')
      return (value as unknown[]).map((one) => plain(one)).sort();
    if (Array.isArray(value)) return value.map((one) => plain(one, name));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).filter(([field]) => field !== 'iceTtlMs');
    return Object.fromEntries(entries.map(([field, inner]) => [field, plain(inner, field)]));
  };
  const heardNow = () => everybody.reduce((sum, { connection, told }) => sum + connection.frames.length - told, 0);
  const endedNow = () => everybody.filter(({ connection, closed }) => connection.code !== undefined && !closed).length;
  const out: Frame[][] = [];
  for (const [at, line] of lines.entries()) {
    if ('connects' in line) {
      const connection = await connect(world);
      cast.set(line.who, connection);
      everybody.push({ who: line.who, connection, told: 1, closed: false });
    } else if ('says' in line) cast.get(line.who)?.send(known(line.says) as Frame);
    else cast.get(line.who)?.close(line.closes);
    // In memory all is there at once; of the real one as much is awaited.
    const due = expected?.[at];
    const count = (kind: 'heard' | 'ended') => due?.filter((one) => kind in one).length ?? 0;
    if (!due) await world.settle?.();
    else
      await until(
        `line ${at}: ${JSON.stringify(line)} → ${JSON.stringify(due)}`,
        () => heardNow() >= count('heard') && endedNow() >= count('ended'),
      );
    const heard: Frame[] = [];
    for (const one of everybody) {
      const { who, connection } = one;
      for (const frame of connection.frames.slice(one.told)) {
        if (frame['type'] === 'joined') {
          values.set(`$${who}`, frame['self'].id);
          if (frame['resume']) values.set(`$${who}.token`, frame['resume'].token);
        }
        heard.push({ by: who, heard: plain(frame) });
      }
      one.told = connection.frames.length;
      if (connection.code === undefined || one.closed) continue;
      one.closed = true;
      heard.push({ by: who, ended: connection.code });
    }
    out.push(heard.sort(byChance));
  }
  return out;
}

test.each(Object.entries(PLAYS))('the same is heard from both: %s', async (_, { lines, seats }) => {
  const ours = inMemory({ limits: { ...(seats && { peersPerRoom: seats }) } });
  const theirs = await real(seats ? { SWITCHBOARD__LIMITS__PEERS_PER_ROOM: String(seats) } : {});
  const said = await play(ours, lines(ours));
  const heard = await play(theirs, lines(theirs), said);
  const told = (script: Frame[][]) => script.map((frames, at) => [JSON.stringify(lines(ours)[at]).slice(0, 60), ...frames]);
  expect(told(said)).toEqual(told(heard));
  expect(said.flat().length).toBeGreaterThan(7);
});
