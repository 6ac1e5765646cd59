// What a room is given, and what it tells.

import type { SignalingError } from '../signaling/error.ts';
import type { SignalingOptions } from '../signaling/options.ts';
import type { State } from '../signaling/state.ts';
import type { Meta, Open, Permission } from '../wire.generated.ts';
import type { MeshOptions, PeerTrack } from './coordinator.ts';
import type { MeshError } from './error.ts';
import type { PeerChange } from './pair.ts';
import type { Peer } from './peer.ts';
import type { Publication } from './publication.ts';
import type { Room } from './room.ts';
import type { RoomMessage } from './room-channel.ts';

/** What `joinRoom` is given; all of it may be left out. */
export interface RoomOptions extends Omit<SignalingOptions, 'url' | 'room'>, MeshOptions {
  /** Where the server listens: `wss://signal.example.org/ws`. By default `/ws` of the server that the page is from. */
  url?: string | URL | undefined;
  /** Ends the attempt to get in, and leaves the room at any later time, too. */
  signal?: AbortSignal | undefined;
  /** Called with the room before it is in: to show how that goes, and what comes first. */
  joining?: ((room: Room) => void) | undefined;
}

/** Who we are in the room. */
export interface Self {
  /** Another one after each session. */
  id: string;
  /** What the others recognise us by: the same after a loss, a restart or a reload. Absent without an identity. */
  who?: string;
  /** What the others know of us. */
  meta: Meta;
  /** The user that our token names, if the server shows users. */
  user?: string;
}

/** What a room tells. */
export interface RoomEvents {
  /** How the connection to the server is doing. What is between the peers goes on without it. */
  state: State;
  /**
   * Something about a peer has changed. `joined`, `left`: it is, or is no longer, among `room.peers`. `updated`: its `meta`. `presence`, `state`,
   * `unreachable`: what is called so. `media`: its publications.
   */
  peer: { peer: Peer; change: PeerChange };
  /** A message that was sent with `send`. */
  message: RoomMessage;
  /** Another track of a peer's; `publication` says what it belongs to. */
  track: PeerTrack;
  /** What those who run the server want people to read: plain text. */
  notice: { text: string };
  /** A trouble that no promise tells. */
  error: SignalingError | MeshError;
}

/** All of the room at one moment: another object after each change, so that UI frameworks can compare. */
export interface RoomSnapshot {
  /** How the connection to the server is doing. */
  readonly state: State;
  /** Who we are. */
  readonly self: Self;
  /** Those who are in the room, or still connected to us. */
  readonly peers: readonly Peer[];
  /** What we publish. */
  readonly publications: readonly Publication[];
  /** Whether the room lets nobody in. */
  readonly locked: boolean;
  /** Most peers that it takes, ourselves included. */
  readonly capacity: number;
  /** What a token lets us do; undefined without one. */
  readonly permissions: readonly Open<Permission>[] | undefined;
}

/** Who `kick` sends away: a peer, or all that are one person, or all that are one user. */
export type KickTarget = Peer | { who: string } | { user: string };

/** How somebody is sent away. */
export interface KickOptions {
  /** What they are told: 1 to 256 bytes. */
  reason?: string | undefined;
  /** For how many milliseconds the room does not let them in again: 1 000 to 2 592 000 000 (30 days). */
  banMs?: number | undefined;
}
