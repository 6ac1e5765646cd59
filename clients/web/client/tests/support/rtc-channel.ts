// Two ends of a data channel, and the path between them, in a time of its own.

import type { DataChannel } from '../../src/mesh/channel.ts';
import type { FakeClock } from './clock.ts';

/** How the path is. */
export interface Path {
  clock: FakeClock;
  latencyMs: number;
  /** What frames may come later by, where their order does not matter. */
  jitterMs: number;
  bytesPerMs: number;
  /** Nothing gets through while it is false; it is kept. */
  up: boolean;
  /** From 0 to 1, evenly. */
  random: () => number;
  /** How many of the frames are lost, where they may be. */
  loss: number;
}

export const goodPath = (clock: FakeClock, more: Partial<Path> = {}): Path => ({
  clock,
  latencyMs: 20,
  jitterMs: 0,
  bytesPerMs: 10_000,
  up: true,
  random: () => 0.5,
  loss: 0,
  ...more,
});

/** Where Chromium closes a channel; here, too, `send` throws. */
const MOST_BUFFERED_BYTES = 16 * 1024 * 1024;

type Handler = ((event: never) => void) | null;
export type ChannelInit = Pick<RTCDataChannelInit, 'ordered' | 'maxRetransmits' | 'maxPacketLifeTime' | 'protocol'>;

/** As an `RTCDataChannel`. */
export class FakeDataChannel extends EventTarget implements DataChannel {
  readonly label: string;
  readonly ordered: boolean;
  readonly maxRetransmits: number | null;
  readonly maxPacketLifeTime: number | null;
  readonly protocol: string;
  readyState: RTCDataChannelState = 'connecting';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType = 'blob';
  onopen: Handler = null;
  onmessage: Handler = null;
  onbufferedamountlow: Handler = null;
  onclose: Handler = null;
  onclosing: Handler = null;
  onerror: Handler = null;
  /** The most that was ever buffered. */
  mostBuffered = 0;
  /** The frames that were sent. */
  frames: Uint8Array[] = [];
  other: FakeDataChannel | undefined;
  readonly path: Path;
  #waiting: Uint8Array[] = [];
  #draining = false;
  #credit = 0;

  constructor(label: string, init: ChannelInit, path: Path) {
    super();
    this.label = label;
    this.ordered = init.ordered ?? true;
    this.maxRetransmits = init.maxRetransmits ?? null;
    this.maxPacketLifeTime = init.maxPacketLifeTime ?? null;
    this.protocol = init.protocol ?? '';
    this.path = path;
  }

  fire(type: string, facts: object = {}): void {
    const event = Object.assign(new Event(type), facts);
    (this as unknown as Record<string, Handler>)[`on${type}`]?.(event as never);
    this.dispatchEvent(event);
  }

  open(): void {
    if (this.readyState !== 'connecting') return;
    this.readyState = 'open';
    this.fire('open');
  }

  send(frame: ArrayBufferView<ArrayBuffer>): void {
    if (this.readyState !== 'open') throw new DOMException('not open', 'InvalidStateError');
    const bytes = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength).slice();
    if (this.bufferedAmount + bytes.length > MOST_BUFFERED_BYTES) throw new DOMException('full', 'OperationError');
    this.bufferedAmount += bytes.length;
    this.mostBuffered = Math.max(this.mostBuffered, this.bufferedAmount);
    this.frames.push(bytes);
    this.#waiting.push(bytes);
    this.#drain();
  }

  #drain(): void {
    if (this.#draining || this.#waiting.length === 0) return;
    this.#draining = true;
    this.path.clock.setTimeout(() => {
      this.#draining = false;
      this.#step();
      this.#drain();
    }, 1);
  }

  /** One millisecond of it. */
  #step(): void {
    if (!this.path.up) return;
    this.#credit = Math.min(this.#credit + this.path.bytesPerMs, Math.max(this.path.bytesPerMs, 65_536));
    const before = this.bufferedAmount;
    for (let frame = this.#waiting[0]; frame && frame.length <= this.#credit; frame = this.#waiting[0]) {
      this.#waiting.shift();
      this.#credit -= frame.length;
      this.bufferedAmount -= frame.length;
      this.#travel(frame);
    }
    const low = this.bufferedAmountLowThreshold;
    if (before > low && this.bufferedAmount <= low) this.fire('bufferedamountlow');
  }

  #travel(frame: Uint8Array): void {
    const { clock, latencyMs, jitterMs, loss, random } = this.path;
    const unreliable = this.maxRetransmits !== null || this.maxPacketLifeTime !== null;
    if (unreliable && random() < loss) return;
    clock.setTimeout(() => this.other?.arrive(frame), latencyMs + (this.ordered ? 0 : random() * jitterMs));
  }

  arrive(frame: Uint8Array): void {
    if (this.readyState !== 'open') return;
    if (this.binaryType !== 'arraybuffer') throw new Error('a Blob was wanted, of which this test knows nothing');
    this.fire('message', { data: frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.byteLength) });
  }

  close(): void {
    if (this.readyState === 'closing' || this.readyState === 'closed') return;
    this.readyState = 'closing';
    this.path.clock.setTimeout(() => {
      this.gone();
      this.other?.gone();
    }, this.path.latencyMs);
  }

  /** The connection beneath has ended, or the other end. */
  gone(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.#waiting = [];
    this.fire('close');
  }
}

/** Both ends of an open channel. */
export function channelPair(path: Path, init: ChannelInit = {}, back: Path = path): [FakeDataChannel, FakeDataChannel] {
  const ends: [FakeDataChannel, FakeDataChannel] = [
    new FakeDataChannel('test', init, path),
    new FakeDataChannel('test', init, back),
  ];
  [ends[0].other, ends[1].other] = [ends[1], ends[0]];
  for (const end of ends) end.open();
  return ends;
}
