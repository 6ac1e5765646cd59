// Tracks, streams and transceivers as far as negotiation is about them. Nothing is seen or heard; `playing` says what would be.

import type { FakePeerConnection } from './rtc.ts';

type Kind = 'audio' | 'video';
let ids = 0;
const nextId = (what: string): string => `${what}-${++ids}`;

export class FakeTrack extends EventTarget {
  readonly id: string = nextId('track');
  readonly kind: Kind;
  enabled = true;
  muted = false;
  readyState: MediaStreamTrackState = 'live';
  onended: ((event: never) => void) | null = null;
  onmute: ((event: never) => void) | null = null;
  onunmute: ((event: never) => void) | null = null;
  label = '';
  #constraints: MediaTrackConstraints = {};

  constructor(kind: Kind, constraints: MediaTrackConstraints = {}) {
    super();
    this.kind = kind;
    this.#constraints = constraints;
  }

  getConstraints(): MediaTrackConstraints {
    return this.#constraints;
  }

  getSettings(): MediaTrackSettings {
    return { deviceId: 'a device' };
  }

  clone(): FakeTrack {
    return new FakeTrack(this.kind, this.#constraints);
  }

  stop(): void {
    this.readyState = 'ended';
  }

  /** As when a device is unplugged, or the user ends the sharing of a screen. */
  end(): void {
    this.stop();
    this.fire('ended');
  }

  mute(muted: boolean): void {
    if (this.muted === muted) return;
    this.muted = muted;
    this.fire(muted ? 'mute' : 'unmute');
  }

  fire(type: 'ended' | 'mute' | 'unmute'): void {
    const event = new Event(type);
    this[`on${type}`]?.(event as never);
    this.dispatchEvent(event);
  }
}

export class FakeStream extends EventTarget {
  readonly id: string;
  #tracks: FakeTrack[];
  onaddtrack: ((event: never) => void) | null = null;
  onremovetrack: ((event: never) => void) | null = null;

  constructor(tracks: FakeTrack[] = [], id: string = nextId('stream')) {
    super();
    this.#tracks = [...tracks];
    this.id = id;
  }

  get active(): boolean {
    return this.#tracks.some(({ readyState }) => readyState === 'live');
  }

  getTracks = (): FakeTrack[] => [...this.#tracks];
  getAudioTracks = (): FakeTrack[] => this.#tracks.filter(({ kind }) => kind === 'audio');
  getVideoTracks = (): FakeTrack[] => this.#tracks.filter(({ kind }) => kind === 'video');

  addTrack(track: FakeTrack): void {
    if (!this.#tracks.includes(track)) this.#tracks.push(track);
  }

  removeTrack(track: FakeTrack): void {
    this.#tracks = this.#tracks.filter((other) => other !== track);
  }

  /** The browser's own doing, which it tells. */
  change(type: 'addtrack' | 'removetrack', track: FakeTrack): void {
    if (type === 'addtrack') this.addTrack(track);
    else this.removeTrack(track);
    const event = Object.assign(new Event(type), { track });
    this[`on${type}`]?.(event as never);
    this.dispatchEvent(event);
  }
}

export const fakeStream = (...kinds: Kind[]): FakeStream => new FakeStream(kinds.map((kind) => new FakeTrack(kind)));

export class FakeSender {
  track: FakeTrack | null;
  /** Ids of the streams that it belongs to. */
  streams: string[];
  readonly transceiver: FakeTransceiver;

  constructor(transceiver: FakeTransceiver, track: FakeTrack | null, streams: string[]) {
    this.transceiver = transceiver;
    this.track = track;
    this.streams = streams;
  }

  async replaceTrack(track: FakeTrack | null): Promise<void> {
    if (this.transceiver.connection.signalingState === 'closed') throw new DOMException('closed', 'InvalidStateError');
    if (track && track.kind !== this.transceiver.kind) throw new TypeError('of another kind');
    this.track = track;
  }

  setStreams(...streams: FakeStream[]): void {
    this.streams = streams.map(({ id }) => id);
    this.transceiver.connection.mayNeedNegotiation();
  }

  getParameters(): RTCRtpSendParameters {
    return { encodings: [{}], transactionId: '', codecs: [], headerExtensions: [], rtcp: {} };
  }

  async setParameters(): Promise<void> {}
}

export class FakeTransceiver {
  mid: string | null = null;
  currentDirection: RTCRtpTransceiverDirection | null = null;
  stopped = false;
  readonly kind: Kind;
  readonly sender: FakeSender;
  readonly receiver: { track: FakeTrack; readonly playing: FakeTrack | undefined };
  readonly connection: FakePeerConnection;
  /** Made by an offer of the peer's. */
  readonly remote: boolean;
  /** Made by `addTrack`: then a peer's section may be paired with it. */
  readonly byTrack: boolean;
  #direction: RTCRtpTransceiverDirection;

  constructor(
    connection: FakePeerConnection,
    kind: Kind,
    { direction, track = null, streams = [], remote = false, byTrack = false }: TransceiverFacts,
  ) {
    this.connection = connection;
    this.kind = kind;
    this.#direction = direction;
    this.remote = remote;
    this.byTrack = byTrack;
    this.sender = new FakeSender(this, track, streams);
    const transceiver = this;
    const received = new FakeTrack(kind);
    received.muted = true;
    this.receiver = {
      track: received,
      get playing() {
        return connection.playing(transceiver);
      },
    };
  }

  get direction(): RTCRtpTransceiverDirection {
    return this.#direction;
  }

  set direction(direction: RTCRtpTransceiverDirection) {
    this.#direction = direction;
    this.connection.mayNeedNegotiation();
  }

  stop(): void {
    this.stopped = true;
    this.direction = 'inactive';
  }

  get sends(): boolean {
    return sends(this.#direction);
  }

  get receives(): boolean {
    return receives(this.#direction);
  }
}

export interface TransceiverFacts {
  direction: RTCRtpTransceiverDirection;
  track?: FakeTrack | null;
  streams?: string[];
  remote?: boolean;
  byTrack?: boolean;
}

export const sends = (direction: RTCRtpTransceiverDirection): boolean => direction.startsWith('send');
export const receives = (direction: RTCRtpTransceiverDirection): boolean =>
  direction === 'recvonly' || direction === 'sendrecv';

/** A direction out of its two halves. */
export const directionOf = (sends: boolean, receives: boolean): RTCRtpTransceiverDirection =>
  sends ? (receives ? 'sendrecv' : 'sendonly') : receives ? 'recvonly' : 'inactive';
