// What a peer says where nobody listens yet: kept in a place of that peer's own, so that it costs no other peer and no channel of ours.

import { LARGEST_BYTES } from './channel.ts';

/** Most messages of one peer's that are kept until somebody listens. */
export const HELD_MESSAGES = 256;
/** Most bytes of them: one of the longest. */
export const HELD_BYTES: number = LARGEST_BYTES;

interface HeldMessage {
  name: string;
  data: unknown;
  bytes: number;
}

/** Of one peer, over all of its channels. */
export class Held {
  #messages: HeldMessage[] = [];
  #bytes = 0;
  #lost = false;

  /** One came on the channel `name`. Returns true when the oldest had to go for the first time: to tell that once is enough. */
  add(name: string, data: unknown, bytes: number): boolean {
    const messages = this.#messages;
    messages.push({ name, data, bytes });
    this.#bytes += bytes;
    const before = this.#lost;
    while (messages.length > HELD_MESSAGES || this.#bytes > HELD_BYTES) {
      this.#bytes -= (messages.shift() as HeldMessage).bytes;
      this.#lost = true;
    }
    return this.#lost && !before;
  }

  /** Somebody listens to that channel from now on. */
  take(name: string): unknown[] {
    const taken = this.#messages.filter((one) => one.name === name);
    this.#messages = this.#messages.filter((one) => one.name !== name);
    for (const { bytes } of taken) this.#bytes -= bytes;
    return taken.map(({ data }) => data);
  }

  /** Nobody will. */
  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }
}
