// RTCPeerConnections and the network between them, in a time of their own: as much of W3C webrtc as the library's rules depend on.
// What takes browsers time takes time here, too, by chance more or less of it, so that races are found.

import type { FakeClock } from './clock.ts';
import { type ChannelInit, FakeDataChannel, goodPath, type Path } from './rtc-channel.ts';
import { directionOf, FakeStream, type FakeTrack, FakeTransceiver, receives, sends } from './rtc-media.ts';

export { FakeStream, FakeTrack, fakeStream } from './rtc-media.ts';

/** How long an operation of a connection takes at most. */
const OPERATION_MS = 8;
const GATHERING_MS = 10;
/** How long a path that is gone takes to be missed, and then to be given up. As Chromium does. */
export const DISCONNECTED_MS = 5_000;
export const FAILED_MS = 15_000;

interface Section {
  mid: string;
  kind: 'audio' | 'video' | 'application';
  direction: RTCRtpTransceiverDirection;
  streams: string[];
}
/** What a description says. */
interface Facts {
  connection: string;
  fragment: string;
  sections: Section[];
}
interface Description {
  type: RTCSdpType;
  sdp: string;
  facts: Facts;
}
type Handler = ((event: never) => void) | null;

const written = (facts: Facts): string =>
  `v=0\r\na=ice-ufrag:${facts.fragment}\r\na=fingerprint:${facts.connection}\r\na=x-fake:${JSON.stringify(facts)}\r\n`;
const understood = (type: RTCSdpType, sdp = ''): Description => {
  const [, json] = /^a=x-fake:(.*)\r$/m.exec(sdp) ?? [];
  if (!json) throw new DOMException(`no description: ${sdp.slice(0, 40)}`, 'OperationError');
  return { type, sdp, facts: JSON.parse(json) };
};
const invalidState = (message: string) => new DOMException(message, 'InvalidStateError');

/** What is between the connections of one test. */
export class FakeNetwork {
  readonly clock: FakeClock;
  readonly random: () => number;
  readonly connections: FakePeerConnection[] = [];
  latencyMs = 20;
  /** Whether two can reach each other. */
  reaches: (a: FakePeerConnection, b: FakePeerConnection) => boolean = () => true;

  constructor(clock: FakeClock, random: () => number = () => 0.5) {
    this.clock = clock;
    this.random = random;
  }

  /** The class to hand to whoever makes connections. */
  get RTCPeerConnection(): typeof globalThis.RTCPeerConnection {
    const network = this;
    return class extends FakePeerConnection {
      constructor(configuration?: RTCConfiguration) {
        super(network, configuration);
      }
    } as unknown as typeof globalThis.RTCPeerConnection;
  }

  /** Those that were not closed. */
  get open(): FakePeerConnection[] {
    return this.connections.filter(({ connectionState }) => connectionState !== 'closed');
  }

  find(id: string | undefined): FakePeerConnection | undefined {
    return this.connections.find((connection) => connection.id === id);
  }

  /** How it is has changed: to be called after `reaches` was. */
  changed(): void {
    for (const connection of this.open) connection.check();
  }
}

export class FakePeerConnection extends EventTarget {
  readonly id: string;
  readonly network: FakeNetwork;
  signalingState: RTCSignalingState = 'stable';
  connectionState: RTCPeerConnectionState = 'new';
  iceGatheringState: RTCIceGatheringState = 'new';
  onnegotiationneeded: Handler = null;
  onicecandidate: Handler = null;
  onicecandidateerror: Handler = null;
  onconnectionstatechange: Handler = null;
  oniceconnectionstatechange: Handler = null;
  onicegatheringstatechange: Handler = null;
  onsignalingstatechange: Handler = null;
  ontrack: Handler = null;
  ondatachannel: Handler = null;
  /** What was set by `setConfiguration`, in order, the first included. */
  readonly configurations: RTCConfiguration[];
  #transceivers: FakeTransceiver[] = [];
  #channels: { channel: FakeDataChannel; id: number | undefined; announced: boolean }[] = [];
  #streams = new Map<string, FakeStream>();
  #current: { local: Description | null; remote: Description | null } = { local: null, remote: null };
  #pending: { local: Description | null; remote: Description | null } = { local: null, remote: null };
  /** Fragments of the peer's of which a candidate is known. */
  #known = new Set<string>();
  #fragment: string;
  #fragments = 0;
  #restarts = false;
  #partner: string | undefined;
  #work: Promise<unknown> = Promise.resolve();
  #operations = 0;
  #needsCheck = false;
  #timer: unknown;
  #reachable = false;

  constructor(network: FakeNetwork, configuration: RTCConfiguration = {}) {
    super();
    this.network = network;
    this.configurations = [configuration];
    this.id = `connection-${network.connections.length}`;
    this.#fragment = `${this.id}-0`;
    network.connections.push(this);
  }

  get iceConnectionState(): RTCIceConnectionState {
    return this.connectionState === 'connecting' ? 'checking' : this.connectionState;
  }

  get localDescription(): Description | null {
    return this.#pending.local ?? this.#current.local;
  }

  get remoteDescription(): Description | null {
    return this.#pending.remote ?? this.#current.remote;
  }

  get currentLocalDescription(): Description | null {
    return this.#current.local;
  }

  get currentRemoteDescription(): Description | null {
    return this.#current.remote;
  }

  /** Whether data gets through at this moment. */
  get up(): boolean {
    return this.connectionState === 'connected' && this.#reachable;
  }

  get closed(): boolean {
    return this.signalingState === 'closed';
  }

  getConfiguration(): RTCConfiguration {
    return this.configurations.at(-1) as RTCConfiguration;
  }

  setConfiguration(configuration: RTCConfiguration): void {
    if (this.closed) throw invalidState('closed');
    this.configurations.push(configuration);
  }

  #fire(type: string, facts: object = {}): void {
    const event = Object.assign(new Event(type), facts);
    (this as unknown as Record<string, Handler>)[`on${type}`]?.(event as never);
    this.dispatchEvent(event);
  }

  /** The operations chain (W3C webrtc, section 4.4.1.2): one at a time. Those of a connection that is closed never end. */
  #chain<T>(act: () => T): Promise<T> {
    if (this.closed) return Promise.reject(invalidState('closed'));
    this.#operations += 1;
    const done = this.#work.then(async () => {
      await new Promise<void>((resolve) => this.network.clock.setTimeout(resolve, this.network.random() * OPERATION_MS));
      if (this.closed) return new Promise<T>(() => {});
      try {
        return act();
      } finally {
        this.#operations -= 1;
        this.mayNeedNegotiation();
      }
    });
    this.#work = done.catch(() => {});
    return done;
  }

  createOffer(): Promise<RTCSessionDescriptionInit> {
    return this.#chain(() => this.#makeOffer());
  }

  createAnswer(): Promise<RTCSessionDescriptionInit> {
    return this.#chain(() => this.#makeAnswer());
  }

  setLocalDescription(description?: RTCLocalSessionDescriptionInit): Promise<void> {
    const done = this.#chain(() => {
      if (description?.type === 'rollback') return this.#rollback('local');
      const offers = ['stable', 'have-local-offer'].includes(this.signalingState);
      const type = description?.type ?? (offers ? 'offer' : 'answer');
      const sdp = description?.sdp ?? (type === 'offer' ? this.#makeOffer() : this.#makeAnswer()).sdp;
      this.#setLocal(understood(type, sdp));
    });
    // The promise is kept first, and then comes what was found.
    done.then(() => this.#gather()).catch(() => {});
    return done;
  }

  setRemoteDescription({ type, sdp }: RTCSessionDescriptionInit): Promise<void> {
    return this.#chain(() => {
      if (type === 'rollback') return this.#rollback('remote');
      const description = understood(type, sdp);
      if (type === 'offer') this.#setRemoteOffer(description);
      else this.#setRemoteAnswer(description);
      this.check();
    });
  }

  addIceCandidate(candidate?: RTCIceCandidateInit | null): Promise<void> {
    return this.#chain(() => {
      const remote = this.remoteDescription;
      if (!remote) throw invalidState('a candidate before the description');
      if (!candidate?.candidate) return;
      const fragment = candidate.usernameFragment ?? remote.facts.fragment;
      const known = [this.#pending.remote, this.#current.remote].some((one) => one?.facts.fragment === fragment);
      if (!known) throw new DOMException(`a candidate of another description: ${fragment}`, 'OperationError');
      this.#known.add(fragment);
      this.check();
    });
  }

  restartIce(): void {
    this.#restarts = true;
    this.mayNeedNegotiation();
  }

  addTrack(track: FakeTrack, ...streams: FakeStream[]): object {
    if (this.closed) throw invalidState('closed');
    const ids = streams.map(({ id }) => id);
    if (this.#transceivers.some(({ sender }) => sender.track === track)) throw new DOMException('twice', 'InvalidAccessError');
    const free = this.#transceivers.find(({ kind, sender, sends }) => kind === track.kind && !sender.track && !sends);
    if (free) {
      free.sender.track = track;
      free.sender.streams = ids;
      free.direction = directionOf(true, free.receives);
      return free.sender;
    }
    return this.#transceiver(track.kind, { direction: 'sendrecv', track, streams: ids, byTrack: true }).sender;
  }

  addTransceiver(what: FakeTrack | 'audio' | 'video', init: RTCRtpTransceiverInit = {}): FakeTransceiver {
    if (this.closed) throw invalidState('closed');
    const track = typeof what === 'string' ? null : what;
    const streams = (init.streams ?? []).map(({ id }) => id);
    const { direction = 'sendrecv' } = init;
    return this.#transceiver(track?.kind ?? (what as 'audio'), { direction, track, streams });
  }

  #transceiver(kind: 'audio' | 'video', facts: ConstructorParameters<typeof FakeTransceiver>[2]): FakeTransceiver {
    const transceiver = new FakeTransceiver(this, kind, facts);
    this.#transceivers.push(transceiver);
    this.mayNeedNegotiation();
    return transceiver;
  }

  removeTrack(sender: object): void {
    if (this.closed) throw invalidState('closed');
    const transceiver = this.#transceivers.find((one) => one.sender === sender);
    if (!transceiver) throw new DOMException('a sender of another connection', 'InvalidAccessError');
    transceiver.sender.track = null;
    if (transceiver.sends) transceiver.direction = directionOf(false, transceiver.receives);
  }

  getTransceivers = (): FakeTransceiver[] => [...this.#transceivers];
  getSenders = (): object[] => this.#transceivers.map(({ sender }) => sender);
  getReceivers = (): object[] => this.#transceivers.map(({ receiver }) => receiver);

  /** What its receiver would show. */
  playing({ mid, currentDirection }: FakeTransceiver): FakeTrack | undefined {
    if (!this.up || !currentDirection) return undefined;
    const other = this.network
      .find(this.#partner)
      ?.getTransceivers()
      .find((one) => one.mid === mid);
    const sent = sends(other?.currentDirection ?? 'inactive') && receives(currentDirection);
    return sent ? (other?.sender.track ?? undefined) : undefined;
  }

  async getStats(): Promise<Map<string, object>> {
    const stats: [string, object][] = [];
    if (this.up) {
      const ids = { selectedCandidatePairId: 'pair', localCandidateId: 'local', remoteCandidateId: 'remote' };
      stats.push(['transport', { id: 'transport', type: 'transport', ...ids }]);
      const rtt = (2 * this.network.latencyMs) / 1000;
      const pair = { type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: rtt, ...ids };
      stats.push(['pair', { id: 'pair', ...pair }]);
      for (const side of ['local', 'remote']) {
        stats.push([side, { id: side, type: `${side}-candidate`, candidateType: 'host', protocol: 'udp' }]);
      }
    }
    return new Map(stats);
  }

  createDataChannel(label: string, init: RTCDataChannelInit = {}): FakeDataChannel {
    if (this.closed) throw invalidState('closed');
    const channel = this.#channel(label, init, init.negotiated ? init.id : undefined, init.negotiated ?? false);
    this.mayNeedNegotiation();
    return channel;
  }

  #channel(label: string, init: ChannelInit, id: number | undefined, announced: boolean): FakeDataChannel {
    const { clock, random } = this.network;
    const path: Path = goodPath(clock, { random, latencyMs: this.network.latencyMs });
    Object.defineProperty(path, 'up', { get: () => this.up });
    const channel = new FakeDataChannel(label, init, path);
    this.#channels.push({ channel, id, announced });
    // What waited for a path that was down goes on as soon as it is up.
    if (this.up) this.#connectChannels();
    return channel;
  }

  close(): void {
    if (this.closed) return;
    const other = this.network.find(this.#partner);
    this.signalingState = 'closed';
    this.connectionState = 'closed';
    this.network.clock.clearTimeout(this.#timer);
    // By the standard nothing is told here; the channels just are closed.
    for (const { channel } of this.#channels) channel.readyState = 'closed';
    for (const { receiver } of this.#transceivers) receiver.track.stop();
    this.network.clock.setTimeout(() => other?.partnerClosed(this.id), this.network.latencyMs);
  }

  partnerClosed(id: string): void {
    if (this.closed || this.#partner !== id) return;
    for (const { channel } of this.#channels.splice(0)) channel.gone();
    this.check();
  }

  /** Fires `negotiationneeded` soon, unless it is not needed then, or not yet possible. */
  mayNeedNegotiation(): void {
    if (this.#needsCheck || this.closed) return;
    this.#needsCheck = true;
    this.network.clock.setTimeout(() => {
      this.#needsCheck = false;
      if (this.signalingState === 'stable' && this.#operations === 0 && this.#needsNegotiation) this.#fire('negotiationneeded');
    }, 0);
  }

  get #needsNegotiation(): boolean {
    const agreed = this.#current.local?.facts.sections ?? [];
    if (this.#restarts) return true;
    if (this.#channels.length > 0 && !agreed.some(({ kind }) => kind === 'application')) return true;
    return this.#transceivers.some((transceiver) => {
      const section = agreed.find(({ mid }) => mid === transceiver.mid);
      if (!section) return !transceiver.stopped;
      if (transceiver.sends && transceiver.sender.streams.join() !== section.streams.join()) return true;
      if (this.#current.local?.type === 'offer') return transceiver.direction !== section.direction;
      return this.#answerTo(transceiver, this.#current.remote?.facts.sections) !== section.direction;
    });
  }

  /** What an answer says of a transceiver, when these are the sections of the offer. */
  #answerTo(transceiver: FakeTransceiver, offered: Section[] = []): RTCRtpTransceiverDirection {
    const theirs = offered.find(({ mid }) => mid === transceiver.mid)?.direction ?? 'inactive';
    return directionOf(transceiver.sends && receives(theirs), transceiver.receives && sends(theirs));
  }

  #nextMid(): string {
    const taken = [this.localDescription, this.remoteDescription].flatMap(
      (one) => one?.facts.sections.map(({ mid }) => Number(mid)) ?? [],
    );
    const mine = this.#transceivers.map(({ mid }) => Number(mid ?? -1));
    return String(Math.max(-1, ...taken, ...mine) + 1);
  }

  #describe(type: RTCSdpType, sections: Section[], fragment: string): { type: RTCSdpType; sdp: string } {
    return { type, sdp: written({ connection: this.id, fragment, sections }) };
  }

  #sectionOf(transceiver: FakeTransceiver, direction: RTCRtpTransceiverDirection): Section {
    const { mid, kind, sender } = transceiver;
    return { mid: mid as string, kind, direction, streams: sends(direction) ? sender.streams : [] };
  }

  #makeOffer(): { type: RTCSdpType; sdp: string } {
    const sections: Section[] = (this.#current.local?.facts.sections ?? []).flatMap((section) => {
      const transceiver = this.#transceivers.find(({ mid }) => mid === section.mid);
      return transceiver ? [this.#sectionOf(transceiver, transceiver.direction)] : [section];
    });
    for (const transceiver of this.#transceivers) {
      if (sections.some(({ mid }) => mid === transceiver.mid) || transceiver.stopped) continue;
      transceiver.mid ??= this.#nextMid();
      sections.push(this.#sectionOf(transceiver, transceiver.direction));
    }
    if (this.#channels.length > 0 && !sections.some(({ kind }) => kind === 'application')) {
      sections.push({ mid: this.#nextMid(), kind: 'application', direction: 'sendrecv', streams: [] });
    }
    if (this.#restarts) this.#newFragment();
    this.#restarts = false;
    return this.#describe('offer', sections, this.#fragment);
  }

  #newFragment(): void {
    this.#fragments += 1;
    this.#fragment = `${this.id}-${this.#fragments}`;
  }

  #makeAnswer(): { type: RTCSdpType; sdp: string } {
    const offer = this.#pending.remote;
    if (!offer) throw invalidState('no offer to answer');
    const before = this.#current.remote?.facts;
    if (before && before.fragment !== offer.facts.fragment && this.#fragment === this.#current.local?.facts.fragment)
      this.#newFragment();
    const sections = offer.facts.sections.map((section): Section => {
      const transceiver = this.#transceivers.find(({ mid }) => mid === section.mid);
      if (!transceiver) return section;
      return this.#sectionOf(transceiver, this.#answerTo(transceiver, offer.facts.sections));
    });
    return this.#describe('answer', sections, this.#fragment);
  }

  #setLocal(description: Description): void {
    const { type } = description;
    if (type === 'offer') {
      if (!['stable', 'have-local-offer'].includes(this.signalingState))
        throw invalidState(`an offer in ${this.signalingState}`);
      this.#pending.local = description;
      this.#signaling('have-local-offer');
    } else {
      if (this.signalingState !== 'have-remote-offer') throw invalidState(`an answer in ${this.signalingState}`);
      this.#agree(description, this.#pending.remote as Description);
    }
    this.check();
  }

  #setRemoteOffer(description: Description): void {
    // The implicit rollback.
    if (this.signalingState === 'have-local-offer') this.#rollback('local');
    this.#pending.remote = description;
    for (const section of description.facts.sections) this.#match(section);
    this.#signaling('have-remote-offer');
    for (const section of description.facts.sections) this.#hears(section);
  }

  #setRemoteAnswer(description: Description): void {
    if (this.signalingState !== 'have-local-offer') throw invalidState(`an answer in ${this.signalingState}`);
    this.#agree(this.#pending.local as Description, description);
    for (const section of description.facts.sections) this.#hears(section);
  }

  #match({ mid, kind }: Section): void {
    if (kind === 'application' || this.#transceivers.some((one) => one.mid === mid)) return;
    const free = this.#transceivers.find((one) => one.mid === null && one.kind === kind && one.byTrack && !one.stopped);
    (free ?? this.#transceiver(kind, { direction: 'recvonly', remote: true })).mid = mid;
  }

  /** Tells of a track that begins or ends. `direction` and `streams` are the peer's. */
  #hears({ mid, kind, direction, streams: ids }: Section): void {
    const transceiver = this.#transceivers.find((one) => one.mid === mid);
    if (kind === 'application' || !transceiver) return;
    const { track } = transceiver.receiver;
    const sent = sends(direction);
    for (const [id, stream] of this.#streams) {
      if (stream.getTracks().includes(track) && !(sent && ids.includes(id))) stream.change('removetrack', track);
    }
    if (!sent) return track.mute(true);
    if (!track.muted) return;
    const streams = ids.map((id) => this.#streams.get(id) ?? new FakeStream([], id));
    for (const stream of streams) {
      this.#streams.set(stream.id, stream);
      stream.change('addtrack', track);
    }
    track.mute(false);
    this.#fire('track', { track, streams, receiver: transceiver.receiver, transceiver });
  }

  #agree(local: Description, remote: Description): void {
    this.#current = { local, remote };
    this.#pending = { local: null, remote: null };
    for (const section of local.facts.sections) {
      const transceiver = this.#transceivers.find(({ mid }) => mid === section.mid);
      const theirs = remote.facts.sections.find(({ mid }) => mid === section.mid)?.direction ?? 'inactive';
      const ours = section.direction;
      if (transceiver) {
        transceiver.currentDirection = directionOf(sends(ours) && receives(theirs), sends(theirs) && receives(ours));
      }
    }
    this.#signaling('stable');
  }

  #rollback(side: 'local' | 'remote'): void {
    if (this.signalingState !== `have-${side}-offer`) throw invalidState(`a rollback in ${this.signalingState}`);
    const restarted = side === 'local' && this.#pending.local?.facts.fragment !== this.#current.local?.facts.fragment;
    if (restarted && this.#current.local) this.#restarts = true;
    // What was gathered for it is of no use any more.
    if (restarted) this.#newFragment();
    const agreed = this.#current.local?.facts.sections ?? [];
    for (const transceiver of this.#transceivers) {
      if (!agreed.some(({ mid }) => mid === transceiver.mid)) transceiver.mid = null;
    }
    if (side === 'remote') this.#transceivers = this.#transceivers.filter(({ mid, remote }) => mid !== null || !remote);
    this.#pending = { local: null, remote: null };
    this.#signaling('stable');
  }

  #signaling(state: RTCSignalingState): void {
    if (this.signalingState === state) return;
    this.signalingState = state;
    this.#fire('signalingstatechange');
    if (state === 'stable') this.mayNeedNegotiation();
  }

  #gathered = new Set<string>();
  #gather(): void {
    const fragment = this.localDescription?.facts.fragment;
    if (this.closed || fragment === undefined || this.#gathered.has(fragment)) return;
    this.#gathered.add(fragment);
    const { clock, random } = this.network;
    this.#gathering('gathering');
    const kinds = ['host', 'srflx'];
    for (const [n, kind] of kinds.entries()) {
      clock.setTimeout(() => this.#found(fragment, n, kind), (n + random()) * GATHERING_MS);
    }
    clock.setTimeout(
      () => {
        if (this.closed) return;
        this.#gathering('complete');
        this.#fire('icecandidate', { candidate: null });
      },
      (kinds.length + 1) * GATHERING_MS,
    );
  }

  #found(fragment: string, n: number, kind: string): void {
    if (this.closed || this.localDescription?.facts.fragment !== fragment) return;
    const init = {
      candidate: `candidate:${n} 1 udp ${1_000 - n} 192.0.2.1 ${5_000 + n} typ ${kind} ufrag ${fragment}`,
      sdpMid: '0',
      sdpMLineIndex: 0,
      usernameFragment: fragment,
    };
    this.#fire('icecandidate', { candidate: { ...init, type: kind, toJSON: () => init } });
  }

  #gathering(state: RTCIceGatheringState): void {
    if (this.iceGatheringState === state) return;
    this.iceGatheringState = state;
    this.#fire('icegatheringstatechange');
  }

  /** The one that both have described to each other, as far as this side knows. */
  #other(): FakePeerConnection | undefined {
    const other = this.network.find(this.remoteDescription?.facts.connection);
    return other?.remoteDescription?.facts.connection === this.id && !other.closed ? other : undefined;
  }

  /** Whether the two have what they need of each other's to find a path. */
  #canConnect(other: FakePeerConnection): boolean {
    const matches = (a: FakePeerConnection, b: FakePeerConnection) =>
      [a.#current.remote, a.#pending.remote].some((one) => one?.facts.fragment === b.localDescription?.facts.fragment);
    const knows = (a: FakePeerConnection, b: FakePeerConnection) => a.#known.has(b.localDescription?.facts.fragment ?? '');
    return matches(this, other) && matches(other, this) && (knows(this, other) || knows(other, this));
  }

  /** Something has changed that connectivity depends on. */
  check(): void {
    this.#check(true);
  }

  #check(both: boolean): void {
    if (this.closed) return;
    const other = this.#other();
    if (both && other) other.#check(false);
    // Another connection's description was applied to this one: what was there is dead, as its keys are others.
    const same = other && (this.#partner ?? other.id) === other.id && (other.#partner ?? this.id) === this.id;
    const reachable = same ? this.network.reaches(this, other) && this.network.reaches(other, this) : false;
    const was = this.#reachable;
    this.#reachable = reachable;
    if (this.connectionState === 'connected') {
      if (was && !reachable) this.#later(DISCONNECTED_MS, () => this.#becomes('disconnected'));
      if (!was && reachable) this.network.clock.clearTimeout(this.#timer);
      return;
    }
    if (this.connectionState === 'disconnected') {
      if (reachable) this.#later(this.network.latencyMs, () => this.#becomes('connected'));
      else if (was) this.#later(FAILED_MS, () => this.#becomes('failed'));
      return;
    }
    if (!same || !this.#canConnect(other)) return;
    const fragments = `${this.localDescription?.facts.fragment} ${other.localDescription?.facts.fragment}`;
    if (this.connectionState === 'failed' && fragments === this.#failedWith) return;
    this.#becomes('connecting');
    this.#failedWith = fragments;
    if (reachable) this.#later(this.network.latencyMs * 3, () => this.#becomes('connected'));
    else this.#later(FAILED_MS, () => this.#becomes('failed'));
  }
  #failedWith = '';

  #later(ms: number, act: () => void): void {
    const { clock } = this.network;
    clock.clearTimeout(this.#timer);
    this.#timer = clock.setTimeout(() => {
      if (!this.closed) act();
    }, ms);
  }

  #becomes(state: RTCPeerConnectionState): void {
    if (this.connectionState === state) return;
    if (state === 'connected') this.#partner ??= this.#other()?.id;
    this.connectionState = state;
    this.#fire('iceconnectionstatechange');
    this.#fire('connectionstatechange');
    if (state === 'disconnected') this.#later(FAILED_MS, () => this.#becomes('failed'));
    if (state === 'connected') this.#connectChannels();
  }

  /** Opens what both ends have, and tells the other end of what it has not. */
  #connectChannels(): void {
    const other = this.network.find(this.#partner);
    if (!other?.up || !this.up) return;
    for (const [a, b] of [
      [this, other],
      [other, this],
    ] as const) {
      for (const end of a.#channels) {
        if (end.channel.other || end.channel.readyState !== 'connecting') continue;
        if (end.id !== undefined) {
          const there = b.#channels.find(({ id }) => id === end.id);
          if (there) a.#join(end.channel, there.channel);
        } else if (!end.announced) {
          end.announced = true;
          this.network.clock.setTimeout(() => a.#announce(end.channel, b), this.network.latencyMs);
        }
      }
    }
  }

  #announce(channel: FakeDataChannel, other: FakePeerConnection): void {
    if (this.closed || other.closed || channel.readyState !== 'connecting') return;
    const { label, ordered, maxRetransmits, maxPacketLifeTime, protocol } = channel;
    const init = {
      ordered,
      protocol,
      ...(maxRetransmits !== null && { maxRetransmits }),
      ...(maxPacketLifeTime !== null && { maxPacketLifeTime }),
    };
    const there = other.#channel(label, init, undefined, true);
    [channel.other, there.other] = [there, channel];
    there.readyState = 'open';
    other.#fire('datachannel', { channel: there });
    there.fire('open');
    channel.open();
  }

  #join(a: FakeDataChannel, b: FakeDataChannel): void {
    [a.other, b.other] = [b, a];
    a.open();
    b.open();
  }
}

/** Lets so much time pass, a millisecond at a time, and all promises are kept in between. */
export async function passing(clock: FakeClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1) {
    clock.pass(Math.min(1, left));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
