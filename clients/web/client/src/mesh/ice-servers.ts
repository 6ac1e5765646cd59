// The ICE servers that the server names, and when their credentials end ("ICE servers" in docs/protocol.md). Knows no clock.

import type { IceServer } from '../wire.generated.ts';

/** This part of their time may be over before others are asked for. */
const RENEW_AT = 0.8;
/** What was refused is asked for again after this, at the earliest. */
const AGAIN_MS = 30_000;

export class IceServers {
  #servers: readonly IceServer[] = [];
  #ends = false;
  /** When to ask for others. */
  dueAt: number = Infinity;

  /** Those of now. */
  get servers(): readonly IceServer[] {
    return this.#servers;
  }

  /** Whether their credentials end, if nothing renews them. */
  get ends(): boolean {
    return this.#ends;
  }

  /** The server names these; their credentials are good for so long. */
  use(servers: readonly IceServer[], ttlMs: number | undefined, now: number): void {
    this.#servers = servers;
    this.#ends = ttlMs !== undefined;
    this.dueAt = ttlMs === undefined ? Infinity : now + ttlMs * RENEW_AT;
  }

  /** They are asked for. */
  asked(): void {
    this.dueAt = Infinity;
  }

  /** In vain. */
  refused(retryAfterMs: number, now: number): void {
    this.dueAt = now + Math.max(retryAfterMs, AGAIN_MS);
  }
}
