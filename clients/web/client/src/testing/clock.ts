// Time that passes when a test says so.

import type { Clock } from '../signaling/environment.ts';

interface Timer {
  at: number;
  run: () => void;
  order: number;
}

/**
 * A clock for `TestServer` and `SignalingClient`: it stands still until the test lets time pass.
 *
 * @example
 * ```ts
 * const clock = new TestClock();
 * const server = new TestServer({ clock });
 * const client = new SignalingClient({ url: server.url, room: 'lobby', WebSocket: server.WebSocket, clock });
 * void client.start();
 * await clock.passing(100);
 * ```
 */
export class TestClock implements Clock {
  #now = 1_000;
  #wallAhead = 1_767_225_600_000;
  #timers = new Map<number, Timer>();
  #ids = 0;
  /** Timers fire on multiples of this only, as those of a hidden tab do. */
  alignedTo = 1;

  /** Milliseconds that have passed, beginning at 1000. */
  steady(): number {
    return this.#now;
  }

  /** Milliseconds since 1970; `sleep` sets it forward. */
  wall(): number {
    return this.#now + this.#wallAhead;
  }

  /** Calls `run` once so much time has passed. Refuses what a browser's timer would: more than 2³¹ ms. */
  setTimeout(run: () => void, ms: number): unknown {
    if (ms >= 2 ** 31) throw new Error(`a timer of ${ms} ms fires at once`);
    const id = ++this.#ids;
    const at = Math.ceil((this.#now + Math.max(0, ms)) / this.alignedTo) * this.alignedTo;
    this.#timers.set(id, { at, run, order: id });
    return id;
  }

  /** Calls it no more. */
  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Lets so many milliseconds pass, timer by timer. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = end;
  }

  /** As `pass`; promises are kept in between. */
  async passing(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      this.pass(Math.min(50, left));
      for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
    }
  }

  /** The machine sleeps: the wall clock goes on, this one and all timers stand still. */
  sleep(ms: number): void {
    this.#wallAhead += ms;
  }

  /** The page is held up: what was due meanwhile comes all at once afterwards, and late. */
  holdUp(ms: number): void {
    this.#now += ms;
    const due = [...this.#timers].filter(([, { at }]) => at <= this.#now).sort(([, a], [, b]) => a.at - b.at);
    for (const [id, { run }] of due) if (this.#timers.delete(id)) run();
  }

  #next(end: number): Timer | undefined {
    let first: [number, Timer] | undefined;
    for (const entry of this.#timers) {
      const [, { at, order }] = entry;
      if (at <= end && (!first || at < first[1].at || (at === first[1].at && order < first[1].order))) first = entry;
    }
    if (first) this.#timers.delete(first[0]);
    return first?.[1];
  }
}
