// One RTCPeerConnection to a peer: the shell around the rules of negotiation.ts.

import { CHANNEL_PROTOCOL } from './channel.ts';
import { CandidateQueue, type ConnectionLabel, keepRole, Negotiation, randomId } from './negotiation.ts';

/** The browser's class, or one that does as it does. */
export type PeerConnectionClass = new (configuration?: RTCConfiguration) => RTCPeerConnection;

/** What is known of a stream that is sent: goes with each description, by the stream's id. */
export interface StreamFacts {
  name?: string;
  muted?: boolean;
}

/** A description as it is signalled. */
export interface SignalledDescription {
  type: RTCSdpType;
  sdp: string;
  connection: ConnectionLabel;
  /** The sender's streams, by their ids. */
  streams?: { [id: string]: StreamFacts };
}

/** Where its news go. Nothing is told of a connection that was closed here. */
export interface ConnectionNews {
  /** To the peer. `isCurrent` says later whether it is still of use. */
  signal(kind: 'offer' | 'answer' | 'candidate', data: unknown, isCurrent: () => boolean): void;
  /** For what goes with a description. */
  streams(): { [id: string]: StreamFacts };
  /** The peer's description is about to be applied. */
  streamsOf(streams: { [id: string]: StreamFacts }): void;
  /** An offer of ours has gone out. */
  offered(): void;
  /** The peer has described itself. */
  described(): void;
  /** `connectionState` has changed, or the first channel was closed at the other end. */
  changed(): void;
  /** The peer offers another connection than the one this is connected to. */
  replaced(offer: SignalledDescription): void;
  /** The peer offers to a connection that is not this one. */
  misdirected(offer: SignalledDescription): void;
  /** Nothing is being negotiated any more. */
  stable(): void;
  /** A description could not be worked with. */
  failed(error: unknown): void;
  track(event: RTCTrackEvent): void;
  /** A named channel of the peer's. */
  channel(channel: RTCDataChannel): void;
}

/** Both ends open these two by their numbers, so neither has to wait for the other. */
export const CONTROL_ID = 0;
export const MESSAGES_ID = 1;

export class PairConnection {
  readonly pc: RTCPeerConnection;
  readonly negotiation: Negotiation;
  /** For the library's own messages. */
  readonly control: RTCDataChannel;
  /** For `room.send`. */
  readonly messages: RTCDataChannel;
  readonly #news: ConnectionNews;
  readonly #candidates = new CandidateQueue<RTCIceCandidateInit>();
  readonly #waiting = new Set<() => void>();
  #work: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(pc: RTCPeerConnection, polite: boolean, news: ConnectionNews) {
    this.pc = pc;
    this.#news = news;
    this.negotiation = new Negotiation(randomId(), polite);
    pc.onnegotiationneeded = () => void this.#offer();
    pc.onicecandidate = ({ candidate }) => this.#found(candidate);
    pc.onconnectionstatechange = () => this.#tell(() => news.changed());
    pc.onsignalingstatechange = () => {
      if (pc.signalingState === 'stable') this.#tell(() => news.stable());
    };
    pc.ontrack = (event) => this.#tell(() => news.track(event));
    pc.ondatachannel = ({ channel }) => {
      if (channel.protocol === CHANNEL_PROTOCOL) this.#tell(() => news.channel(channel));
    };
    // Creating a channel is what makes the browser ask for negotiation.
    this.control = this.channel('switchboard.control', { negotiated: true, id: CONTROL_ID });
    this.messages = this.channel('switchboard.messages', { negotiated: true, id: MESSAGES_ID });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What is agreed on is up, or about to heal by itself: worth keeping over a loss of the server. */
  get alive(): boolean {
    return !this.#closed && ['connected', 'disconnected'].includes(this.pc.connectionState);
  }

  /** Opens another data channel; its other end comes by `channel` of the news there, unless it is `negotiated`. */
  channel(name: string, options: RTCDataChannelInit = {}): RTCDataChannel {
    return this.pc.createDataChannel(name, { protocol: CHANNEL_PROTOCOL, ...options });
  }

  /** A description of the peer's, in its turn. */
  receive(description: SignalledDescription): void {
    this.#turn(() => this.#apply(description));
  }

  /** A candidate of the peer's. */
  receiveCandidate(label: ConnectionLabel, candidate: RTCIceCandidateInit): void {
    if (!this.negotiation.takes(label)) return;
    this.#candidates.add(label, candidate);
    this.#turn(() => this.#useCandidates());
  }

  /** New paths for the same connection. An offer that waits for its answer is made anew. */
  restart(): void {
    if (this.#closed) return;
    this.pc.restartIce();
    if (this.pc.signalingState === 'have-local-offer') void this.#offer();
  }

  /**
   * The two find each other again after a loss: what was signalled last may have reached nobody. An offer of ours that waits for its
   * answer is taken back, and the roles are those of the new session.
   */
  resettle(polite: boolean, restart: boolean): void {
    this.#turn(async () => {
      const { pc } = this;
      if (pc.signalingState === 'have-local-offer') await pc.setLocalDescription({ type: 'rollback' });
      this.negotiation.begin();
      this.negotiation.polite = polite;
      if (restart) this.restart();
    });
  }

  close(): void {
    this.#closed = true;
    const { pc } = this;
    pc.onnegotiationneeded = pc.onicecandidate = pc.ontrack = pc.ondatachannel = null;
    pc.onconnectionstatechange = pc.onsignalingstatechange = null;
    pc.close();
    for (const over of this.#waiting) over();
  }

  /** As `work`, but that it is done when the connection is closed here: what a closed one has begun may never end, or fail (section 4.4.1.2). */
  untilClosed(work: Promise<unknown>): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#waiting.add(resolve);
      const over = () => this.#waiting.delete(resolve);
      work
        .then(
          () => resolve(),
          (error) => (this.#closed ? resolve() : reject(error)),
        )
        .finally(over);
    });
  }

  /**
   * Whether another track of that kind has to wait: `addTrack` would take the sender of one that was removed, and where the peer does not know
   * of that yet, it would get the new track in the place of the former, and no `track` event (W3C webrtc, section 4.4.1.5).
   */
  holdsUp(kind: string): boolean {
    const { pc, negotiation } = this;
    const settled = pc.signalingState === 'stable' && !negotiation.makingOffer;
    return pc.getTransceivers().some(({ sender, receiver, mid, currentDirection }) => {
      if (sender.track !== null || receiver.track.kind !== kind) return false;
      return currentDirection?.startsWith('send') || (mid !== null && !settled);
    });
  }

  /** One after the other: a candidate that comes after a description finds it applied. A closed connection's promises may never end. */
  #turn(act: () => Promise<unknown>): void {
    const turn = async () => {
      if (!this.#closed) await act();
    };
    this.#work = this.#work.then(turn).catch((error) => this.#tell(() => this.#news.failed(error)));
  }

  #tell(tell: () => void): void {
    if (!this.#closed) tell();
  }

  async #offer(): Promise<void> {
    if (this.#closed) return;
    const { negotiation, pc } = this;
    negotiation.makingOffer = true;
    negotiation.begin();
    try {
      await pc.setLocalDescription();
      this.#describe();
    } catch (error) {
      this.#tell(() => this.#news.failed(error));
    } finally {
      negotiation.makingOffer = false;
    }
  }

  #describe(): void {
    const { localDescription: description, currentLocalDescription: local, currentRemoteDescription: remote } = this.pc;
    if (this.#closed || !description) return;
    const { type } = description;
    const sdp = type === 'offer' ? keepRole(description.sdp, local, remote) : description.sdp;
    const connection = this.negotiation.label(type);
    const data: SignalledDescription = { type, sdp, connection };
    const streams = this.#news.streams();
    if (Object.keys(streams).length > 0) data.streams = streams;
    this.#news.signal(type === 'offer' ? 'offer' : 'answer', data, () => this.#isCurrent(connection));
    if (type === 'offer') this.#news.offered();
  }

  #isCurrent({ generation }: ConnectionLabel): boolean {
    return !this.#closed && this.negotiation.isCurrent(generation);
  }

  async #apply(description: SignalledDescription): Promise<void> {
    const { negotiation, pc } = this;
    const verdict = negotiation.judge(description, pc.signalingState);
    if (verdict === 'replaced') return this.#news.replaced(description);
    if (verdict === 'stale' && description.type === 'offer') return this.#news.misdirected(description);
    if (verdict !== 'apply') return;
    this.#news.streamsOf(description.streams ?? {});
    const { type, sdp } = description;
    await pc.setRemoteDescription({ type, sdp }); // when polite, this takes our own offer back
    if (this.#closed) return;
    negotiation.accept(description);
    this.#news.described();
    await this.#useCandidates();
    if (type !== 'offer') return;
    negotiation.begin();
    await pc.setLocalDescription();
    this.#describe();
  }

  async #useCandidates(): Promise<void> {
    const { pc, negotiation } = this;
    const remote = pc.remoteDescription;
    if (!remote) return;
    for (const candidate of this.#candidates.take(negotiation.peer, remote.sdp)) {
      // Of what a browser cannot use (another kind of address, say) others have better ones.
      await pc.addIceCandidate(candidate).catch(() => {});
    }
  }

  /** An empty candidate ends those of one round; null, the end of all, says nothing more. */
  #found(candidate: RTCIceCandidate | null): void {
    if (!candidate || this.#closed) return;
    const connection = this.negotiation.label();
    this.#news.signal('candidate', { ...candidate.toJSON(), connection }, () => this.#isCurrent(connection));
  }
}
