// Channels of a room: one name, and behind it a data channel to each peer, which may come and go.

import { Emitter } from '../emitter.ts';
import { type Channel, type ChannelError, LARGEST_BYTES, type RequestOptions } from './channel.ts';
import { MeshError } from './error.ts';
import type { Peer } from './peer.ts';

/** Most messages that wait for one peer's connection. */
const WAITING_MESSAGES = 256;
/** Most bytes of them, by their JSON: whatever may be sent may wait, too. */
const WAITING_BYTES = LARGEST_BYTES;

/** How a channel treats what is lost or late on its way: as for `createDataChannel`. Without any of them: in order, nothing lost. */
export interface RoomChannelOptions {
  /** `false`: messages may overtake each other. */
  ordered?: boolean | undefined;
  /** How often what was lost is sent again. With it a message has to fit 16 KiB, and may be lost. */
  maxRetransmits?: number | undefined;
}

/** A message that came. */
export interface RoomMessage {
  /** Whose it is. */
  peer: Peer;
  /** What JSON can say, or a `Uint8Array`. */
  data: unknown;
}

/** What a channel tells. */
export interface RoomChannelEvents {
  /** A message came. */
  message: RoomMessage;
}

/** Who a message is for. */
export interface SendOptions {
  /** By default all peers. */
  to?: Peer | readonly Peer[] | undefined;
}

interface Waiting {
  act(channel: Channel): void;
  bytes: number;
  reject(error: MeshError): void;
}

/** One peer's end of a channel: what is sent while there is no connection waits for it, over any number of attempts. */
export class PeerChannel {
  #channel: Channel | undefined;
  #waiting: Waiting[] = [];
  #bytes = 0;

  /** From now on over this one. */
  attach(channel: Channel): void {
    this.#channel = channel;
    const ready = () => {
      if (this.#channel !== channel) return;
      this.#bytes = 0;
      for (const { act } of this.#waiting.splice(0)) act(channel);
    };
    if (channel.state === 'open') ready();
    else channel.once('open', ready);
  }

  /** There will be no connection: what waits is given up. */
  fail(error: MeshError): void {
    this.#bytes = 0;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  get open(): boolean {
    return this.#channel?.state === 'open';
  }

  /** Resolves when little waits to be sent. */
  send(data: unknown): Promise<void> {
    return this.#when(data, (channel, copy) => channel.send(copy));
  }

  request(data: unknown, options?: RequestOptions): Promise<unknown> {
    return this.#when(data, (channel, copy) => channel.request(copy, options));
  }

  #when<T>(data: unknown, act: (channel: Channel, data: unknown) => Promise<T>): Promise<T> {
    const channel = this.#channel;
    if (channel?.state === 'open') return act(channel, data);
    return new Promise<T>((resolve, reject) => {
      const { copy, bytes } = snapshot(data); // as it is now: whoever sends it may go on to change it
      if (this.#waiting.length >= WAITING_MESSAGES || this.#bytes + bytes > WAITING_BYTES) {
        throw new MeshError('queue_full', 'too much waits for the connection to a peer');
      }
      this.#bytes += bytes;
      this.#waiting.push({ act: (ready) => act(ready, copy()).then(resolve, reject), bytes, reject });
    });
  }
}

function snapshot(data: unknown): { copy: () => unknown; bytes: number } {
  if (typeof Blob !== 'undefined' && data instanceof Blob) return { copy: () => data, bytes: data.size };
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) {
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
      : new Uint8Array(data.slice(0));
    return { copy: () => bytes, bytes: bytes.length };
  }
  const text = JSON.stringify(data);
  if (text === undefined) return { copy: () => data, bytes: 0 }; // the channel says what is wrong with it
  return { copy: () => JSON.parse(text), bytes: text.length };
}

/** What a channel needs of its room. */
export interface ChannelRoom {
  peersOf(): readonly Peer[];
  /** That peer's end of the channel `name`; undefined where there is none any more. */
  endOf(peer: Peer, name: string): PeerChannel | undefined;
  /** What came on that channel before anybody listened; it waits no longer. */
  heldFor(name: string): RoomMessage[];
}

/** Sends to several: resolves when all have it that can; whoever is gone from the room by then is no failure, unless named. */
async function sendTo(peers: readonly Peer[], named: boolean, send: (peer: Peer) => Promise<void>): Promise<void> {
  const missed: string[] = [];
  let cause: unknown;
  await Promise.all(
    peers.map((peer) =>
      send(peer).catch((error: MeshError | ChannelError) => {
        if (!named && peer.presence === 'gone') return;
        missed.push(peer.id);
        cause ??= error;
      }),
    ),
  );
  if (missed.length === 0) return;
  if (peers.length === 1) throw cause;
  throw new MeshError('not_sent', `not sent to ${missed.length} of ${peers.length} peers`, { peers: missed, cause });
}

/** What it throws at once is rejected like what fails later. */
const attempt = <T>(act: () => Promise<T>): Promise<T> => new Promise((resolve) => resolve(act()));

/**
 * A named channel to all peers of the room.
 *
 * @example
 * ```ts
 * const cursors = room.channel('cursors', { ordered: false, maxRetransmits: 0 });
 * cursors.on('message', ({ peer, data }) => console.log(peer.meta['name'], data));
 * addEventListener('pointermove', ({ clientX, clientY }) => cursors.send([clientX, clientY]));
 * ```
 */
export class RoomChannel {
  /** What both sides know it by. */
  readonly name: string;
  readonly #room: ChannelRoom;
  readonly #events = new Emitter<RoomChannelEvents>();
  #heard = false;
  #handler: ((request: RoomMessage) => unknown) | undefined;

  /** @internal For `room.channel`. */
  constructor(name: string, room: ChannelRoom) {
    this.name = name;
    this.#room = room;
  }

  /**
   * Sends what JSON can say, or bytes, to all peers or to some. To one that is being connected it goes as soon as it is. Resolves when
   * little waits to be sent: who waits for it sends no faster than the slowest path. Rejects when somebody cannot be reached: with
   * {@link MeshError} `not_sent`, or, to one peer, with what is the matter.
   */
  send(data: unknown, { to }: SendOptions = {}): Promise<void> {
    const peers = to === undefined ? this.#room.peersOf() : Array.isArray(to) ? (to as Peer[]) : [to as Peer];
    const sent = sendTo(peers, to !== undefined, (peer) => attempt(() => this.#end(peer).send(data)));
    sent.catch(() => {}); // a program must not end because nobody waits for it
    return sent;
  }

  /** Sends `data` to one peer, and resolves with what its `onRequest` makes of it. */
  request(peer: Peer, data: unknown, options?: RequestOptions): Promise<unknown> {
    const reply = attempt(() => this.#end(peer).request(data, options));
    reply.catch(() => {});
    return reply;
  }

  /** Answers requests from now on, in the place of any earlier handler. Returns what ends that. */
  onRequest(handler: (request: RoomMessage) => unknown): () => void {
    this.#handler = handler;
    return () => {
      if (this.#handler === handler) this.#handler = undefined;
    };
  }

  /** Calls `listener` with each message. The first one gets what came before it, too. Returns what ends that. */
  on(type: 'message', listener: (message: RoomMessage) => void): () => void {
    const off = this.#events.on(type, listener);
    if (this.#heard) return off;
    this.#heard = true;
    for (const message of this.#room.heldFor(this.name)) this.#events.emit('message', message);
    return off;
  }

  /** @internal A message came. Returns whether anybody has ever listened: if not, it has to wait. */
  receive(message: RoomMessage): boolean {
    if (this.#heard) this.#events.emit('message', message);
    return this.#heard;
  }

  /** @internal A request came. */
  answer(request: RoomMessage): unknown {
    if (!this.#handler) throw new Error('nobody answers requests here');
    return this.#handler(request);
  }

  #end(peer: Peer): PeerChannel {
    if (peer.unreachable) throw peer.unreachable;
    const end = this.#room.endOf(peer, this.name);
    if (!end) throw new MeshError('peer_gone', 'the peer is no longer in the room', { peers: [peer.id] });
    return end;
  }
}
