// Where the token of a join comes from, and how it is renewed in time. Knows no socket and no clock.

import type { Outbox } from './effects.ts';
import { localError, SignalingError } from './error.ts';
import { LATE_MS } from './liveness.ts';

/** An ask that brought no token by then has failed. */
const ASK_TIMEOUT_MS = 10_000;
/** So long before its end a token is renewed. The server says so, too. */
const RENEW_BEFORE_MS = 60_000;
/** When that failed, it is tried again after this. */
const RENEW_AGAIN_MS = 10_000;

/** `fixed`: there is one. `renewable`: there is always another one. */
export type TokenKind = 'none' | 'fixed' | 'renewable';

/** Where their user is: in the room, or with a `join` that is to be sent; elsewhere tokens have time. */
export type TokenPhase = 'joined' | 'joining' | '';

export class Tokens {
  kind: TokenKind;
  /** For the next `join`. */
  token: string | undefined;
  /** One was refused on this connection. */
  refused = false;
  /** When it is time to renew. */
  renewAt: number = Infinity;
  #wanted: 'join' | 'renewal' | undefined;
  #asks = 0; // how often a token was asked for
  #asking = 0; // the number of that which waits for its answer; 0: none
  #askDueAt = Infinity; // when that is given up
  #excused = false; // its timer came late once, and has got as much time again
  #formerAsks = 0; // so many were put to a source that was replaced
  #setting: string | undefined; // the request that waits for a token of the new source
  #renewals = 0;
  readonly #out: Outbox;
  readonly #join: (now: number) => void;
  readonly #refused: (error: SignalingError, now: number) => void;
  readonly #renew: (id: string, token: string, now: number) => void;

  /**
   * `out` takes what is to be done; `join`: the `join` can be sent; `refused`: it cannot; `renew`: what the session may is renewed by that
   * token.
   */
  constructor(
    kind: TokenKind,
    out: Outbox,
    join: (now: number) => void,
    refused: (error: SignalingError, now: number) => void,
    renew: (id: string, token: string, now: number) => void,
  ) {
    this.kind = kind;
    this.#out = out;
    this.#join = join;
    this.#refused = refused;
    this.#renew = renew;
  }

  /** When `tick` wants to be called next. */
  get dueAt(): number {
    return Math.min(this.renewAt, this.#askDueAt);
  }

  /** What was asked for is here: a token, or the reason why there is none. */
  came(ask: number, token: string | undefined, failure: unknown, phase: TokenPhase, now: number): void {
    if (ask <= this.#formerAsks) return;
    // A late token of an ask that was given up is as good, and a source may always be that slow; its failure was told already.
    if (token === undefined && ask !== this.#asking) return;
    this.#asking = 0;
    this.#askDueAt = Infinity;
    const wanted = this.#wanted;
    const id = this.#setting;
    this.#wanted = this.#setting = undefined;
    if (token === undefined) {
      const error = failure instanceof SignalingError ? failure : localError('token_failed', true, failure);
      if (id === undefined) this.#out.error(error);
      else this.#out.settle(id, error);
      if (wanted === 'renewal') this.renewAt = now + RENEW_AGAIN_MS;
      else if (wanted && phase === 'joining') this.#refused(error, now);
      return;
    }
    if (phase !== 'joined') this.token = token;
    if (id !== undefined) this.#renew(id, token, now);
    else if (wanted === 'renewal' && phase === 'joined') this.#renew(`token-${++this.#renewals}`, token, now);
    if (wanted === 'join' && phase === 'joining') this.#join(now);
  }

  /** From now on this one; without a token, there is always another one, to be asked for. The former source is not listened to. */
  set(id: string, token: string | undefined, phase: TokenPhase, now: number): void {
    const joins = this.#wanted === 'join' && phase === 'joining';
    this.over(localError('token_failed', false, new Error('another token was set meanwhile')));
    this.kind = token === undefined ? 'renewable' : 'fixed';
    this.token = token;
    this.renewAt = Infinity;
    if (token === undefined) {
      this.#setting = id;
      return this.ask(joins ? 'join' : 'renewal', now);
    }
    this.#renew(id, token, now);
    if (joins) this.#join(now);
  }

  /** So much time is left. */
  expires(inMs: number | undefined, now: number): void {
    if (inMs === undefined || this.kind !== 'renewable') return;
    this.renewAt = now + Math.max(inMs - RENEW_BEFORE_MS, inMs / 2);
  }

  /** One at a time: a slow answer serves the next connection, too. */
  ask(why: 'join' | 'renewal', now: number): void {
    this.#wanted = why;
    if (this.#asking) return;
    this.#asking = ++this.#asks;
    this.#askDueAt = now + ASK_TIMEOUT_MS;
    this.#excused = false;
    this.#out.push({ do: 'token', ask: this.#asking });
  }

  /** Time has gone by. */
  tick(phase: TokenPhase, now: number): void {
    if (now >= this.renewAt) {
      this.renewAt = Infinity;
      this.ask('renewal', now);
    }
    if (now < this.#askDueAt) return;
    if (now - this.#askDueAt > LATE_MS && !this.#excused) {
      this.#excused = true;
      this.#askDueAt = now + ASK_TIMEOUT_MS;
    } else this.came(this.#asking, undefined, new Error(`no answer within ${ASK_TIMEOUT_MS} ms`), phase, now);
  }

  /** Nothing that was asked so far is listened to. */
  over(error: SignalingError): void {
    this.#formerAsks = this.#asks;
    this.#asking = 0;
    this.#askDueAt = Infinity;
    if (this.#setting !== undefined) this.#out.settle(this.#setting, error);
    this.#wanted = this.#setting = undefined;
  }
}
