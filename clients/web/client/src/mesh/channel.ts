// The shell around the rules of channel-*.ts: the data channel, promises, deadlines and listeners.

import { Emitter } from '../emitter.ts';
import { type Clock, machineClock } from '../signaling/environment.ts';
import { ChannelError, type ChannelErrorCode } from './channel-error.ts';
import { Assembler, bytesOf, decode, encode, FRAME_BYTES, type Message, type Unread } from './channel-framing.ts';
import { type NextFrame, SendQueue } from './channel-queue.ts';
import { OPEN_REQUESTS, Requests } from './channel-requests.ts';

export { ChannelError, type ChannelErrorCode } from './channel-error.ts';

/** As much of an `RTCDataChannel` as is needed. */
export interface DataChannel {
  readonly label: string;
  readonly ordered: boolean;
  readonly maxRetransmits: number | null;
  readonly maxPacketLifeTime: number | null;
  readonly readyState: string;
  readonly bufferedAmount: number;
  bufferedAmountLowThreshold: number;
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onbufferedamountlow: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(frame: ArrayBufferView<ArrayBuffer>): void;
  close(): void;
}

/** For `protocol` of a data channel whose two ends are `Channel`s of this version. */
export const CHANNEL_PROTOCOL = 'switchboard.channel.1';

/** Most bytes of one message, unless the option says otherwise: as a photograph. What is longer goes in pieces of the application's. */
export const LARGEST_BYTES: number = 16 * 1024 * 1024;
/** Most bytes of the messages that wait to be sent, unless the option says otherwise: two of the longest. */
export const QUEUE_BYTES: number = 2 * LARGEST_BYTES;
/** How long a request waits for its reply, unless the option says otherwise. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** The browser is given frames until it holds this much: enough for a fast path, and a fraction of what makes it close a channel. */
export const BUFFER_HIGH_BYTES = 262_144;
/** From here on it is given more; and a message that was handed over is called sent. */
export const BUFFER_LOW_BYTES = 65_536;

export interface ChannelOptions {
  /** Most bytes of one message, sent or received. The other end has to allow as much. Default: 16 MiB. */
  largestBytes?: number | undefined;
  /** Most bytes of the messages that wait to be sent; beyond: `queue_full`. Default: 32 MiB. */
  queueBytes?: number | undefined;
  /** Bytes of the peer's unfinished messages, shared by several channels. By default each is bounded for itself. */
  unread?: Unread | undefined;
  /** For tests. */
  clock?: Clock | undefined;
}

/** How long a request waits for its reply. */
export interface RequestOptions {
  /** Milliseconds to wait for the reply. Default: 10 000. */
  timeoutMs?: number | undefined;
  /** Ends the wait; the peer may answer all the same. */
  signal?: AbortSignal | undefined;
}

export interface ChannelEvents {
  /** It is open: what waited is on its way. */
  open: undefined;
  /** A message of the peer's: what JSON can say, or a `Uint8Array`; and how long it was on its way. */
  message: { data: unknown; bytes: number };
  /** It is closed, with what closed it, for good. */
  close: { error: ChannelError };
  /** A trouble that no promise tells: a reply that could not be sent, or what the peer did against the rules. */
  error: ChannelError;
}

/** Answers the peer's requests with what JSON can say, or bytes; what it throws is told as `handler_failed`, and nothing of it. */
export type RequestHandler = (data: unknown) => unknown;

/** Codes that a refusal may carry. */
const REFUSALS: readonly string[] = ['no_handler', 'too_many_requests'] satisfies ChannelErrorCode[];
/** The kind and the number before the body of a message. */
const HEAD_BYTES = 5;

/**
 * Messages over one `RTCDataChannel`: any JSON or bytes, of any length up to a limit, with backpressure, and requests with replies.
 *
 * In an ordered channel (the default) messages come in the order of `send`, so that one waits for a longer one before it; with
 * `ordered: false` short ones overtake long ones. With `maxRetransmits` or `maxPacketLifeTime` a message may be lost, and has to
 * fit one frame of 16 KiB, a byte of it for the kind.
 *
 * Both ends have to be a `Channel`. Listen before you wait for anything: what comes is told once.
 */
export class Channel {
  readonly #channel: DataChannel;
  readonly #clock: Clock;
  readonly #largest: number;
  readonly #reliable: boolean;
  readonly #queue: SendQueue;
  readonly #assembler: Assembler;
  readonly #requests = new Requests();
  readonly #events = new Emitter<ChannelEvents>();
  /** Of messages that were handed over whole, and are called sent when the buffer is low. */
  readonly #handed = new Set<() => void>();
  /** What rejects the promises of those that are not sent. */
  readonly #unsent = new Set<(error: ChannelError) => void>();
  #handler: RequestHandler | undefined;
  #answering = 0;
  #full = false; // the browser holds enough for now
  #error: ChannelError | undefined;

  /** The channel is this one's from now on, its listeners included. */
  constructor(channel: DataChannel, options: ChannelOptions = {}) {
    this.#channel = channel;
    this.#clock = options.clock ?? machineClock;
    this.#largest = options.largestBytes ?? LARGEST_BYTES;
    this.#reliable = (channel.maxRetransmits ?? channel.maxPacketLifeTime) === null;
    this.#queue = new SendQueue(channel.ordered, options.queueBytes ?? QUEUE_BYTES);
    this.#assembler = new Assembler(this.#largest + HEAD_BYTES, this.#reliable, options.unread);
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = BUFFER_LOW_BYTES;
    channel.onopen = () => this.#opened();
    channel.onmessage = ({ data }: { data: unknown }) => this.#receive(data);
    channel.onbufferedamountlow = () => this.#pump();
    channel.onclose = () => this.#end(new ChannelError('closed'));
    // A peer that is gone is an error, too, and `onclose` follows.
    channel.onerror = () => {};
    this.#notice();
  }

  /** A connection that is closed here closes its channels, and tells nobody (W3C webrtc, section 4.4.1.5). */
  #notice(): void {
    const { readyState } = this.#channel;
    if (readyState === 'closing' || readyState === 'closed') this.#end(new ChannelError('closed'));
  }

  /** The name that both ends know it by. */
  get label(): string {
    return this.#channel.label;
  }

  /** `connecting`, `open` or `closed`. What is sent while it is connecting waits. */
  get state(): 'connecting' | 'open' | 'closed' {
    const { readyState } = this.#channel;
    if (readyState === 'open' || readyState === 'connecting') return this.#error ? 'closed' : readyState;
    return 'closed';
  }

  /** Bytes that wait here and in the browser. */
  get bufferedBytes(): number {
    return this.#queue.bytes + this.#channel.bufferedAmount;
  }

  /**
   * Sends what JSON can say, or bytes (`ArrayBuffer`, a view of one, or a `Blob`; they arrive as a `Uint8Array`), as they are now.
   * Resolves when the browser has taken it and has little left to send, so that who waits for it is as fast as the path, and no
   * faster. That it has arrived only a reply says. Rejects with a {@link ChannelError}.
   */
  send(data: unknown): Promise<void> {
    return this.#post({ purpose: 'message', number: 0, data });
  }

  /** Sends `data`, as `send`, and resolves with what the peer's handler makes of it. */
  request(data: unknown, { timeoutMs = REQUEST_TIMEOUT_MS, signal }: RequestOptions = {}): Promise<unknown> {
    let number: number | undefined;
    const fail = (error: ChannelError) => number !== undefined && this.#requests.failed(number, error);
    const timer = this.#clock.setTimeout(() => fail(new ChannelError('timeout')), timeoutMs);
    const abort = () => fail(new ChannelError('aborted', 'aborted', signal?.reason));
    signal?.addEventListener('abort', abort);
    const reply = new Promise<unknown>((resolve, reject) => {
      if (this.#error) throw this.#error;
      if (signal?.aborted) throw new ChannelError('aborted', 'aborted', signal.reason);
      number = this.#requests.open({ resolve, reject });
      this.#post({ purpose: 'request', number, data }).catch(fail);
    }).finally(() => {
      this.#clock.clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
    reply.catch(() => {}); // a program must not end because nobody waits for it
    return reply;
  }

  /** Answers the peer's requests from now on, in the place of any earlier handler. Returns what ends that. */
  onRequest(handler: RequestHandler): () => void {
    this.#handler = handler;
    return () => {
      if (this.#handler === handler) this.#handler = undefined;
    };
  }

  /** Calls `listener` at each such event. Returns what ends that. */
  on<K extends keyof ChannelEvents>(type: K, listener: (detail: ChannelEvents[K]) => void): () => void {
    return this.#events.on(type, listener);
  }

  /** Calls `listener` at the next such event only. */
  once<K extends keyof ChannelEvents>(type: K, listener: (detail: ChannelEvents[K]) => void): () => void {
    return this.#events.once(type, listener);
  }

  /** Closes it at both ends. What was not sent yet is rejected with `closed`. Call it before you close the connection, which tells nobody. */
  close(): void {
    this.#end(new ChannelError('closed'));
  }

  #opened(): void {
    this.#events.emit('open', undefined);
    this.#pump();
  }

  #post(message: Message): Promise<void> {
    this.#notice();
    const promise = new Promise<void>((resolve, reject) => {
      if (this.#error) throw this.#error;
      const isBlob = typeof Blob !== 'undefined' && message.data instanceof Blob;
      const blob = isBlob ? (message.data as Blob) : undefined;
      const encoded = blob ? undefined : encode(message);
      const size = encoded?.length ?? HEAD_BYTES + (blob as Blob).size;
      if (size > this.#mostBytes)
        throw new ChannelError('message_too_large', `${size} bytes, where ${this.#mostBytes} may be sent`);
      const place = this.#queue.reserve(size, () => {
        this.#unsent.delete(refuse);
        this.#handed.add(done);
        this.#unsent.add(refuse);
      });
      const refuse = (error: ChannelError) => {
        this.#unsent.delete(refuse);
        this.#queue.cancel(place);
        reject(error);
      };
      const done = () => {
        this.#unsent.delete(refuse);
        resolve();
      };
      this.#unsent.add(refuse);
      const fill = (bytes: Uint8Array) => {
        this.#queue.fill(place, bytes);
        this.#pump();
      };
      if (encoded) return fill(encoded);
      (blob as Blob).arrayBuffer().then(
        (data) => fill(encode({ ...message, data })),
        (cause) => {
          refuse(new ChannelError('invalid_message', 'the Blob cannot be read', cause));
          this.#pump();
        },
      );
    });
    promise.catch(() => {}); // a program must not end because nobody waits for it
    return promise;
  }

  get #mostBytes(): number {
    return this.#reliable ? this.#largest + HEAD_BYTES : FRAME_BYTES;
  }

  /**
   * Hands frames over, as many as the browser shall hold, and calls sent what is. Once it holds that much it gets no more before it
   * has little left: so it does have little left now and then, however much is sent.
   */
  #pump(): void {
    const channel = this.#channel;
    while (!this.#error && channel.readyState === 'open') {
      if (channel.bufferedAmount <= BUFFER_LOW_BYTES) this.#low();
      const next = this.#full ? undefined : this.#queue.next();
      if (!next || !this.#give(next)) break;
      this.#full = channel.bufferedAmount >= BUFFER_HIGH_BYTES;
    }
  }

  /** What was handed over is as good as sent. */
  #low(): void {
    this.#full = false;
    for (const done of this.#handed) done();
    this.#handed.clear();
  }

  #give(next: NextFrame): boolean {
    try {
      this.#channel.send(next.frame as Uint8Array<ArrayBuffer>);
    } catch (cause) {
      // It may be closing; or full, though it should not be, and low again later. Otherwise it takes none at all.
      const waits = this.#channel.readyState !== 'open' || this.#channel.bufferedAmount > BUFFER_LOW_BYTES;
      if (!waits) this.#fail(new ChannelError('channel_failed', 'the browser took no message', cause));
      return false;
    }
    next.sent();
    return true;
  }

  #receive(data: unknown): void {
    if (this.#error) return;
    let message: Message;
    let bytes: number;
    try {
      const frame = bytesOf(data);
      if (!frame) throw new ChannelError('peer_error', 'a text, where all is bytes');
      const whole = this.#assembler.take(frame);
      if (!whole) return;
      bytes = whole.length;
      message = decode(whole);
    } catch (error) {
      const known = error instanceof ChannelError ? error : new ChannelError('peer_error', 'a message without sense', error);
      return this.#fail(known);
    }
    this.#told(message, bytes);
  }

  #told({ purpose, number, data }: Message, bytes: number): void {
    if (purpose === 'message') return this.#events.emit('message', { data, bytes });
    if (purpose === 'reply') return this.#requests.answered(number, data);
    if (purpose === 'request') return void this.#answer(number, data);
    const code = typeof data === 'string' && REFUSALS.includes(data) ? (data as ChannelErrorCode) : 'handler_failed';
    this.#requests.failed(number, new ChannelError(code));
  }

  async #answer(number: number, data: unknown): Promise<void> {
    const handler = this.#handler;
    if (!handler || this.#answering >= OPEN_REQUESTS) {
      return this.#reply({ purpose: 'refusal', number, data: handler ? 'too_many_requests' : 'no_handler' });
    }
    this.#answering += 1;
    let reply: Message;
    try {
      reply = { purpose: 'reply', number, data: (await handler(data)) ?? null };
    } catch (cause) {
      this.#events.emit('error', new ChannelError('handler_failed', 'the handler of requests failed', cause));
      reply = { purpose: 'refusal', number, data: 'handler_failed' };
    }
    try {
      await this.#reply(reply);
    } finally {
      this.#answering -= 1;
    }
  }

  /** What cannot be sent is not, and the peer is told that it failed if there is room for that. */
  async #reply(message: Message): Promise<void> {
    try {
      await this.#post(message);
    } catch (error) {
      // One that floods us with requests and reads no refusals is told no more, and its requests run out of time.
      if (this.#error || message.purpose === 'refusal') return;
      this.#events.emit('error', error as ChannelError);
      await this.#reply({ purpose: 'refusal', number: message.number, data: 'handler_failed' });
    }
  }

  /** It ends because of something that somebody has to know. */
  #fail(error: ChannelError): void {
    this.#end(error);
    this.#events.emit('error', error);
  }

  #end(error: ChannelError): void {
    if (this.#error) return;
    this.#error = error;
    const channel = this.#channel;
    channel.onopen = channel.onmessage = channel.onbufferedamountlow = channel.onclose = null;
    channel.close();
    this.#assembler.clear();
    this.#handed.clear();
    this.#requests.clear(error);
    for (const refuse of [...this.#unsent]) refuse(error);
    this.#events.emit('close', { error });
  }
}
