// Everybody in the room and the connections to them: what the server tells becomes what is to be done.

import { Emitter } from '../emitter.ts';
import type { SignalingClient } from '../signaling/client.ts';
import { type Clock, elapsedTime, machineClock, watchSurroundings } from '../signaling/environment.ts';
import type { SignalingError } from '../signaling/error.ts';
import type { State } from '../signaling/state.ts';
import type { JoinedFrame, PeerJoinedFrame } from '../wire.generated.ts';
import { Channels } from './channels.ts';
import type { PeerConnectionClass } from './connection.ts';
import { MeshError } from './error.ts';
import { IceServers } from './ice-servers.ts';
import { Media } from './media.ts';
import { ABSENT_MS, Pair, type PeerChange, type PeerFacts } from './pair.ts';
import type { Peer } from './peer.ts';
import type { Publication, PublishOptions, RemotePublication } from './publication.ts';
import { ICE_TIMEOUT_MS } from './recovery.ts';
import type { RoomChannel, RoomChannelOptions } from './room-channel.ts';
import { recognise } from './roster.ts';

/** Most people whose return is waited for, beside those who are connected. */
const ABSENT_PEERS = 64;
/** How often a signal is sent again to a peer that has too much waiting. */
const RESENDS = 10;
const RESEND_MS = 1_000;
/** News about the network come in bursts. */
const ONLINE_MS = 1_000;
/** Reasons of our own end after which nothing goes on. After any other, connections stay until they fail. */
const FINAL = ['left', 'aborted', 'kicked', 'session_taken', 'room_closed', 'code_4500', 'code_4501', 'code_4503'];

/** How connections to peers are made. */
export interface MeshOptions {
  /** What else goes into each `RTCPeerConnection`; its `iceServers` come after those of the server. */
  rtc?: RTCConfiguration | undefined;
  /** By default the browser's. */
  RTCPeerConnection?: PeerConnectionClass | undefined;
  /** Milliseconds that a connection may take before it is tried again. Default: 15 000. */
  iceTimeoutMs?: number | undefined;
  /** Named channels that are there from the beginning. */
  channels?: { [name: string]: RoomChannelOptions } | undefined;
  /** For tests. */
  clock?: Clock | undefined;
}

/** A track of a peer's. */
export interface PeerTrack {
  /** Whose it is. */
  peer: Peer;
  /** For `srcObject`; it has all of the publication's tracks. */
  stream: MediaStream;
  /** The track itself. */
  track: MediaStreamTrack;
  /** What it belongs to. */
  publication: RemotePublication;
}

/** What a mesh tells. */
export interface MeshEvents {
  /** Something about a peer has changed. */
  peer: { peer: Peer; change: PeerChange };
  /** Another track of a peer's. */
  track: PeerTrack;
  /** A trouble that no promise tells. */
  error: MeshError;
}

/**
 * The mesh over a {@link SignalingClient}: one `RTCPeerConnection` to each peer of the room. `Room` is the friendlier side of it. It listens
 * to the client, and neither starts nor closes it.
 */
export class MeshCoordinator {
  /** @internal */
  readonly iceTimeoutMs: number;
  /** @internal Milliseconds, of a clock that never goes back and counts the time that the machine was asleep. */
  readonly now: () => number;
  /** @internal */
  readonly channels: Channels;
  /** @internal What we publish. */
  readonly media: Media;
  readonly #client: SignalingClient;
  readonly #options: MeshOptions;
  readonly #clock: Clock;
  readonly #events = new Emitter<MeshEvents>();
  readonly #off: (() => void)[];
  #pairs: Pair[] = []; // in the room, or still connected; in the order of their coming
  #absent: Pair[] = []; // gone, and not forgotten yet
  #joined = false;
  #closed = false;
  #capacity = Infinity;
  readonly #ice = new IceServers();
  #features: readonly string[] = [];
  #onlineAt = -Infinity;
  #timer: unknown;
  #timerAt = Infinity;

  constructor(client: SignalingClient, options: MeshOptions = {}) {
    this.#client = client;
    this.#options = options;
    this.iceTimeoutMs = options.iceTimeoutMs ?? ICE_TIMEOUT_MS;
    this.#clock = options.clock ?? machineClock;
    this.now = elapsedTime(this.#clock);
    this.media = new Media({
      sync: () => this.#sync(),
      failed: (cause) => this.trouble(new MeshError('negotiation_failed', 'the browser refuses a track', { cause })),
      told: () => {
        for (const pair of this.#pairs) pair.tellStreams();
      },
    });
    this.channels = new Channels({ pairs: () => this.#pairs, trouble: (error) => this.trouble(error) });
    for (const [name, how] of Object.entries(options.channels ?? {})) this.channel(name, how);
    this.#off = [
      client.on('welcome', ({ features }) => {
        this.#features = features;
      }),
      client.on('joined', (frame) => this.#joinedAs(frame)),
      client.on('peer_joined', (frame) => this.#peerJoined(frame)),
      client.on('peer_left', ({ id, reason }) => this.#with(id, (pair) => this.#left(pair, reason))),
      client.on('peer_updated', ({ id, meta }) => {
        this.#with(id, (pair) => {
          pair.meta = meta;
          this.changed(pair, 'updated');
        });
      }),
      client.on('peer_away', ({ id }) => this.#present(id, 'away')),
      client.on('peer_back', ({ id }) => this.#present(id, 'here')),
      client.on('signal', ({ from, kind, data }) => this.#with(from, (pair) => kind !== 'app' && pair.receive(kind, data))),
      client.on('ice_servers', ({ iceServers, ttlMs }) => {
        this.#ice.use(iceServers, ttlMs, this.now());
        this.#configure();
      }),
      client.on('permissions', ({ re }) => {
        // The credentials may have been bound to the end of the former token.
        if (re !== undefined && this.#ice.ends) this.#askForServers();
      }),
      client.on('kicked', ({ who }) => this.#kicked(who)),
      client.on('state', (state) => this.#clientState(state)),
      watchSurroundings((kind) => kind === 'online' && this.#online()),
    ];
  }

  /** Whether we are in the room, and connected to the server. */
  get joined(): boolean {
    return this.#joined;
  }

  /** Those who are in the room, and those who are not and still connected to us. */
  get peers(): Peer[] {
    return this.#pairs.map(({ peer }) => peer);
  }

  /** The channel behind `room.send`. */
  get messages(): RoomChannel {
    return this.channels.messages;
  }

  /** Calls `listener` at each such event. Returns what ends that. */
  on<K extends keyof MeshEvents>(type: K, listener: (detail: MeshEvents[K]) => void): () => void {
    return this.#events.on(type, listener);
  }

  /** Sends a stream, or a track in one of its own, to everybody, and to whoever comes later. Resolves when the connections know. */
  async publish(media: MediaStream | MediaStreamTrack, options: PublishOptions = {}): Promise<Publication> {
    if (this.#closed) throw new MeshError('closed', 'the room was left');
    return this.media.publish(media, options);
  }

  /** The channel of that name. Its options count where it is asked for first. */
  channel(name: string, options: RoomChannelOptions = {}): RoomChannel {
    return this.channels.channel(name, options);
  }

  /** Closes all connections, for good. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#joined = false;
    for (const off of this.#off) off();
    this.#clock.clearTimeout(this.#timer);
    const error = new MeshError('closed', 'the room was left');
    for (const pair of this.#pairs) pair.end(error);
    this.media.end();
    this.#pairs = this.#absent = [];
  }

  // What follows is for the pairs.

  /** @internal Another connection to that peer; undefined where there are as many as the room has seats. Throws what the browser does. */
  newConnection(pair: Pair): RTCPeerConnection | undefined {
    const Class = this.#options.RTCPeerConnection ?? globalThis.RTCPeerConnection;
    const others = this.#pairs.filter((other) => other !== pair && other.connection);
    const gone = others.filter(({ presence }) => presence === 'gone').sort((a, b) => a.goneAt - b.goneAt);
    for (let excess = others.length + 2 - this.#capacity; excess > 0; excess -= 1) {
      const oldest = gone.shift();
      if (!oldest) return undefined;
      this.over(oldest);
    }
    return new Class(this.#configuration());
  }

  /** @internal Signals to a peer; to one that has too much waiting, again, as long as that is of use. */
  signal(pair: Pair, kind: 'offer' | 'answer' | 'candidate', data: unknown, isCurrent: () => boolean): void {
    if (pair.presence === 'gone' || this.#closed) return;
    const { id } = pair;
    const send = (left: number): void => {
      this.#client.signal(id, kind, data).catch((error: SignalingError) => {
        if (error.code !== 'peer_busy' || left === 0) return;
        this.#clock.setTimeout(() => {
          if (pair.id === id && isCurrent()) send(left - 1);
        }, error.retryAfterMs ?? RESEND_MS);
      });
    };
    send(RESENDS);
  }

  /** @internal */
  changed(pair: Pair, change: PeerChange): void {
    this.#events.emit('peer', { peer: pair.peer, change });
  }

  /** @internal */
  track(track: PeerTrack): void {
    this.#events.emit('track', track);
  }

  /** @internal */
  trouble(error: MeshError): void {
    this.#events.emit('error', error);
  }

  /** @internal Nothing is left of that peer, but that it may come back. */
  over(pair: Pair): void {
    pair.end(new MeshError('peer_gone', 'the peer has left the room', { peers: [pair.id] }));
    pair.held.clear();
    this.#pairs = this.#pairs.filter((other) => other !== pair);
    if (pair.who !== undefined) this.#absent.push(pair);
    this.#absent.splice(0, this.#absent.length - ABSENT_PEERS);
    this.changed(pair, 'left');
  }

  /** @internal One timer for all that is due. */
  arm(): void {
    const gone = this.#pairs.map(({ goneAt }) => goneAt + ABSENT_MS);
    const dueAt = Math.min(this.#ice.dueAt, ...gone, ...this.#pairs.map(({ recovery }) => recovery.dueAt));
    if (this.#closed || dueAt === this.#timerAt) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = dueAt;
    if (dueAt === Infinity) return;
    this.#timer = this.#clock.setTimeout(() => this.#tick(), Math.max(0, dueAt - this.now()));
  }

  #tick(): void {
    this.#timerAt = Infinity;
    const now = this.now();
    if (now >= this.#ice.dueAt) this.#askForServers();
    for (const pair of [...this.#pairs]) {
      if (now >= pair.goneAt + ABSENT_MS) this.over(pair);
      else pair.tick(now);
    }
    this.arm();
  }

  #with(id: string, act: (pair: Pair) => unknown): void {
    const pair = this.#pairs.find((one) => one.id === id);
    if (!pair) return;
    act(pair);
    this.arm();
  }

  #joinedAs(frame: JoinedFrame): void {
    this.#joined = true;
    this.#capacity = frame.capacity;
    this.#ice.use(frame.iceServers, frame.iceTtlMs, this.now());
    this.#configure();
    if (frame.peers) this.#roster(frame.peers, frame.complete === false);
    else for (const pair of this.#pairs) pair.reach();
    this.arm();
  }

  /** All that are in the room. `resumed`: we are who we were, and so are they. */
  #roster(present: readonly PeerFacts[], resumed: boolean): void {
    const known = recognise([...this.#absent, ...this.#pairs], present);
    const there = new Set(known.values());
    for (const pair of [...this.#pairs]) if (!there.has(pair)) this.#left(pair, 'disconnected');
    for (const facts of present) {
      const pair = known.get(facts.id);
      if (resumed && pair?.id === facts.id && this.#pairs.includes(pair)) {
        pair.know(facts);
        pair.resumes();
        this.changed(pair, 'presence');
      } else this.#appeared(pair, facts, true);
    }
  }

  #peerJoined(frame: PeerJoinedFrame): void {
    const replaced = this.#pairs.find(({ id }) => id === frame.replaces);
    const gone = [...this.#absent, ...this.#pairs.filter(({ presence }) => presence === 'gone')];
    this.#appeared(replaced ?? recognise(gone, [frame]).get(frame.id), frame, false);
    this.arm();
  }

  #appeared(known: Pair | undefined, facts: PeerFacts, offers: boolean): void {
    const stays = known !== undefined && this.#pairs.includes(known);
    const pair = known ?? new Pair(this, facts);
    pair.know(facts);
    this.#absent = this.#absent.filter((one) => one !== pair);
    if (!stays) this.#pairs = [...this.#pairs, pair];
    this.changed(pair, stays ? 'presence' : 'joined');
    pair.appears(facts, offers);
  }

  #left(pair: Pair, reason: string): void {
    if (pair.leaves(reason)) this.changed(pair, 'presence');
    else this.over(pair);
  }

  #present(id: string, presence: 'here' | 'away'): void {
    this.#with(id, (pair) => {
      pair.presence = presence;
      pair.reach();
      this.changed(pair, 'presence');
    });
  }

  #kicked(who: string | undefined): void {
    if (who === undefined) return;
    for (const pair of [...this.#pairs]) if (pair.who === who && pair.presence === 'gone') this.over(pair);
  }

  #clientState(state: State): void {
    if (state.name === 'joined') return;
    this.#joined = false;
    if (state.name === 'closed') {
      if (FINAL.includes(state.reason)) return this.close();
      for (const pair of [...this.#pairs]) this.#left(pair, 'disconnected');
    }
    for (const pair of this.#pairs) pair.reach();
    this.arm();
  }

  #online(): void {
    const now = this.now();
    if (now - this.#onlineAt < ONLINE_MS) return;
    this.#onlineAt = now;
    for (const pair of this.#pairs) pair.online();
    this.arm();
  }

  #configuration(): RTCConfiguration {
    const { rtc } = this.#options;
    return { ...rtc, iceServers: [...this.#ice.servers, ...(rtc?.iceServers ?? [])] };
  }

  #configure(): void {
    for (const { connection } of this.#pairs) {
      try {
        connection?.pc.setConfiguration(this.#configuration());
      } catch (cause) {
        this.trouble(new MeshError('negotiation_failed', 'the ICE servers cannot be used', { cause }));
      }
    }
    this.arm();
  }

  /** Each `joined` brings fresh ones: nobody has to ask without being in the room. */
  #askForServers(): void {
    this.#ice.asked();
    if (!this.#joined || !this.#features.includes('ice')) return;
    this.#client.request({ type: 'ice' }).catch(({ retryAfterMs = 0 }: SignalingError) => {
      this.#ice.refused(retryAfterMs, this.now());
      this.arm();
    });
  }

  async #sync(): Promise<void> {
    const done = await Promise.allSettled(this.#pairs.map((pair) => pair.sync()));
    for (const one of done) if (one.status === 'rejected') throw one.reason;
  }
}
