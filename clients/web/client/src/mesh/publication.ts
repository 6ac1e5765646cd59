// What we let the others see and hear, and what they let us.

import type { StreamFacts } from './connection.ts';
import { MeshError } from './error.ts';
import type { Peer } from './peer.ts';

/** One track of a publication: another one may take its place, in the same connections and without negotiation. */
export interface Slot {
  track: MediaStreamTrack;
  /** For `srcObject`. */
  readonly stream: MediaStream;
}

/** What a publication needs of its room. */
export interface Publisher {
  /** Something about the slots has changed. */
  sync(): Promise<void>;
  /** What the others are told of it has changed. */
  told(): void;
  /** A connection could not be changed, and nobody waits to hear of it. */
  failed(cause: unknown): void;
  remove(publication: Publication): void;
}

/** How something is published. */
export interface PublishOptions {
  /** What the others know it by: `screen`, say. */
  name?: string | undefined;
}

export const stopped = (): MeshError => new MeshError('closed', 'it is not published any more');

/**
 * A stream of ours that everybody in the room gets, and whoever comes later.
 *
 * @example
 * ```ts
 * const publication = await room.publish(await navigator.mediaDevices.getUserMedia({ audio: true }));
 * publication.mute();
 * publication.unpublish();
 * ```
 */
export class Publication {
  /** What the others know it by. */
  readonly name: string | undefined;
  /** Its tracks are those that are sent. */
  readonly stream: MediaStream;
  readonly #publisher: Publisher;
  #slots: Slot[];
  #muted = false;
  #over = false;

  /** @internal For the room. */
  constructor(stream: MediaStream, publisher: Publisher, { name }: PublishOptions) {
    this.stream = stream;
    this.name = name;
    this.#publisher = publisher;
    this.#slots = stream.getTracks().map((track) => ({ track, stream }));
  }

  /** The stream's, which the others know it by, too. */
  get id(): string {
    return this.stream.id;
  }

  /** The tracks that are sent. */
  get tracks(): MediaStreamTrack[] {
    return this.#slots.map(({ track }) => track);
  }

  /** Whether silence and black are sent. */
  get muted(): boolean {
    return this.#muted;
  }

  /** Whether it was unpublished, or the room was left. */
  get ended(): boolean {
    return this.#over;
  }

  /** @internal For the connections. */
  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** @internal For the descriptions. */
  get facts(): StreamFacts {
    return { ...(this.name !== undefined && { name: this.name }), ...(this.#muted && { muted: true }) };
  }

  /** Sends silence and black, until `unmute`. The devices stay on: stop their tracks, if they shall not. */
  mute(): void {
    this.#mute(true);
  }

  /** Sends sound and pictures again. */
  unmute(): void {
    this.#mute(false);
  }

  #mute(muted: boolean): void {
    if (this.#over || this.#muted === muted) return;
    this.#muted = muted;
    for (const { track } of this.#slots) track.enabled = !muted;
    this.#publisher.told();
  }

  /**
   * Sends another track in the place of `former`, by default of the one of the same kind. The connections stay as they are. The former
   * track is not stopped: it is its owner's.
   */
  async replaceTrack(track: MediaStreamTrack, former?: MediaStreamTrack): Promise<void> {
    if (this.#over) throw stopped();
    const slot = this.#slots.find((one) => (former ? one.track === former : one.track.kind === track.kind));
    if (!slot) throw new MeshError('no_such_track', `it has no track of that kind (${track.kind}): publish another stream`);
    const before = slot.track;
    const { enabled } = track;
    const put = (taken: MediaStreamTrack, given: MediaStreamTrack) => {
      this.stream.removeTrack(taken);
      this.stream.addTrack(given);
      slot.track = given;
    };
    put(before, track);
    track.enabled = !this.#muted;
    const { sync, failed } = this.#publisher;
    try {
      await sync();
    } catch (error) {
      // All or nothing: where one browser refuses it, the former goes on everywhere. Unless yet another has taken its place.
      if (slot.track === track) {
        put(track, before);
        track.enabled = enabled;
        sync().catch(failed);
      }
      throw error;
    }
    if (this.#over) throw stopped();
  }

  /**
   * Changes to another microphone or camera, as `enumerateDevices` names them, and stops the former one. Rejects as `getUserMedia`
   * does; then the former goes on.
   */
  async switchDevice(kind: 'audio' | 'video', deviceId: string): Promise<MediaStreamTrack> {
    if (this.#over) throw stopped();
    const former = this.#slots.find(({ track }) => track.kind === kind)?.track;
    const { deviceId: _, groupId: __, ...settings } = former?.getConstraints() ?? {};
    const constraints = { ...settings, deviceId: { exact: deviceId } };
    const [track] = (await navigator.mediaDevices.getUserMedia({ [kind]: constraints })).getTracks() as [MediaStreamTrack];
    try {
      await this.replaceTrack(track, former);
    } catch (error) {
      track.stop();
      throw error;
    }
    former?.stop();
    return track;
  }

  /** The others do not get it any more. Its tracks are not stopped: they are their owner's. */
  unpublish(): void {
    if (this.#over) return;
    this.end();
    this.#publisher.remove(this);
  }

  /** @internal For the room: it is over. */
  end(): void {
    this.#over = true;
    this.#slots = [];
  }
}

/** A stream of a peer's. */
export class RemotePublication {
  /** Whose it is. */
  readonly peer: Peer;
  /** For `srcObject`. */
  readonly stream: MediaStream;
  #facts: StreamFacts = {};

  /** @internal For the connection. */
  constructor(peer: Peer, stream: MediaStream) {
    this.peer = peer;
    this.stream = stream;
  }

  /** The stream's. */
  get id(): string {
    return this.stream.id;
  }

  /** What the peer calls it. */
  get name(): string | undefined {
    return typeof this.#facts.name === 'string' ? this.#facts.name : undefined;
  }

  /** Whether the peer has muted it. */
  get muted(): boolean {
    return this.#facts.muted === true;
  }

  /** Those that are received now. */
  get tracks(): MediaStreamTrack[] {
    return this.stream.getTracks();
  }

  /** @internal For the connection: what the peer says of it. */
  describe(facts: StreamFacts | undefined): void {
    this.#facts = facts ?? {};
  }
}
