// A room, as an application uses it: the signaling client and the mesh as one.

import { Emitter } from '../emitter.ts';
import { SignalingClient } from '../signaling/client.ts';
import type { SignalingError } from '../signaling/error.ts';
import type { State } from '../signaling/state.ts';
import type { Meta, Open, Permission, PermissionsFrame } from '../wire.generated.ts';
import type { RequestOptions } from './channel.ts';
import { MeshCoordinator } from './coordinator.ts';
import type { Peer } from './peer.ts';
import type { Publication, PublishOptions } from './publication.ts';
import type { RoomChannel, RoomChannelOptions, RoomMessage, SendOptions } from './room-channel.ts';
import type { KickOptions, KickTarget, RoomEvents, RoomOptions, RoomSnapshot, Self } from './room-types.ts';

/** Most events that wait for a `for await` that is slower than they come; beyond, the oldest are lost. */
const WAITING_EVENTS = 1_024;
/** What the mesh itself reacts to: nobody else has to. */
const HANDLED = ['peer_not_found', 'peer_busy', 'session_lost', 'connection_lost'];

/**
 * A room that we are in. Three things may fail here, and each goes on without the others: the connection to the server (`state`), a peer's
 * presence in the room (`peer.presence`), and the connection to a peer (`peer.state`). All of them come back by themselves.
 */
export class Room {
  /** The signaling connection beneath, for what `Room` has no method for. */
  readonly signaling: SignalingClient;
  /** The mesh beneath. */
  readonly mesh: MeshCoordinator;
  /** What it is called. */
  readonly name: string;
  readonly #events = new Emitter<RoomEvents>();
  readonly #changes = new Set<() => void>();
  readonly #ends = new Set<() => void>();
  #self: Self = { id: '', meta: {} };
  #locked = false;
  #capacity = 0;
  #permissions: readonly Open<Permission>[] | undefined;
  #snapshot: RoomSnapshot | undefined;

  /** @internal For `joinRoom`. */
  constructor(name: string, { url = '/ws', signal: _, ...options }: RoomOptions) {
    this.name = name;
    const client = new SignalingClient({ ...options, url, room: name });
    this.signaling = client;
    this.mesh = new MeshCoordinator(client, options);
    const { mesh } = this;
    mesh.on('peer', (detail) => this.#tell('peer', detail));
    mesh.on('track', (detail) => this.#tell('track', detail));
    mesh.on('error', (error) => this.#events.emit('error', error));
    mesh.messages.on('message', (message) => this.#events.emit('message', message));
    this.#follow(client);
  }

  #follow(client: SignalingClient): void {
    client.on('joined', ({ self, locked, complete, capacity, permissions }) => {
      this.#self = { ...self, meta: self.meta ?? {} };
      if (!complete) this.#locked = locked ?? false;
      this.#capacity = capacity;
      this.#permissions = permissions;
    });
    client.on('peer_updated', ({ id, meta }) => {
      if (id !== this.#self.id) return;
      this.#self = { ...this.#self, meta };
      this.#changed();
    });
    client.on('permissions', ({ permissions }) => {
      this.#permissions = permissions;
      this.#changed();
    });
    client.on('room_state', ({ locked }) => {
      this.#locked = locked;
      this.#changed();
    });
    client.on('notice', ({ text }) => this.#events.emit('notice', { text }));
    client.on('error', (error) => {
      if (!HANDLED.includes(error.code)) this.#events.emit('error', error);
    });
    client.on('state', (state) => {
      this.#tell('state', state);
      if (state.name === 'closed') for (const end of [...this.#ends]) end();
    });
  }

  /** Who we are in it. */
  get self(): Self {
    return this.#self;
  }

  /** How the connection to the server is doing. */
  get state(): State {
    return this.signaling.state;
  }

  /** Those who are in the room, and those who are not any more and still connected to us. */
  get peers(): readonly Peer[] {
    return this.getSnapshot().peers;
  }

  /** What we publish. */
  get publications(): readonly Publication[] {
    return this.mesh.media.publications;
  }

  /** Whether the room lets nobody in. */
  get locked(): boolean {
    return this.#locked;
  }

  /** Most peers that it takes, ourselves included. */
  get capacity(): number {
    return this.#capacity;
  }

  /** What a token lets us do; undefined without one. */
  get permissions(): readonly Open<Permission>[] | undefined {
    return this.#permissions;
  }

  /** Calls `listener` at each such event. Returns what ends that. */
  on<K extends keyof RoomEvents>(type: K, listener: (detail: RoomEvents[K]) => void): () => void {
    return this.#events.on(type, listener);
  }

  /** Calls `listener` at the next such event only. */
  once<K extends keyof RoomEvents>(type: K, listener: (detail: RoomEvents[K]) => void): () => void {
    return this.#events.once(type, listener);
  }

  /**
   * The events from now on, for `for await`; it ends when the room is left.
   *
   * @example
   * ```ts
   * for await (const { peer, data } of room.events('message')) console.log(peer.meta['name'], data);
   * ```
   */
  events<K extends keyof RoomEvents>(type: K): AsyncIterableIterator<RoomEvents[K]> {
    const waiting: RoomEvents[K][] = [];
    let asks: ((result: IteratorResult<RoomEvents[K]>) => void)[] = [];
    let over = this.state.name === 'closed';
    const end = () => {
      over = true;
      off();
      this.#ends.delete(end);
      for (const ask of asks) ask({ done: true, value: undefined });
      asks = [];
    };
    const off = this.on(type, (value) => {
      const ask = asks.shift();
      if (ask) return ask({ done: false, value });
      waiting.push(value);
      if (waiting.length > WAITING_EVENTS) waiting.shift();
    });
    if (over) off();
    else this.#ends.add(end);
    return {
      next: () => {
        const value = waiting.shift();
        if (value !== undefined) return Promise.resolve({ done: false, value });
        if (over) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => asks.push(resolve));
      },
      return: () => {
        waiting.length = 0;
        end();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /**
   * Sends what JSON can say, or bytes, to all peers or to some, over the connections between us. To a peer that is being connected it goes as
   * soon as it is. Resolves when little waits to be sent; rejects with `not_sent` when somebody cannot be reached.
   *
   * @example
   * ```ts
   * await room.send({ text: 'hello' });
   * await room.send(new Uint8Array([1, 2, 3]), { to: peer });
   * ```
   */
  send(data: unknown, options?: SendOptions): Promise<void> {
    return this.mesh.messages.send(data, options);
  }

  /**
   * Asks a peer, and resolves with what its `onRequest` makes of it.
   *
   * @example
   * ```ts
   * room.onRequest(({ data }) => (data === 'time' ? Date.now() : null));
   * const time = await room.request(peer, 'time', { timeoutMs: 2_000 });
   * ```
   */
  request(peer: Peer, data: unknown, options?: RequestOptions): Promise<unknown> {
    return this.mesh.messages.request(peer, data, options);
  }

  /** Answers `request`s from now on, in the place of any earlier handler. Returns what ends that. */
  onRequest(handler: (request: RoomMessage) => unknown): () => void {
    return this.mesh.messages.onRequest(handler);
  }

  /** A channel of its own to all peers, which others know by the same name. The first call says how it treats losses. */
  channel(name: string, options?: RoomChannelOptions): RoomChannel {
    return this.mesh.channel(name, options);
  }

  /**
   * Lets everybody see and hear a stream, or a track, and whoever comes later.
   *
   * @example
   * ```ts
   * const screen = await room.publish(await navigator.mediaDevices.getDisplayMedia(), { name: 'screen' });
   * ```
   */
  async publish(media: MediaStream | MediaStreamTrack, options?: PublishOptions): Promise<Publication> {
    const publication = await this.mesh.publish(media, options);
    this.#changed();
    return publication;
  }

  /** Replaces what the others know of us: all of it. */
  update(meta: Meta): Promise<void> {
    return this.signaling.update(meta);
  }

  /** Renews what we may, by another token of the same user. */
  setToken(token: string | (() => string | Promise<string>)): Promise<PermissionsFrame | undefined> {
    return this.signaling.setToken(token);
  }

  /**
   * Sends somebody away; asks for the permission `admin`.
   *
   * @example
   * ```ts
   * await room.kick(peer, { reason: 'off topic', banMs: 600_000 });
   * ```
   */
  async kick(target: KickTarget, { reason, banMs }: KickOptions = {}): Promise<void> {
    const fields = 'presence' in target ? { peer: target.id } : target;
    await this.signaling.request({
      type: 'kick',
      ...fields,
      ...(reason !== undefined && { reason }),
      ...(banMs !== undefined && { banMs }),
    });
  }

  /** Lets nobody in any more, or everybody again; asks for the permission `admin`. */
  async lock(locked = true): Promise<void> {
    await this.signaling.request({ type: 'lock', locked });
  }

  /** Calls `listener` when `getSnapshot` would return another object. Returns what ends that. */
  subscribe = (listener: () => void): (() => void) => {
    const entry = () => listener();
    this.#changes.add(entry);
    return () => {
      this.#changes.delete(entry);
    };
  };

  /** All of the room as it is now: the same object until something changes. */
  getSnapshot = (): RoomSnapshot => {
    this.#snapshot ??= {
      state: this.state,
      self: this.#self,
      peers: this.mesh.peers,
      publications: this.publications,
      locked: this.#locked,
      capacity: this.#capacity,
      permissions: this.#permissions,
    };
    return this.#snapshot;
  };

  /** Leaves for good: the others see it at once, and all connections are closed. Tracks that were published go on: they are yours. */
  async leave(): Promise<void> {
    this.mesh.close();
    await this.signaling.close();
    this.#changed();
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  #tell<K extends keyof RoomEvents>(type: K, detail: RoomEvents[K]): void {
    this.#changed();
    this.#events.emit(type, detail);
  }

  #changed(): void {
    this.#snapshot = undefined;
    for (const listener of [...this.#changes]) listener();
  }
}

/**
 * Goes into the room, and stays in it through lost connections and restarts of the server, until `leave`. Resolves when it is in; rejects with a
 * {@link SignalingError} when it is refused for good, or `options.signal` is triggered.
 *
 * @example
 * ```ts
 * const room = await joinRoom('quiet-otter', { url: 'wss://sb.example/ws', meta: { name: 'Ada' } });
 * room.on('message', ({ peer, data }) => console.log(peer.meta['name'], data));
 * await room.send({ hello: 'everybody' });
 * await room.leave();
 * ```
 */
export async function joinRoom(name: string, options: RoomOptions = {}): Promise<Room> {
  const room = new Room(name, options);
  try {
    options.joining?.(room);
    await room.signaling.start(options.signal);
  } catch (error) {
    await room.leave();
    throw error;
  }
  return room;
}
