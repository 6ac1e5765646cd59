// Us and one peer: who it is, the connection between the two, and its way back. The rules are those of negotiation.ts and recovery.ts.

import type { LeaveReason, Meta, Open } from '../wire.generated.ts';
import { Channel, LARGEST_BYTES } from './channel.ts';
import type { Unread } from './channel-framing.ts';
import { PairConnection, type SignalledDescription } from './connection.ts';
import type { MeshCoordinator } from './coordinator.ts';
import { MeshError, PeerUnreachable } from './error.ts';
import { Held } from './held.ts';
import { labelOf } from './negotiation.ts';
import { type Path, pathOf } from './path.ts';
import { Peer, type Presence } from './peer.ts';
import type { RemotePublication, Slot } from './publication.ts';
import { Recovery, type UnreachableReason } from './recovery.ts';
import { RemoteMedia } from './remote-media.ts';
import { PeerChannel } from './room-channel.ts';

/** A connection to somebody who does not come back to the room is kept so long at most. */
export const ABSENT_MS = 600_000;
/** Connections of the peer's that are remembered as gone: what is signalled of them is not looked at. */
const FORMER = 16;
/** Most named channels that a peer may have open on one connection: as many as it may name. */
const PEER_CHANNELS = 64;
/** Most bytes of its unfinished messages, over all channels of one connection: four of the longest at the same time. */
const UNREAD_BYTES = 4 * LARGEST_BYTES;

/** Reasons of a leave that was meant. After any other, known or not, the peer may be back: a connection that is up stays. */
const MEANT: readonly string[] = ['left', 'kicked', 'room_closed'] satisfies LeaveReason[];

/** What the server tells of a peer. */
export interface PeerFacts {
  id: string;
  who?: string;
  meta?: Meta;
  user?: string;
  polite: boolean;
  away?: unknown;
}

/** What about a peer has changed: see `RoomEvents.peer`. */
export type PeerChange = 'joined' | 'left' | 'updated' | 'presence' | 'state' | 'unreachable' | 'media';

const object = (value: unknown): value is { [name: string]: unknown } => typeof value === 'object' && value !== null;

export class Pair {
  readonly mesh: MeshCoordinator;
  readonly peer: Peer = new Peer(this);
  id: string;
  who: string | undefined;
  meta: Meta = {};
  user: string | undefined;
  polite: boolean;
  presence: Presence = 'here';
  unreachable: PeerUnreachable | undefined;
  connection: PairConnection | undefined;
  /** Since when it is not in the room. */
  goneAt: number = Infinity;
  readonly recovery: Recovery;
  /** What it says where nobody listens yet. */
  readonly held: Held = new Held();
  readonly #ends = new Map<string, PeerChannel>();
  readonly #former: string[] = [];
  readonly #senders = new Map<Slot, RTCRtpSender>();
  readonly #remote = new RemoteMedia(this.peer, () => this.mesh.changed(this, 'media'));
  #control: Channel | undefined;
  /** Of the connection there is: closing that tells its channels nothing, and what they have to send would wait for ever. */
  readonly #channels = new Set<Channel>();
  /** Of the channels that it has opened, the names. */
  readonly #incoming = new Set<string>();
  #unread: Unread = { bytes: 0, most: UNREAD_BYTES };
  #state: RTCPeerConnectionState = 'new';

  constructor(mesh: MeshCoordinator, facts: PeerFacts) {
    this.mesh = mesh;
    this.id = facts.id;
    this.polite = facts.polite;
    this.recovery = new Recovery({ polite: facts.polite, timeoutMs: mesh.iceTimeoutMs });
    this.know(facts);
  }

  get state(): RTCPeerConnectionState {
    return this.unreachable ? 'failed' : this.#state;
  }

  get publications(): readonly RemotePublication[] {
    return this.#remote.publications;
  }

  /** What the server says of it now. */
  know({ id, who, meta, user, away }: PeerFacts): void {
    this.id = id;
    this.who = who;
    this.meta = meta ?? {};
    this.user = user;
    this.presence = away ? 'away' : 'here';
    this.goneAt = Infinity;
  }

  /**
   * It is in the room, as somebody new or as who it was. `offers`: the next move is ours. What the two have with each other is kept if it is
   * up; whether the peer still holds the other end shows by what it signals.
   */
  appears({ polite }: PeerFacts, offers: boolean): void {
    this.polite = this.recovery.polite = polite;
    this.unreachable = undefined;
    this.recovery.renew();
    this.reach();
    if (this.connection?.alive) return this.connection.resettle(polite, offers);
    if (offers) return this.#build();
    this.#drop();
    this.#state = 'new';
    this.recovery.begun(this.mesh.now()); // its offer is on its way
  }

  /** The same session goes on, and something between was lost: an offer, an answer, candidates. */
  resumes(): void {
    this.reach();
    if (this.unreachable) return;
    if (this.connection) this.connection.resettle(this.polite, true);
    else this.#build();
  }

  /** Whether what we signal gets to it may have changed. */
  reach(): void {
    this.recovery.signals(this.mesh.joined && this.presence === 'here', this.mesh.now());
  }

  /** It is not in the room any more. Returns whether the connection to it goes on. */
  leaves(reason: Open<LeaveReason>): boolean {
    this.presence = 'gone';
    this.goneAt = this.mesh.now();
    this.reach();
    const { connection } = this;
    if (MEANT.includes(reason) || !connection?.alive) this.end(new MeshError('peer_gone', 'the peer has left the room'));
    return this.connection !== undefined;
  }

  /** There is no connection any more. */
  end(error: MeshError): void {
    this.#drop();
    this.recovery.ended();
    for (const end of this.#ends.values()) end.fail(error);
  }

  retry(): void {
    if (!this.unreachable || this.presence === 'gone') return;
    this.unreachable = undefined;
    this.recovery.renew();
    this.#build();
    this.mesh.changed(this, 'state');
  }

  /** The network has changed: what was up may have other paths now. */
  online(): void {
    if (this.unreachable) return this.retry();
    if (this.presence === 'gone') return;
    this.recovery.renew();
    this.connection?.restart();
  }

  /** Time has gone by. */
  tick(now: number): void {
    const action = this.recovery.tick(now);
    if (action === 'rebuild' || (action === 'restart' && !this.connection)) this.#build();
    else if (action === 'restart') this.connection?.restart();
    else if (action === 'give_up') this.#giveUp(this.recovery.reason);
    else if (action === 'unanswered') this.mesh.trouble(new MeshError('negotiation_failed', 'no answer', { peers: [this.id] }));
  }

  /** It signals. */
  receive(kind: string, data: unknown): void {
    const label = labelOf(data);
    if (!label || !object(data) || this.#former.includes(label.id)) return;
    if (kind === 'candidate') return this.connection?.receiveCandidate(label, data as RTCIceCandidateInit);
    if (data['type'] !== kind || typeof data['sdp'] !== 'string') return;
    const description = { ...data, connection: label } as unknown as SignalledDescription;
    if (this.connection) return this.connection.receive(description);
    // One that is for a connection which we don't hold cannot be answered; but it shows that the peer wants one.
    if (kind === 'offer') this.#demanded(label.peer === undefined ? description : undefined);
  }

  /** The peer wants another connection than there is, and may have offered one. */
  #demanded(offer?: SignalledDescription): void {
    const may = this.recovery.demand(this.mesh.now());
    if (may === 'first')
      this.mesh.trouble(new MeshError('too_many', 'a peer wants ever new connections', { peers: [this.id] }));
    if (may !== 'yes') return;
    this.#build();
    if (offer) this.connection?.receive(offer);
  }

  /** Brings what we publish to it. */
  async sync(): Promise<void> {
    const { connection } = this;
    if (!connection) return;
    const { pc } = connection;
    const slots = new Set(this.mesh.media.slots);
    for (const [slot, sender] of this.#senders) {
      if (slots.has(slot)) continue;
      this.#senders.delete(slot);
      pc.removeTrack(sender);
    }
    const replaced: Promise<void>[] = [];
    for (const slot of slots) {
      const sender = this.#senders.get(slot);
      if (!sender) {
        if (!connection.holdsUp(slot.track.kind)) this.#senders.set(slot, pc.addTrack(slot.track, slot.stream));
      } else if (sender.track !== slot.track) replaced.push(sender.replaceTrack(slot.track));
    }
    await connection.untilClosed(Promise.all(replaced));
  }

  /** Lets it know what has changed about what we publish. */
  tellStreams(): void {
    void this.#control?.send({ streams: this.mesh.media.facts });
  }

  /** Its end of the channel `name`; undefined where there is no connection any more, and none will be. */
  endOf(name: string): PeerChannel | undefined {
    if (this.presence === 'gone' && !this.connection) return undefined;
    const end = this.#ends.get(name) ?? new PeerChannel();
    this.#ends.set(name, end);
    return end;
  }

  /** Opens the named channel to it, if there is a connection. */
  open(name: string, options: RTCDataChannelInit): void {
    const { connection } = this;
    if (!connection) return;
    const channel = this.#channel(connection.channel(name, options));
    this.mesh.channels.listen(this, name, channel);
    this.endOf(name)?.attach(channel);
  }

  async path(): Promise<Path | undefined> {
    const report = await this.connection?.pc.getStats();
    return report && pathOf(report as never);
  }

  /** Another connection; creating its channels is what makes the browser offer, unless the peer's offer is applied at once. */
  #build(): void {
    this.#drop();
    this.recovery.begun(this.mesh.now());
    let pc: RTCPeerConnection | undefined;
    try {
      pc = this.mesh.newConnection(this);
      if (!pc) return this.#giveUp('over_capacity');
      this.#connect(pc);
    } catch (cause) {
      // A browser that makes no such connection is this peer's trouble, and no other's.
      pc?.close();
      this.#giveUp('negotiation_failed', cause);
    }
  }

  #connect(pc: RTCPeerConnection): void {
    this.#state = 'new';
    this.#unread = { bytes: 0, most: UNREAD_BYTES };
    const connection: PairConnection = new PairConnection(pc, this.polite, {
      signal: (kind, data, isCurrent) => this.mesh.signal(this, kind, data, isCurrent),
      streams: () => this.mesh.media.facts,
      streamsOf: (streams) => this.#remote.describe(streams),
      offered: () => this.recovery.offered(this.mesh.now()),
      described: () => this.recovery.described(),
      changed: () => this.#changed(connection),
      replaced: (offer) => this.#replaced(offer),
      misdirected: (offer) => this.#misdirected(connection, offer),
      stable: () => this.#sync(),
      failed: (cause) => this.#failed(cause),
      track: (event) => this.#track(event),
      channel: (channel) => this.#opened(channel),
    });
    this.connection = connection;
    this.#attach(connection);
    for (const [name, options] of this.mesh.channels.opened) this.open(name, options);
    this.#sync();
    this.mesh.arm();
  }

  /** Where nobody waits for it. */
  #sync(): void {
    this.sync().catch((cause) => this.mesh.media.failed(cause));
  }

  #channel(data: RTCDataChannel): Channel {
    const channel = new Channel(data, { unread: this.#unread });
    this.#channels.add(channel);
    channel.on('close', () => this.#channels.delete(channel));
    return channel;
  }

  #attach(connection: PairConnection): void {
    const messages = this.#channel(connection.messages);
    this.mesh.channels.listen(this, '', messages);
    this.endOf('')?.attach(messages);
    const control = this.#channel(connection.control);
    this.#control = control;
    control.on('message', ({ data }) => {
      if (!object(data) || !object(data['streams'])) return;
      this.#remote.describe(data['streams']);
      this.mesh.changed(this, 'media');
    });
    // The other end is closed, and nothing that is up has such an end: its page is gone, or has made another connection.
    control.on('close', () => {
      if (connection === this.connection && !connection.closed) this.#ended();
    });
  }

  #drop(): void {
    const { connection } = this;
    if (!connection) return;
    this.#former.push(...[connection.negotiation.peer].filter((id): id is string => !!id));
    this.#former.splice(0, this.#former.length - FORMER);
    this.connection = this.#control = undefined;
    for (const channel of [...this.#channels]) channel.close();
    connection.close();
    this.#senders.clear();
    this.#incoming.clear();
    this.#state = 'closed';
    this.#remote.clear();
  }

  /** The peer may go on trying, which is answered; whether that comes to nothing, too, is no news. */
  #giveUp(reason: UnreachableReason, cause?: unknown): void {
    if (this.unreachable) return this.end(this.unreachable);
    this.unreachable = new PeerUnreachable(reason, this.id, cause);
    this.end(this.unreachable);
    this.mesh.changed(this, 'unreachable');
    this.mesh.trouble(this.unreachable);
  }

  #changed(connection: PairConnection): void {
    if (connection !== this.connection) return;
    this.#state = connection.pc.connectionState;
    if (this.#state === 'connected') this.unreachable = undefined;
    this.recovery.connection(this.#state, this.mesh.now());
    if (this.presence === 'gone' && !connection.alive) return this.#ended();
    this.mesh.changed(this, 'state');
    this.mesh.arm();
  }

  #ended(): void {
    if (this.presence === 'gone') return this.mesh.over(this);
    this.recovery.connection('closed', this.mesh.now());
    this.mesh.arm();
  }

  #failed(cause: unknown): void {
    this.recovery.negotiationFailed(this.mesh.now());
    this.mesh.trouble(new MeshError('negotiation_failed', 'a description could not be used', { peers: [this.id], cause }));
    this.mesh.arm();
  }

  /** The peer has another connection than we knew: the one that we have leads nowhere. */
  #replaced(offer: SignalledDescription): void {
    if (!this.#former.includes(offer.connection.id)) this.#demanded(offer);
  }

  /** It offers to a connection that we don't hold. Unless an offer of ours is on its way, it has to have one that it can answer. */
  #misdirected(connection: PairConnection, offer: SignalledDescription): void {
    const { peer } = connection.negotiation;
    if (peer !== undefined && peer !== offer.connection.id) this.#demanded();
  }

  #track(event: RTCTrackEvent): void {
    const publication = this.#remote.track(event);
    this.mesh.track({ peer: this.peer, stream: publication.stream, track: event.track, publication });
  }

  #opened(data: RTCDataChannel): void {
    const { label } = data;
    const incoming = this.#incoming;
    if (incoming.size >= PEER_CHANNELS || incoming.has(label)) return data.close();
    incoming.add(label);
    const channel = this.#channel(data);
    channel.on('close', () => incoming.delete(label));
    this.mesh.channels.listen(this, label, channel);
  }
}
