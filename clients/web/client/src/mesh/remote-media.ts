// What a peer lets us see and hear: the streams of one connection, and what the peer tells of them.

import type { StreamFacts } from './connection.ts';
import type { Peer } from './peer.ts';
import { RemotePublication } from './publication.ts';

type Facts = { [id: string]: StreamFacts };

export class RemoteMedia {
  readonly #peer: Peer;
  readonly #changed: () => void;
  readonly #publications = new Map<string, RemotePublication>();
  #facts: Facts = {};

  /** `changed` is called when there are others, or fewer. */
  constructor(peer: Peer, changed: () => void) {
    this.#peer = peer;
    this.#changed = changed;
  }

  get publications(): readonly RemotePublication[] {
    return [...this.#publications.values()];
  }

  /** What the peer says of its streams, whatever that is. */
  describe(facts: unknown): void {
    this.#facts = typeof facts === 'object' && facts !== null ? (facts as Facts) : {};
    for (const publication of this.publications) publication.describe(this.#factsOf(publication.id));
  }

  /** A track came. */
  track({ track, streams }: RTCTrackEvent): RemotePublication {
    const stream = streams[0] ?? new MediaStream([track]);
    let publication = this.#publications.get(stream.id);
    if (!publication) {
      publication = new RemotePublication(this.#peer, stream);
      this.#publications.set(stream.id, publication);
      stream.onremovetrack = () => this.#removed(stream);
    }
    publication.describe(this.#factsOf(stream.id));
    this.#changed();
    return publication;
  }

  /** The connection is no more. */
  clear(): void {
    if (this.#publications.size === 0) return;
    this.#publications.clear();
    this.#changed();
  }

  #removed(stream: MediaStream): void {
    if (stream.getTracks().length === 0 && this.#publications.get(stream.id)?.stream === stream) {
      this.#publications.delete(stream.id);
    }
    this.#changed();
  }

  #factsOf(id: string): StreamFacts | undefined {
    return Object.hasOwn(this.#facts, id) ? this.#facts[id] : undefined;
  }
}
