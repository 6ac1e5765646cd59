// What we publish, for whoever is in the room and whoever comes.

import type { StreamFacts } from './connection.ts';
import { MeshError } from './error.ts';
import { Publication, type PublishOptions, type Slot, stopped } from './publication.ts';

/** Most streams that are published at a time: each is negotiated with every peer. */
const PUBLICATIONS = 16;

/** Where changes go. */
export interface MediaNews {
  /** Other tracks are sent. Resolves when the connections know. */
  sync(): Promise<void>;
  /** What the others are told of them has changed. */
  told(): void;
  /** A connection could not be changed, and nobody waits to hear of it. */
  failed(cause: unknown): void;
}

export class Media {
  readonly #news: MediaNews;
  #publications: readonly Publication[] = [];

  constructor(news: MediaNews) {
    this.#news = news;
  }

  /** A connection could not be changed, and nobody waits to hear of it. */
  failed(cause: unknown): void {
    this.#news.failed(cause);
  }

  get publications(): readonly Publication[] {
    return this.#publications;
  }

  /** All tracks. */
  get slots(): Slot[] {
    return this.#publications.flatMap(({ slots }) => slots);
  }

  /** What the others are told, by the streams' ids. */
  get facts(): { [id: string]: StreamFacts } {
    return Object.fromEntries(this.#publications.map(({ id, facts }) => [id, facts]));
  }

  async publish(media: MediaStream | MediaStreamTrack, options: PublishOptions): Promise<Publication> {
    if (this.#publications.length >= PUBLICATIONS) throw new MeshError('too_many', `at most ${PUBLICATIONS} publications`);
    const stream = 'getTracks' in media ? media : new MediaStream([media]);
    const known = new Set(this.slots.map(({ track }) => track));
    // A connection sends each track once.
    if (stream.getTracks().some((track) => known.has(track))) throw new MeshError('already_published', 'one of its tracks is');
    const { sync, told, failed } = this.#news;
    const remove = (gone: Publication) => {
      this.#publications = this.#publications.filter((one) => one !== gone);
      sync().catch(failed);
    };
    const publication = new Publication(stream, { sync, told, failed, remove }, options);
    this.#publications = [...this.#publications, publication];
    try {
      await sync();
    } catch (error) {
      // All or nothing: where a browser refuses a track, nobody is sent any of them.
      publication.unpublish();
      throw error;
    }
    if (publication.ended) throw stopped();
    return publication;
  }

  /** The room is left. */
  end(): void {
    for (const publication of this.#publications) publication.end();
    this.#publications = [];
  }
}
