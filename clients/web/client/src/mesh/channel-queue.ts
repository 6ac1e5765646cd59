// What waits to be sent on a channel, and which frame is next. Knows no data channel.

import { ChannelError } from './channel-error.ts';
import { FRAME_BYTES, frameOf, framesFor } from './channel-framing.ts';

/** Most messages that wait: each costs some hundred bytes beside its own. */
export const QUEUE_MESSAGES = 1_024;

interface Waiting {
  /** Bytes it counts for. */
  size: number;
  /** Absent while it is still read. */
  message: Uint8Array | undefined;
  number: number;
  /** The next frame of it. */
  index: number;
  sent(): void;
}

/** A place in the queue. */
export type Place = Waiting;

/** A frame that is to be sent; `sent` is called when the data channel has taken it. */
export interface NextFrame {
  frame: Uint8Array;
  sent(): void;
}

/**
 * In order; but where order does not matter, what fits one frame goes between the frames of what is longer, and what is still being
 * read holds nobody up.
 */
export class SendQueue {
  readonly #ordered: boolean;
  readonly #mostBytes: number;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #numbers = 0;
  #longNext = false;

  /** `mostBytes`: of all messages that wait. */
  constructor(ordered: boolean, mostBytes: number) {
    this.#ordered = ordered;
    this.#mostBytes = mostBytes;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A place for a message of at most `size` bytes. `sent` is called when its last frame was taken. Throws `queue_full`. */
  reserve(size: number, sent: () => void): Place {
    if (this.#waiting.length >= QUEUE_MESSAGES || this.#bytes + size > this.#mostBytes) throw new ChannelError('queue_full');
    this.#numbers = (this.#numbers + 1) % 2 ** 32;
    const place = { size, message: undefined, number: this.#numbers, index: 0, sent };
    this.#bytes += size;
    this.#waiting.push(place);
    return place;
  }

  /** The message for a place. */
  fill(place: Place, message: Uint8Array): void {
    place.message = message;
  }

  /** There is no message for that place. */
  cancel(place: Place): void {
    const at = this.#waiting.indexOf(place);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#bytes -= place.size;
  }

  /** What is to be sent now; the same again until it is said to be sent. */
  next(): NextFrame | undefined {
    const place = this.#choose();
    if (!place?.message) return undefined;
    const { message } = place;
    return {
      frame: frameOf(message, place.number, place.index),
      sent: () => {
        place.index += 1;
        this.#longNext = message.length <= FRAME_BYTES;
        if (place.index < framesFor(message.length)) return;
        this.cancel(place);
        place.sent();
      },
    };
  }

  #choose(): Waiting | undefined {
    if (this.#ordered) return this.#waiting[0];
    const first = (long: boolean) => this.#waiting.find(({ message }) => message && message.length > FRAME_BYTES === long);
    return first(this.#longNext) ?? first(!this.#longNext);
  }
}
