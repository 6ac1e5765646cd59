// What is reported, how often and how much of it: in a time of its own, and to the real server.

import { describe, expect, onTestFinished, test } from 'vitest';
import type { SignalingClient } from '../src/signaling/index.ts';
import { History, type HistoryStorage } from '../src/telemetry/history.ts';
import {
  type ReportedPeer,
  type ReportedRoom,
  reportFrom,
  type Telemetry,
  type TelemetryOptions,
} from '../src/telemetry/index.ts';
import { Pairs } from '../src/telemetry/pairs.ts';
import { type ReportEvent, ReportQueue } from '../src/telemetry/queue.ts';
import { pathTo, startServer, until, visit } from './support/real.ts';
import { operatorOf } from './support/reporting-pages.ts';

const attempt = (peer: string): ReportEvent => ({ kind: 'pair_attempt', peer });

/** A storage as browsers have it. */
class Storage implements HistoryStorage {
  readonly texts = new Map<string, string>();
  getItem = (key: string) => this.texts.get(key) ?? null;
  setItem = (key: string, text: string) => void this.texts.set(key, text);
}

/** A peer of a room whose connections are made by the test. */
class Peer implements ReportedPeer {
  presence = 'here';
  state = 'new';
  unreachable: { reason: string } | undefined;
  connection: unknown = {};
  id: string;
  constructor(id: string) {
    this.id = id;
  }
  path = async () => ({ local: 'host', rttMs: 4 });
}

describe('the queue', () => {
  test('one report in so much time, and so many events in it', () => {
    const queue = new ReportQueue();
    for (let n = 0; n < 5; n += 1) queue.add(attempt(`${n}`));
    expect(queue.dueIn(0)).toBe(Infinity); // nobody has said that reports are taken
    queue.limits(5_000, 3);
    expect(queue.dueIn(0)).toBe(250);
    expect(queue.take(250)).toHaveLength(3);
    expect(queue.dueIn(250)).toBe(5_250);
    expect(queue.dueIn(5_400)).toBe(250);
    expect(queue.take(5_500)).toEqual([attempt('3'), attempt('4')]);
    expect(queue.dueIn(5_500)).toBe(Infinity);
  });

  test('what waits is bounded: the oldest goes, and is counted', () => {
    const queue = new ReportQueue();
    queue.limits(5_000, 1_000);
    for (let n = 0; n < 1_000; n += 1) queue.add(attempt(`${n}`));
    expect(queue.lost).toBe(744);
    const events = queue.take(0);
    expect([events.length, events[0]]).toEqual([256, attempt('744')]);
  });

  test('the last report is made of the newest events', () => {
    const queue = new ReportQueue();
    queue.limits(5_000, 3);
    for (let n = 0; n < 5; n += 1) queue.add(attempt(`${n}`));
    expect(queue.take(0, true)).toEqual([attempt('2'), attempt('3'), attempt('4')]);
  });

  test('where none are taken nothing waits', () => {
    const queue = new ReportQueue();
    queue.add(attempt('a'));
    queue.limits(0, 32);
    expect([queue.dueIn(0), queue.take(0)]).toEqual([Infinity, []]);
  });
});

describe('the pairs', () => {
  const told: ReportEvent[] = [];
  const watched = () => {
    told.length = 0;
    return { pairs: new Pairs<Peer>((event) => told.push(event)), peer: new Peer('bob') };
  };
  const kinds = () => told.map(({ kind }) => kind);

  test('an attempt, the connection and what it took', () => {
    const { pairs, peer } = watched();
    expect(pairs.changed(peer, 0)).toBe(undefined);
    peer.state = 'connecting';
    pairs.changed(peer, 100);
    peer.state = 'connected';
    expect(pairs.changed(peer, 740)).toBe('connected');
    pairs.connected(peer, 'srflx', 740);
    expect(pairs.changed(peer, 800)).toBe(undefined);
    expect(told).toEqual([attempt('bob'), { kind: 'pair_connected', peer: 'bob', ms: 640, candidate: 'srflx' }]);
    expect(pairs.standing).toEqual([peer]);
  });

  test('one that is lost has failed, is restarted, and at last cannot be made', () => {
    const { pairs, peer } = watched();
    peer.state = 'connected';
    pairs.changed(peer, 0);
    pairs.connected(peer, 'host', 0);
    for (const state of ['disconnected', 'failed', 'failed', 'connecting', 'failed']) {
      peer.state = state;
      pairs.changed(peer, 10);
    }
    peer.unreachable = { reason: 'no_answer' };
    pairs.changed(peer, 20);
    pairs.changed(peer, 30);
    expect(kinds()).toEqual(['pair_attempt', 'pair_connected', 'pair_failed', 'pair_restarted', 'pair_failed', 'pair_failed']);
    expect(told.at(-1)).toEqual({ kind: 'pair_failed', peer: 'bob', reason: 'no_answer' });
    expect(pairs.standing).toEqual([]);
  });

  test('another connection is another attempt, and another id of a peer that is connected is worth a word', () => {
    const { pairs, peer } = watched();
    peer.state = 'connected';
    pairs.changed(peer, 0);
    pairs.connected(peer, 'host', 0);
    peer.id = 'bob again';
    expect(pairs.changed(peer, 5)).toBe('renamed');
    peer.connection = {};
    expect(pairs.changed(peer, 10)).toBe('connected');
    expect(told.at(-1)).toEqual(attempt('bob again'));
    peer.presence = 'gone';
    pairs.changed(peer, 20);
    expect(pairs.standing).toEqual([]);
  });
});

describe('the history', () => {
  test('the latest are kept where others find them, round trips are not', () => {
    const storage = new Storage();
    const history = new History(storage);
    for (let n = 0; n < 300; n += 1) history.add('ada', n, attempt(`${n}`));
    history.add('ada', 300, { kind: 'round_trip', ms: 3 });
    const found = new History(storage).events;
    expect([found.length, found[0], found.at(-1)?.at]).toEqual([
      200,
      { at: '1970-01-01T00:00:00.100Z', self: 'ada', ...attempt('100') },
      '1970-01-01T00:00:00.299Z',
    ]);
  });

  test('rooms that a former version has kept are named to nobody', () => {
    const storage = new Storage();
    storage.setItem(
      'switchboard.attempts',
      JSON.stringify([{ at: '1970-01-01T00:00:00.000Z', room: 'secret', ...attempt('a') }]),
    );
    const history = new History(storage);
    expect(JSON.stringify(history.events)).not.toContain('secret');
    history.add('ada', 0, attempt('b'));
    expect([...storage.texts.values()].join()).not.toContain('secret');
  });

  test('a storage that is full, forbidden or somebody else’s breaks nothing', () => {
    const broken = {
      getItem: () => '{"not": "ours"',
      setItem: () => {
        throw new Error('full');
      },
    };
    const history = new History(broken);
    history.add('ada', 0, attempt('a'));
    history.add('ada', 1, attempt('b'));
    expect(history.events.map(({ at }) => at)).toEqual(['1970-01-01T00:00:00.000Z', '1970-01-01T00:00:00.001Z']);
  });
});

/** A room over a client, whose connections are made by the test. */
class FakeRoom implements ReportedRoom {
  readonly signaling: SignalingClient;
  readonly all = new Map<string, Peer>();
  #listeners: ((detail: { peer: Peer }) => void)[] = [];

  constructor(client: SignalingClient) {
    this.signaling = client;
  }

  get peers(): Peer[] {
    return [...this.all.values()];
  }

  on(type: 'peer' | 'error', listener: (detail: never) => void): () => void {
    if (type === 'error') return this.signaling.on('error', listener as (error: { code: string }) => void);
    this.#listeners.push(listener as (detail: { peer: Peer }) => void);
    return () => {
      this.#listeners = [];
    };
  }

  /** How it stands with that peer from now on. */
  set(id: string, facts: Partial<Peer>): void {
    const peer = this.all.get(id) ?? new Peer(id);
    this.all.set(id, peer);
    Object.assign(peer, facts);
    for (const listener of this.#listeners) listener({ peer });
  }
}

/** So often may be reported here: a test does not wait for five seconds each time. */
const OFTEN = { SWITCHBOARD__LIMITS__REPORT_INTERVAL_MS: '1000' };

const reporting = (source: SignalingClient | ReportedRoom, options: TelemetryOptions = {}): Telemetry => {
  const telemetry = reportFrom(source, { storage: new Storage(), ...options });
  onTestFinished(() => telemetry.close());
  return telemetry;
};

test('three, two of which do not reach each other: metrics, matrix and the fracture are what they say', async () => {
  const server = await startServer(OFTEN);
  const { metric, mesh } = operatorOf(server);
  const rooms = ['ada', 'bob', 'cid'].map((name) => new FakeRoom(visit(server.url, 'blue', { meta: { name } })));
  const joined = await Promise.all(rooms.map((room) => room.signaling.start()));
  const [ada, bob, cid] = joined.map(({ self }) => self.id) as [string, string, string];
  const [adas, bobs, cids] = rooms as [FakeRoom, FakeRoom, FakeRoom];
  for (const room of rooms) reporting(room);
  const began = Date.now();
  const pair = (one: FakeRoom, other: FakeRoom, ids: [string, string], facts: Partial<Peer>) => {
    one.set(ids[1], { state: 'connecting' });
    other.set(ids[0], { state: 'connecting' });
    one.set(ids[1], facts);
    other.set(ids[0], facts);
  };
  pair(adas, bobs, [ada, bob], { state: 'connected' });
  pair(bobs, cids, [bob, cid], { state: 'connected' });
  pair(adas, cids, [ada, cid], { state: 'failed', unreachable: { reason: 'ice_failed' } });

  await until('all is reported', async () => (await metric('client_events_total{kind="pair_attempt"}')) === 6);
  await until('all is counted', async () => (await metric('mesh_pairs{state="connected"}')) === 2);
  expect(await metric('pair_connections_total{candidate="host"}')).toBe(4);
  expect(await metric('pair_failures_total{reason="ice_failed"}')).toBe(2);
  expect(await metric('client_events_total{kind="opened"}')).toBe(3);
  expect(await metric('client_connect_seconds_count')).toBe(3);
  const { pairs } = await mesh('blue');
  const states = pairs.map(({ peers, state, told }) => ({ peers, state, said: told.length }));
  const [first, second, third] = [ada, bob, cid].sort((a, b) => order(joined, a) - order(joined, b)) as [
    string,
    string,
    string,
  ];
  const state = (a: string, b: string) => ([a, b].includes(bob) ? 'connected' : 'failed');
  expect(states).toEqual(
    [
      [first, second],
      [first, third],
      [second, third],
    ].map((peers) => ({ peers, state: state(peers[0]!, peers[1]!), said: 2 })),
  );

  await until('the room is fractured', async () => (await metric('mesh_rooms{state="fractured"}')) === 1, 25_000);
  expect(Date.now() - began).toBeLessThan(20_000);
  const seen = (await mesh('blue')).peers.map(({ id, reaches, fractured }) => ({ id, reaches, fractured }));
  expect(new Set(seen)).toEqual(
    new Set([
      { id: ada, reaches: 1, fractured: true },
      { id: bob, reaches: 2, fractured: false },
      { id: cid, reaches: 1, fractured: true },
    ]),
  );
  for (const [room, id] of [
    [adas, cid],
    [cids, ada],
  ] as const)
    room.set(id, { state: 'connected', unreachable: undefined });
  await until('the room is whole again', async () => (await metric('mesh_rooms{state="fractured"}')) === 0);
  await until('round trips are measured', async () => (await metric('pair_rtt_seconds_count')) >= 6, 15_000);
  expect(await metric('client_signaling_rtt_seconds_count')).toBeGreaterThan(0);
  expect(await metric('limit_hits_total{limit="report_interval"}')).toBe(0);
});

/** The place in which somebody joined: who joined later has seen more peers. */
const order = (joined: { self: { id: string }; peers?: unknown[] }[], id: string): number =>
  joined.find(({ self }) => self.id === id)?.peers?.length ?? 0;

test('a cut, a failure and the end of a session are told, also to whoever exports it', async () => {
  const server = await startServer({ SWITCHBOARD__LIMITS__REPORT_INTERVAL_MS: '10' });
  const { metric } = operatorOf(server);
  const path = await pathTo(server);
  const client = visit(path.url, 'blue');
  const telemetry = reporting(client);
  await client.start();
  await client.ping();
  path.cut();
  await until('in the room again', () => {
    client.retryNow();
    return client.state.name === 'joined' && client.state.resumed;
  });
  await client.signal('0'.repeat(32), 'app', 1).catch(() => {});
  await until('the way back is counted', async () => (await metric('client_events_total{kind="reconnected"}')) === 1);
  await until('the failure is counted', async () => (await metric('client_errors_total{code="peer_not_found"}')) === 1);
  expect(await metric('client_events_total{kind="reconnect_attempt"}')).toBeGreaterThan(0);
  expect(await metric('client_outage_seconds_count')).toBe(1);
  telemetry.close();
  await until('the end of the session is counted', async () => (await metric('client_session_seconds_count')) === 1);
  const { events } = JSON.parse(telemetry.export()) as { events: ReportEvent[] };
  const kinds = events.map(({ kind }) => kind);
  expect(kinds).toEqual(expect.arrayContaining(['opened', 'reconnect_attempt', 'reconnected', 'error', 'session_ended']));
  expect(telemetry.export()).not.toContain('sdp');
});

test('an export names no room', async () => {
  const server = await startServer(OFTEN);
  const client = visit(server.url, 'a-room-whose-name-is-its-key');
  const storage = new Storage();
  const telemetry = reporting(client, { storage });
  const { self } = await client.start();
  telemetry.add({ kind: 'reconnect_attempt' });
  expect(telemetry.export()).toContain(self.id);
  for (const text of [telemetry.export(), ...storage.texts.values()]) expect(text).not.toContain('whose-name');
});

test('the end of a stay is told though a report has just gone, and many events wait; what is refused is no trouble of the room', async () => {
  // So long that it does not pass during the test, however slow the machine is.
  const server = await startServer({ SWITCHBOARD__LIMITS__REPORT_INTERVAL_MS: '60000' });
  const { metric } = operatorOf(server);
  const client = visit(server.url, 'blue');
  const errors: unknown[] = [];
  client.on('error', (error) => errors.push(error));
  const telemetry = reporting(client);
  await client.start();
  await until('a report has gone', async () => (await metric('client_events_total{kind="opened"}')) === 1);
  for (let n = 0; n < 100; n += 1) telemetry.add({ kind: 'reconnect_attempt' });
  telemetry.close();
  await until('the end is counted', async () => (await metric('client_session_seconds_count')) === 1);
  const more = client.request({ type: 'report', events: [{ kind: 'reconnect_attempt' }] });
  await expect(more).rejects.toMatchObject({ code: 'rate_limited' });
  expect(errors).toEqual([]);
});

test('who does not want it, or is not in the sample, sends nothing and keeps nothing; nor does who meets a server without it', async () => {
  const server = await startServer(OFTEN);
  const { metric } = operatorOf(server);
  const quiet = [{ enabled: false }, { sample: 0.5, random: () => 0.5 }];
  const clients = quiet.map(() => visit(server.url, 'blue'));
  const telemetries = clients.map((client, at) => reporting(client, quiet[at]));
  await Promise.all(clients.map((client) => client.start()));
  const loud = visit(server.url, 'red');
  reporting(loud, { sample: 0.5, random: () => 0.49 });
  await loud.start();
  await until('one reports', async () => (await metric('client_events_total{kind="opened"}')) === 1);
  expect(await metric('messages_total{direction="in",type="report"}')).toBe(1);
  expect(telemetries.map(({ events }) => events)).toEqual([[], []]);

  const without = await startServer({ SWITCHBOARD__LIMITS__REPORT_INTERVAL_MS: '0' });
  const client = visit(without.url, 'blue');
  const telemetry = reporting(client);
  await client.start();
  telemetry.add({ kind: 'reconnect_attempt' });
  await client.ping();
  expect(await operatorOf(without).metric('messages_total{direction="in",type="report"}')).toBe(0);
});
