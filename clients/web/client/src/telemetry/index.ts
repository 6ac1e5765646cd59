/**
 * Tells the server's operator how this client is doing: how long connections take, why they fail, who reaches which peer. An entry of its
 * own: who does not want it does not load it. What is told has no names, addresses, descriptions or candidates in it.
 *
 * @packageDocumentation
 */
import type { SignalingClient } from '../signaling/client.ts';
import type { Clock } from '../signaling/environment.ts';
import type { State } from '../signaling/state.ts';
import type { WelcomeFrame } from '../wire.generated.ts';
import { History, type HistoryStorage, type PastEvent } from './history.ts';
import { type PairFacts, Pairs } from './pairs.ts';
import { type ReportEvent, ReportQueue } from './queue.ts';

export type { HistoryStorage, PastEvent } from './history.ts';
export type { PairFacts } from './pairs.ts';
export type { ReportEvent } from './queue.ts';

/** A peer of a `Room`, as far as it is needed. */
export interface ReportedPeer extends PairFacts {
  /** The path to it, once it is connected. */
  path?(): Promise<{ local: string; rttMs: number | undefined } | undefined>;
}

/** A `Room`, as far as it is needed. */
export interface ReportedRoom {
  /** The connection that reports go over. */
  readonly signaling: SignalingClient;
  /** Those who are in the room. */
  readonly peers: readonly ReportedPeer[];
  /** Something about a peer has changed. */
  on(type: 'peer', listener: (detail: { peer: ReportedPeer }) => void): () => void;
  /** Something has failed. */
  on(type: 'error', listener: (error: { code: string }) => void): () => void;
}

/** What is reported, and how much. */
export interface TelemetryOptions {
  /** `false`: nothing is reported, and nothing kept. Default: true. */
  enabled?: boolean | undefined;
  /** The share of clients that report, from 0 to 1; each decides by chance. Default: 1. */
  sample?: number | undefined;
  /** Where the latest events are kept, for `events` and `export`: by default `localStorage`, where there is one. */
  storage?: HistoryStorage | undefined;
  /** For tests. */
  clock?: Clock | undefined;
  /** For tests: from 0 to 1, evenly. */
  random?: (() => number) | undefined;
}

/** How often round trips are measured. A pair that says nothing for 15 s is believed to have failed, if the other side says so. */
const ROUND_TRIP_MS = 10_000;

const machine: Clock = {
  steady: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

const pageStorage = (): HistoryStorage | undefined => {
  try {
    return (globalThis as { localStorage?: HistoryStorage }).localStorage;
  } catch {
    return undefined; // forbidden
  }
};

/** What reports of a client, or of a room with its pairs. It neither starts nor closes what it listens to. */
export class Telemetry {
  readonly #client: SignalingClient;
  readonly #room: ReportedRoom | undefined;
  readonly #clock: Clock;
  readonly #queue = new ReportQueue();
  readonly #history: History;
  readonly #pairs: Pairs<ReportedPeer>;
  #off: (() => void)[] = [];
  #self = '';
  #joined = false;
  #lostAt: number | undefined;
  #sessionAt: number | undefined;
  #timer: unknown;
  #rounds: unknown;

  /** `reportFrom` is shorter. */
  constructor(source: SignalingClient | ReportedRoom, options: TelemetryOptions = {}) {
    const { enabled = true, sample = 1, storage = pageStorage(), clock = machine, random = Math.random } = options;
    this.#room = 'signaling' in source ? source : undefined;
    this.#client = 'signaling' in source ? source.signaling : source;
    this.#clock = clock;
    this.#history = new History(storage);
    this.#pairs = new Pairs((event) => this.add(event));
    if (enabled && random() < sample) this.#listen();
  }

  /** The latest events in this browser, the oldest first, round trips left out. */
  get events(): PastEvent[] {
    return this.#history.events;
  }

  /** The same as a text, to be sent to whoever looks into it. */
  export(): string {
    return JSON.stringify(
      { exported: new Date(this.#clock.wall()).toISOString(), lost: this.#queue.lost, events: this.events },
      null,
      2,
    );
  }

  /** Reports an event, for who makes the connections to the others without `Room`. */
  add(event: ReportEvent): void {
    if (this.#off.length === 0) return;
    this.#queue.add(event);
    this.#history.add(this.#self, this.#clock.wall(), event);
    this.#arm();
  }

  /** Reports what there is, and no more after that. To be called before the room is left. */
  close(): void {
    if (this.#off.length === 0) return;
    this.#endSession();
    this.#flush(true);
    for (const off of this.#off) off();
    this.#off = [];
    this.#clock.clearTimeout(this.#timer);
    this.#clock.clearTimeout(this.#rounds);
  }

  #listen(): void {
    const client = this.#client;
    const error = ({ code }: { code: string }) => this.add({ kind: 'error', code });
    this.#off = [
      client.on('state', (state) => this.#state(state)),
      client.on('welcome', (frame) => this.#welcomed(frame)),
      client.on('joined', ({ self, complete }) => {
        this.#self = self.id;
        if (!complete) this.#endSession();
        this.#sessionAt ??= this.#clock.steady();
        this.#announce();
      }),
      this.#room ? this.#room.on('error', error) : client.on('error', error),
    ];
    if (this.#room) this.#off.push(this.#room.on('peer', ({ peer }) => this.#peer(peer)));
    const page = globalThis as {
      addEventListener?: EventTarget['addEventListener'];
      removeEventListener?: EventTarget['removeEventListener'];
    };
    const goes = () => {
      this.#endSession();
      this.#flush(true);
    };
    page.addEventListener?.('pagehide', goes);
    this.#off.push(() => page.removeEventListener?.('pagehide', goes));
    // It may have begun before us.
    if (client.welcome) this.#welcomed(client.welcome);
    if (client.joined) {
      this.#self = client.joined.self.id;
      this.#sessionAt = this.#clock.steady();
      this.#joined = client.state.name === 'joined';
    }
    for (const peer of this.#room?.peers ?? []) this.#peer(peer);
    this.#measureLater();
  }

  #welcomed({ features, limits }: WelcomeFrame): void {
    this.#queue.limits(features.includes('report') ? limits.reportIntervalMs : 0, limits.reportEvents);
    const ms = this.#client.connectMs;
    if (ms !== undefined) this.add({ kind: 'opened', ms: Math.round(ms) });
  }

  #since(then: number): number {
    return Math.max(0, Math.round(this.#clock.steady() - then));
  }

  #state(state: State): void {
    const now = this.#clock.steady();
    const wasJoined = this.#joined;
    this.#joined = state.name === 'joined';
    if (state.name === 'joined') {
      if (this.#lostAt !== undefined) this.add({ kind: 'reconnected', ms: this.#since(this.#lostAt) });
      this.#lostAt = undefined;
      this.#arm();
      return;
    }
    if (wasJoined && state.name !== 'closed') this.#lostAt = now;
    if (state.name === 'connecting') {
      if (this.#lostAt !== undefined) this.add({ kind: 'reconnect_attempt' });
    }
    if (state.name === 'closed' && this.#lostAt !== undefined) {
      this.add({ kind: 'reconnect_failed' });
      this.#lostAt = undefined;
    }
  }

  #endSession(): void {
    if (this.#sessionAt !== undefined) this.add({ kind: 'session_ended', ms: this.#since(this.#sessionAt) });
    this.#sessionAt = undefined;
  }

  #peer(peer: ReportedPeer): void {
    const change = this.#pairs.changed(peer, this.#clock.steady());
    if (change === 'renamed') void this.#measurePair(peer);
    if (change !== 'connected') return;
    const connected = (candidate: string) => this.#pairs.connected(peer, candidate, this.#clock.steady());
    const path = peer.path?.() ?? Promise.resolve(undefined);
    path.then((found) => connected(found?.local ?? 'other')).catch(() => connected('other'));
  }

  /** The server is told of what stands: we may have another name by now. */
  #announce(): void {
    for (const peer of this.#pairs.standing) void this.#measurePair(peer);
  }

  #measureLater(): void {
    this.#rounds = this.#clock.setTimeout(() => {
      this.#measure();
      this.#measureLater();
    }, ROUND_TRIP_MS);
  }

  #measure(): void {
    if (!this.#joined) return;
    this.#client.ping().then(
      (ms) => this.add({ kind: 'round_trip', ms: Math.round(ms) }),
      () => {}, // it is lost, which is told
    );
    this.#announce();
  }

  async #measurePair(peer: ReportedPeer): Promise<void> {
    if (peer.state !== 'connected') return;
    const path = await peer.path?.().catch(() => undefined);
    // Not measured yet: the next time.
    if (path?.rttMs !== undefined) this.add({ kind: 'pair_round_trip', peer: peer.id, ms: Math.round(path.rttMs) });
  }

  #arm(): void {
    this.#clock.clearTimeout(this.#timer);
    const dueIn = this.#joined ? this.#queue.dueIn(this.#clock.steady()) : Infinity;
    if (dueIn !== Infinity) this.#timer = this.#clock.setTimeout(() => this.#flush(), dueIn);
  }

  /** `last`: the stay is about to end. The server takes one report sooner than it says, for that. */
  #flush(last = false): void {
    if (!this.#joined || this.#queue.dueIn(this.#clock.steady()) === Infinity) return;
    const events = this.#queue.take(this.#clock.steady(), last);
    // What is refused is not sent again: there will be more to tell.
    this.#client.request({ type: 'report', events }).catch(() => {});
    this.#arm();
  }
}

/**
 * Reports how `source` is doing, a `Room` or a `SignalingClient`, until `close`.
 *
 * @example
 * ```ts
 * const telemetry = reportFrom(room, { sample: 0.1 });
 * ```
 */
export const reportFrom = (source: SignalingClient | ReportedRoom, options?: TelemetryOptions): Telemetry =>
  new Telemetry(source, options);
