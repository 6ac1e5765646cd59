// Somebody in the room, as the application sees them.

import type { Meta } from '../wire.generated.ts';
import type { RequestOptions } from './channel.ts';
import type { PeerUnreachable } from './error.ts';
import type { Pair } from './pair.ts';
import type { Path } from './path.ts';
import type { RemotePublication } from './publication.ts';

/**
 * Whether the peer is in the room. `away`: it has lost its connection to the server, and may be back in a moment. `gone`: it is no
 * longer in the room; what the two have with each other may go on.
 */
export type Presence = 'here' | 'away' | 'gone';

/**
 * Somebody in the room. The same object for as long as it is the same person, whatever happens to connections and to the server: a
 * peer that comes back under the same `who` is the one that left.
 */
export class Peer {
  readonly #pair: Pair;

  /** @internal For the mesh. */
  constructor(pair: Pair) {
    this.#pair = pair;
  }

  /** Its id in the server's frames. Another one after each session. */
  get id(): string {
    return this.#pair.id;
  }

  /** Who it is: the same whenever it comes back. Absent without an identity. */
  get who(): string | undefined {
    return this.#pair.who;
  }

  /** What it lets us know of itself. */
  get meta(): Meta {
    return this.#pair.meta;
  }

  /** The user that its token names, if the server shows users. */
  get user(): string | undefined {
    return this.#pair.user;
  }

  /** Whether it is in the room. */
  get presence(): Presence {
    return this.#pair.presence;
  }

  /** How the connection between the two is doing: `new` before there is one. */
  get state(): RTCPeerConnectionState {
    return this.#pair.state;
  }

  /** Whether we give way when two offers cross. */
  get polite(): boolean {
    return this.#pair.polite;
  }

  /** Why there is no connection, and none is tried; `retry` does. */
  get unreachable(): PeerUnreachable | undefined {
    return this.#pair.unreachable;
  }

  /** What is between the two: for statistics, and what this library does not do. It is the library's to close. */
  get connection(): RTCPeerConnection | undefined {
    return this.#pair.connection?.pc;
  }

  /** What it publishes. */
  get publications(): readonly RemotePublication[] {
    return this.#pair.publications;
  }

  /**
   * The path that is used now; undefined while there is none.
   *
   * @example
   * ```ts
   * const path = await peer.path();
   * if (path) console.log(path.relayed ? 'through TURN' : 'directly', path.rttMs);
   * ```
   */
  path(): Promise<Path | undefined> {
    return this.#pair.path();
  }

  /**
   * Sends to this peer alone, as `room.send` does.
   *
   * @example
   * ```ts
   * room.on('peer', ({ peer, change }) => change === 'joined' && peer.send({ welcome: peer.meta['name'] }));
   * ```
   */
  send(data: unknown): Promise<void> {
    return this.#pair.mesh.messages.send(data, { to: this });
  }

  /** Asks this peer, as `room.request` does. */
  request(data: unknown, options?: RequestOptions): Promise<unknown> {
    return this.#pair.mesh.messages.request(this, data, options);
  }

  /** Tries again to connect, if it is unreachable. */
  retry(): void {
    this.#pair.retry();
  }
}
