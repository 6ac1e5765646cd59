// When a connection between two peers is made anew, and when that is given up. Without a browser and without a clock.

import { LATE_MS } from '../signaling/liveness.ts';

/** By default: a connection that is not there by then gets another try. The W3C's ICE may check for ever where nothing answers. */
export const ICE_TIMEOUT_MS = 15_000;
/** Tries after the first one, before the peer is called unreachable. */
const ATTEMPTS = 3;
/** The polite side leaves the first move to the other for so long. */
const GRACE_MS = 5_000;
/** A peer that closes its connection is mostly about to leave, which is heard of in a moment. */
const CLOSED_MS = 1_000;
/** A connection that was up for a shorter time has not ended the trouble. */
const STABLE_MS = 10_000;
/**
 * So many connections a peer may have us make anew in so much time. A page that is reloaded wants one, and two that look for each other
 * a few; each costs a browser a good deal.
 */
export const DEMANDS = 5;
export const DEMANDS_MS = 10_000;

/**
 * Why a peer cannot be reached.
 *
 * - `no_answer`: it answers none of our offers.
 * - `ice_failed`: all paths were tried, and none works: most likely a TURN server is needed.
 * - `ice_timeout`: no path was found in time.
 * - `negotiation_failed`: a browser could not work with the other's description; or ours makes no such connection (ICE servers or channel
 *   options that it does not take, which `cause` says).
 * - `over_capacity`: we have as many connections as the room has seats.
 */
export type UnreachableReason = 'no_answer' | 'ice_failed' | 'ice_timeout' | 'negotiation_failed' | 'over_capacity';

/**
 * What is to be done: `restart` (new paths for the same connection), `rebuild` (another connection), `give_up` (there is none any
 * more), `unanswered` (the connection is up, but what was to be changed about it gets no answer).
 */
export type Action = 'restart' | 'rebuild' | 'give_up' | 'unanswered';

export interface RecoveryOptions {
  polite: boolean;
  timeoutMs: number;
}

/** `now` in milliseconds, of a clock that never goes back. */
export class Recovery {
  /** The polite side waits for the other to act. */
  polite: boolean;
  readonly #timeoutMs: number;
  #attempts = 0;
  #state = 'new'; // RTCPeerConnectionState
  #connectedAt = -1; // -1: it is not
  #reachable = false; // what we signal gets to the peer
  #described = false; // the peer has described this connection
  #trouble = false; // it has failed, and the next move is ours, or the other side's
  #reason: UnreachableReason | undefined;
  #dueAt = Infinity; // when a connection has to be there
  #answerDueAt = Infinity; // when our offer has to be answered
  #excused = false; // the timer came late once, and has got as much time again
  #over = false; // there is no connection, and none is tried
  #demands: number[] = []; // when the peer has made us begin anew
  #refused = false; // it wanted that too often, which was told

  constructor({ polite, timeoutMs }: RecoveryOptions) {
    this.polite = polite;
    this.#timeoutMs = timeoutMs;
  }

  get dueAt(): number {
    return Math.min(this.#dueAt, this.#answerDueAt);
  }

  /** Tries since a connection was last stable. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Why it came to nothing so far. */
  get reason(): UnreachableReason {
    if (this.#reason) return this.#reason;
    if (!this.#described) return 'no_answer';
    return this.#state === 'failed' ? 'ice_failed' : 'ice_timeout';
  }

  /** Another connection is being made. */
  begun(now: number): void {
    this.#state = 'new';
    this.#connectedAt = -1;
    this.#described = this.#over = this.#trouble = false;
    this.#reason = undefined;
    this.#answerDueAt = Infinity;
    this.#wait(now);
  }

  /**
   * The peer wants another connection. `first`: it does too often, as of now. `no`: it still does. What it wants it may ask for later, as
   * it does when nothing is answered.
   */
  demand(now: number): 'yes' | 'first' | 'no' {
    this.#demands = this.#demands.filter((at) => now - at < DEMANDS_MS);
    const was = this.#refused;
    this.#refused = this.#demands.length >= DEMANDS;
    if (this.#refused) return was ? 'no' : 'first';
    this.#demands.push(now);
    return 'yes';
  }

  /** There is no connection any more, and none is wanted. */
  ended(): void {
    this.#over = true;
    this.#dueAt = this.#answerDueAt = Infinity;
  }

  /** Whoever wants it may try again from the beginning. */
  renew(): void {
    this.#attempts = 0;
  }

  /** Whether signals get through now: we are in the room, and so is the peer. Nothing is late while they don't. */
  signals(reachable: boolean, now: number): void {
    if (reachable === this.#reachable) return;
    this.#reachable = reachable;
    if (!reachable) this.#dueAt = this.#answerDueAt = Infinity;
    else if (!this.#over && this.#connectedAt < 0) this.#wait(now);
  }

  /** A description of the peer's was applied. */
  described(): void {
    this.#described = true;
    this.#answerDueAt = Infinity;
  }

  /** An offer of ours has gone out. */
  offered(now: number): void {
    if (this.#reachable && !this.#over) this.#answerDueAt = now + this.#timeoutMs;
  }

  /** The connection's `connectionState` has changed. */
  connection(state: string, now: number): void {
    if (this.#over) return;
    this.#state = state;
    if (state === 'connected') {
      this.#connectedAt = now;
      this.#dueAt = Infinity;
      this.#reason = undefined;
      this.#trouble = false;
    } else if (state === 'failed' || state === 'closed') this.#failed(now);
    // What is disconnected may heal by itself, or else fails.
  }

  /** It cannot go on with this connection. */
  negotiationFailed(now: number): void {
    if (this.#over) return;
    this.#reason = 'negotiation_failed';
    this.#failed(now);
  }

  #failed(now: number): void {
    if (this.#connectedAt >= 0 && now - this.#connectedAt > STABLE_MS) this.#attempts = 0;
    this.#connectedAt = -1;
    this.#trouble = true;
    this.#wait(now);
  }

  #wait(now: number): void {
    const ours = !this.#trouble ? this.#timeoutMs : this.#state === 'closed' ? CLOSED_MS : 0;
    this.#excused = false;
    this.#dueAt = this.#reachable ? now + ours + (this.polite ? GRACE_MS : 0) : Infinity;
  }

  /** Time has gone by. */
  tick(now: number): Action | undefined {
    const due = this.dueAt;
    if (now < due) return undefined;
    if (now - due > LATE_MS && !this.#excused) {
      // Whatever has arrived meanwhile gets as much time again to be noticed.
      this.#excused = true;
      if (now >= this.#dueAt) this.#dueAt = now + this.#timeoutMs;
      if (now >= this.#answerDueAt) this.#answerDueAt = now + this.#timeoutMs;
      return undefined;
    }
    this.#answerDueAt = Infinity;
    const up = this.#connectedAt >= 0;
    if (this.#attempts >= ATTEMPTS) {
      if (up) return 'unanswered';
      this.ended();
      return 'give_up';
    }
    this.#attempts += 1;
    const restart = up || (this.#attempts === 1 && this.#reason === undefined && this.#state !== 'closed');
    this.#trouble = false;
    if (!up) this.#wait(now);
    return restart ? 'restart' : 'rebuild';
  }
}
