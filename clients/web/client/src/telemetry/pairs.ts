// What becomes of the connections to the others, as events to report. Without a browser and without a clock.

import type { CandidateType, Open, PairFailure } from '../wire.generated.ts';
import type { ReportEvent } from './queue.ts';

/** How it stands with a peer of a `Room`, as far as it is needed. */
export interface PairFacts {
  /** Its id in the room. */
  id: string;
  /** Whether it is in the room: `gone` ends what is known of it. */
  presence: string;
  /** That of the `RTCPeerConnection`. */
  state: string;
  /** Why there is no connection, and none is tried. */
  unreachable?: { reason: string } | undefined;
  /** The connection between the two: another one is another attempt. */
  connection?: unknown;
}

interface Pair {
  id: string;
  connection: unknown;
  /** What was last told of it. */
  told: 'attempt' | 'connected' | 'failed';
  reason?: string;
  begunAt: number;
}

/** By peer, whatever stands for one. `now` in milliseconds. */
export class Pairs<Peer extends PairFacts> {
  readonly #pairs = new Map<Peer, Pair>();
  readonly #tell: (event: ReportEvent) => void;

  constructor(tell: (event: ReportEvent) => void) {
    this.#tell = tell;
  }

  /**
   * Something about a peer has changed. `connected`: it is as of now, and the method of that name wants to know by which path. `renamed`: it
   * still is, and the server knows nothing of that under the new id.
   */
  changed(peer: Peer, now: number): 'connected' | 'renamed' | undefined {
    if (peer.presence === 'gone') {
      this.#pairs.delete(peer);
      return undefined;
    }
    const pair = this.#pairs.get(peer);
    const { id, state, connection } = peer;
    const renamed = pair !== undefined && pair.id !== id;
    if (renamed) pair.id = id;
    if (peer.unreachable) {
      this.#fail(pair ?? this.#begin(peer, now), peer.unreachable.reason);
      return undefined;
    }
    if (state === 'connecting' || state === 'connected') {
      const known = pair && (connection === undefined || pair.connection === connection);
      const current = known ? pair : this.#begin(peer, now);
      if (current.told === 'failed') {
        current.told = 'attempt';
        current.begunAt = now;
        this.#tell({ kind: 'pair_restarted', peer: id });
      }
      if (state !== 'connected') return undefined;
      if (current.told !== 'connected') return 'connected';
      return renamed ? 'renamed' : undefined;
    }
    // It may come back; until it does, nobody is reached by it.
    if (state === 'failed' && pair) this.#fail(pair, 'ice_failed');
    return undefined;
  }

  /** It is connected, by that path. */
  connected(peer: Peer, candidate: Open<CandidateType>, now: number): void {
    const pair = this.#pairs.get(peer);
    if (!pair || pair.told === 'connected') return;
    pair.told = 'connected';
    const ms = Math.max(0, Math.round(now - pair.begunAt));
    this.#tell({ kind: 'pair_connected', peer: pair.id, ms, candidate: candidate as CandidateType });
  }

  /** Those of which it was told that they are connected. */
  get standing(): Peer[] {
    return [...this.#pairs].filter(([, { told }]) => told === 'connected').map(([peer]) => peer);
  }

  #begin(peer: Peer, now: number): Pair {
    const pair: Pair = { id: peer.id, connection: peer.connection, told: 'attempt', begunAt: now };
    this.#pairs.set(peer, pair);
    this.#tell({ kind: 'pair_attempt', peer: peer.id });
    return pair;
  }

  #fail(pair: Pair, reason: string): void {
    if (pair.told === 'failed' && pair.reason === reason) return;
    pair.told = 'failed';
    pair.reason = reason;
    this.#tell({ kind: 'pair_failed', peer: pair.id, reason: reason as PairFailure });
  }
}
