// How messages go over a data channel: what one message is in bytes, how a long one is taken apart, and how it is put together
// again. Knows no data channel and no clock.
//
//   message   kind (1 byte), the request's number (4 bytes, only with REQUEST, REPLY and REFUSAL), body
//   frame     a message that fits; or CHUNK (1 byte), the message's number (4 bytes), the message's length (4 bytes),
//             the chunk's place (4 bytes), and so many bytes of the message
//
// Numbers are big-endian. All chunks of a message but its last have CHUNK_BYTES.

import { ChannelError } from './channel-error.ts';

/** Most bytes of one frame. Longer ones are not safe between all browsers (RFC 8831 section 6.6, "up to 16 KB"). */
export const FRAME_BYTES = 16_384;
const CHUNK_HEADER_BYTES = 13;
/** Bytes of a message in each of its chunks but the last. */
export const CHUNK_BYTES: number = FRAME_BYTES - CHUNK_HEADER_BYTES;
/** Most bytes that SCTP may have on its way while earlier ones are still missing: the receive windows of browsers are smaller. */
const WINDOW_BYTES = 8 * 1024 * 1024;
/** Most messages of which a part has come. A message of two chunks is the shortest there is, so more cannot be on their way. */
export const UNFINISHED_MESSAGES: number = WINDOW_BYTES / FRAME_BYTES;

const MESSAGE = 0;
const REQUEST = 1;
const REPLY = 2;
const REFUSAL = 3;
/** Beside any kind: the body is bytes, not JSON. */
const BINARY = 0x10;
const CHUNK = 0x80;

/** What a message is for. `number` is that of the request; it has none in a plain message. */
export type Purpose = 'message' | 'request' | 'reply' | 'refusal';
const PURPOSES: readonly Purpose[] = ['message', 'request', 'reply', 'refusal'];
const KINDS: { [purpose in Purpose]: number } = { message: MESSAGE, request: REQUEST, reply: REPLY, refusal: REFUSAL };

/** A message as the application knows it. */
export interface Message {
  purpose: Purpose;
  /** Of the request: 0 in a plain message. */
  number: number;
  /** Bytes, or what JSON can say. */
  data: unknown;
}

const peerError = (message: string): ChannelError => new ChannelError('peer_error', message);
const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The bytes of what is binary; undefined for anything else. */
export function bytesOf(data: unknown): Uint8Array | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : undefined;
}

/** The message in bytes of its own: whoever handed `data` in may go on to change it. Throws `invalid_message`. */
export function encode({ purpose, number, data }: Message): Uint8Array {
  const binary = bytesOf(data);
  const body = binary ?? json(data);
  const head = purpose === 'message' ? 1 : 5;
  const message = new Uint8Array(head + body.length);
  message[0] = KINDS[purpose] | (binary ? BINARY : 0);
  if (head > 1) view(message).setUint32(1, number);
  message.set(body, head);
  return message;
}

function json(data: unknown): Uint8Array {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(data);
  } catch (error) {
    cause = error;
  }
  if (text === undefined) throw new ChannelError('invalid_message', 'it cannot be written as JSON', cause);
  return new TextEncoder().encode(text);
}

/** What a message of the peer's says. Throws `peer_error`. */
export function decode(bytes: Uint8Array): Message {
  const kind = bytes[0] ?? CHUNK;
  const purpose = PURPOSES[kind & ~BINARY];
  if (!purpose) throw peerError(`a message of the unknown kind ${kind}`);
  const head = purpose === 'message' ? 1 : 5;
  if (bytes.length < head) throw peerError('a message that ends within its head');
  const number = head > 1 ? view(bytes).getUint32(1) : 0;
  const body = bytes.subarray(head);
  // A copy, so that its `buffer` is this message and nothing else.
  if (kind & BINARY) return { purpose, number, data: body.slice() };
  try {
    return { purpose, number, data: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) };
  } catch {
    throw peerError('a message that is no JSON');
  }
}

/** How many frames a message of `bytes` takes. */
export const framesFor = (bytes: number): number => (bytes <= FRAME_BYTES ? 1 : Math.ceil(bytes / CHUNK_BYTES));

/** Frame `index` of a message that has the number `number` among those of its sender. */
export function frameOf(message: Uint8Array, number: number, index: number): Uint8Array {
  if (message.length <= FRAME_BYTES) return message;
  const offset = index * CHUNK_BYTES;
  const part = message.subarray(offset, offset + CHUNK_BYTES);
  const frame = new Uint8Array(CHUNK_HEADER_BYTES + part.length);
  frame[0] = CHUNK;
  const fields = view(frame);
  fields.setUint32(1, number);
  fields.setUint32(5, message.length);
  fields.setUint32(9, index);
  frame.set(part, CHUNK_HEADER_BYTES);
  return frame;
}

interface Unfinished {
  length: number;
  parts: Map<number, Uint8Array>;
}

/** Bytes of unfinished messages on all channels of one connection: opening more of them lets a peer store no more here. */
export interface Unread {
  bytes: number;
  /** Most of them. */
  readonly most: number;
}

/** Puts messages together, in whatever order their chunks come, and holds no more than it may. */
export class Assembler {
  readonly #largest: number;
  readonly #chunked: boolean;
  readonly #unread: Unread;
  readonly #unfinished = new Map<number, Unfinished>();
  #held = 0;

  /** `largest`: bytes of the longest message. `chunked`: whether the peer may take messages apart on this channel. */
  constructor(largest: number, chunked: boolean, unread: Unread = { bytes: 0, most: Infinity }) {
    this.#largest = largest;
    this.#chunked = chunked;
    this.#unread = unread;
  }

  /** Bytes of messages of which a part is missing. */
  get held(): number {
    return this.#held;
  }

  /** Most bytes that may be held. */
  get mostHeld(): number {
    return this.#largest + WINDOW_BYTES;
  }

  /** A frame came; it is ours now. Returns the message that it completes. Throws `peer_error`. */
  take(frame: Uint8Array): Uint8Array | undefined {
    if (frame.length > FRAME_BYTES) throw peerError(`a frame of ${frame.length} bytes`);
    if (frame[0] !== CHUNK) return this.#checked(frame.length, frame);
    if (!this.#chunked) throw peerError('a part of a message on a channel that may lose the others');
    if (frame.length <= CHUNK_HEADER_BYTES) throw peerError('a part that ends within its head');
    const fields = view(frame);
    return this.#part(fields.getUint32(1), fields.getUint32(5), fields.getUint32(9), frame.subarray(CHUNK_HEADER_BYTES));
  }

  #checked<T>(length: number, value: T): T {
    if (length > this.#largest) throw peerError(`a message of ${length} bytes, where ${this.#largest} are allowed`);
    return value;
  }

  #part(number: number, length: number, index: number, part: Uint8Array): Uint8Array | undefined {
    const frames = framesFor(this.#checked(length, length));
    const due = index === frames - 1 ? length - index * CHUNK_BYTES : CHUNK_BYTES;
    if (frames === 1 || index >= frames || part.length !== due) throw peerError('a part that does not fit its message');
    let message = this.#unfinished.get(number);
    if (!message) {
      if (this.#unfinished.size >= UNFINISHED_MESSAGES) throw peerError('parts of too many messages');
      message = { length, parts: new Map() };
      this.#unfinished.set(number, message);
    }
    if (message.length !== length || message.parts.has(index)) throw peerError('two parts that contradict each other');
    const unread = this.#unread;
    if (this.#held + part.length > this.mostHeld || unread.bytes + part.length > unread.most) {
      throw peerError('more parts than may wait for the others');
    }
    this.#hold(part.length);
    message.parts.set(index, part);
    return message.parts.size === frames ? this.#finish(number, message) : undefined;
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    this.#unread.bytes += bytes;
  }

  #finish(number: number, { length, parts }: Unfinished): Uint8Array {
    this.#unfinished.delete(number);
    this.#hold(-length);
    const whole = new Uint8Array(length);
    for (const [index, part] of parts) whole.set(part, index * CHUNK_BYTES);
    return whole;
  }

  /** Forgets what is unfinished. */
  clear(): void {
    this.#unfinished.clear();
    this.#hold(-this.#held);
  }
}
