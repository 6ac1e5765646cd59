// Requests that wait for their replies. Knows no data channel and no clock.

import { ChannelError } from './channel-error.ts';

/** Most requests that wait for their replies; and most of the peer's that are answered at a time. */
export const OPEN_REQUESTS = 256;

interface Waiter {
  resolve(data: unknown): void;
  reject(error: ChannelError): void;
}

export class Requests {
  readonly #waiters = new Map<number, Waiter>();
  #numbers = 0;

  /** The number of another request. Throws `too_many_requests`. */
  open(waiter: Waiter): number {
    if (this.#waiters.size >= OPEN_REQUESTS) throw new ChannelError('too_many_requests');
    do this.#numbers = (this.#numbers + 1) % 2 ** 32;
    while (this.#waiters.has(this.#numbers));
    this.#waiters.set(this.#numbers, waiter);
    return this.#numbers;
  }

  /** Its reply came. One that nobody waits for any more is none of ours. */
  answered(number: number, data: unknown): void {
    this.#take(number)?.resolve(data);
  }

  /** There will be no reply. */
  failed(number: number, error: ChannelError): void {
    this.#take(number)?.reject(error);
  }

  /** There will be no more replies at all. */
  clear(error: ChannelError): void {
    for (const number of [...this.#waiters.keys()]) this.failed(number, error);
  }

  #take(number: number): Waiter | undefined {
    const waiter = this.#waiters.get(number);
    this.#waiters.delete(number);
    return waiter;
  }
}
