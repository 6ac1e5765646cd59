// One timer for all that is due.

import { type Clock, isHidden, workerTimer } from './environment.ts';

/** A longer timer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class DueTimer {
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #over: () => void;
  #timer: unknown;
  #at = Infinity;

  /** `over` is called when it is due, or a moment earlier when that is weeks away. */
  constructor(clock: Clock, now: () => number, over: () => void) {
    this.#clock = clock;
    this.#now = now;
    this.#over = over;
  }

  /** From now on it is due then; Infinity: not at all. `waits`: hidden pages have to come in time, too. */
  set(dueAt: number, waits: boolean): void {
    if (dueAt === this.#at) return;
    this.#clock.clearTimeout(this.#timer);
    this.#at = dueAt;
    if (dueAt === Infinity) return;
    const ms = Math.min(LONGEST_TIMER_MS, Math.max(0, dueAt - this.#now()));
    const over = () => {
      if (this.#at !== dueAt) return;
      this.#at = Infinity;
      this.#over();
    };
    this.#timer = this.#clock.setTimeout(over, ms);
    if (waits && isHidden()) workerTimer(ms, over);
  }
}
