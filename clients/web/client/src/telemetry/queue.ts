// What is to be reported, until it may be: bounded, and no faster than the server takes it. Without a clock.

import type { ReportRequest } from '../wire.generated.ts';

/** What is reported: one of the kinds in docs/protocol.md, with its fields. */
export type ReportEvent = ReportRequest['events'][number];

/** Events that wait; beyond them the oldest is lost. Forty seconds' worth of the default limits. */
const WAITING = 256;
/** The first events of a burst wait for the others so long. */
const GATHER_MS = 250;
/** So much later than the server asks for: its clock and ours need not agree. */
const MARGIN = 1.05;

/** `now` in milliseconds, of a clock that never goes back. */
export class ReportQueue {
  /** Events that were lost, since more came than could be reported. */
  lost = 0;
  #events: ReportEvent[] = [];
  #sentAt = -Infinity;
  #intervalMs = Infinity;
  #most = 0;

  /** What the server takes: so many events in one report, one in so much time. 0: none. */
  limits(intervalMs: number, most: number): void {
    this.#intervalMs = intervalMs > 0 ? intervalMs * MARGIN : Infinity;
    this.#most = most;
    if (this.#intervalMs === Infinity) this.#events = [];
  }

  add(event: ReportEvent): void {
    this.#events.push(event);
    if (this.#events.length <= WAITING) return;
    this.#events.shift();
    this.lost += 1;
  }

  /** In how many milliseconds the next report may go out; Infinity: there is nothing to report, or nobody to take it. */
  dueIn(now: number): number {
    if (this.#events.length === 0 || this.#intervalMs === Infinity) return Infinity;
    return Math.max(GATHER_MS, this.#sentAt + this.#intervalMs - now);
  }

  /** The next report; `last`: that with which a stay ends, and so the newest of what there is. */
  take(now: number, last = false): ReportEvent[] {
    this.#sentAt = now;
    return this.#events.splice(last ? -this.#most : 0, this.#most);
  }
}
