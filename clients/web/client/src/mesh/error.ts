import type { UnreachableReason } from './recovery.ts';

/**
 * What goes wrong between peers.
 *
 * - `unreachable`: the connection cannot be made; see {@link PeerUnreachable}.
 * - `peer_gone`: the peer is no longer in the room, and no connection to it is left.
 * - `closed`: the room was left.
 * - `queue_full`: as much waits for a connection as may.
 * - `too_many`: more than may be: of our publications, channels or listeners that wait; or, with `peers`, of what a peer says where
 *   nobody listens, or of its new connections.
 * - `already_published`: the track is part of another publication.
 * - `no_such_track`: the publication has none of that kind.
 * - `not_sent`: a message did not reach everybody; `peers` says who not.
 * - `negotiation_failed`: a browser could not work with a description; `cause` says why. It is tried again.
 */
export type MeshErrorCode =
  | 'unreachable'
  | 'peer_gone'
  | 'closed'
  | 'queue_full'
  | 'too_many'
  | 'already_published'
  | 'no_such_track'
  | 'not_sent'
  | 'negotiation_failed';

/** A trouble of the mesh. */
export class MeshError extends Error {
  /** Its class, for logs: `MeshError`. */
  override readonly name: string = 'MeshError';
  /** What is the matter. */
  readonly code: MeshErrorCode;
  /** The `id`s of the peers that it is about. */
  readonly peers: string[];

  constructor(code: MeshErrorCode, message: string, facts: { peers?: string[]; cause?: unknown } = {}) {
    super(message, { cause: facts.cause });
    this.code = code;
    this.peers = facts.peers ?? [];
  }
}

/** No connection to a peer could be made, and none is tried until something changes, or `peer.retry()` asks for it. */
export class PeerUnreachable extends MeshError {
  /** Its class, for logs: `PeerUnreachable`. */
  override readonly name: string = 'PeerUnreachable';
  /** Why there is no connection. */
  readonly reason: UnreachableReason;

  constructor(reason: UnreachableReason, id: string, cause?: unknown) {
    super('unreachable', `the peer cannot be reached: ${reason}`, { peers: [id], cause });
    this.reason = reason;
  }
}
