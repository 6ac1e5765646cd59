/**
 * Rooms of browsers that talk with each other directly: who is there, messages, sound and pictures, through lost connections and
 * restarts of the server.
 *
 * @module client
 */
export {
  ChannelError,
  type ChannelErrorCode,
  type RequestOptions,
} from './mesh/channel.ts';
export type { PeerConnectionClass } from './mesh/connection.ts';
export { MeshCoordinator, type MeshEvents, type MeshOptions, type PeerTrack } from './mesh/coordinator.ts';
export { MeshError, type MeshErrorCode, PeerUnreachable } from './mesh/error.ts';
export { linkToRoom, randomRoom, roomFromLink } from './mesh/links.ts';
export type { PeerChange } from './mesh/pair.ts';
export type { CandidateType, Path } from './mesh/path.ts';
export type { Peer, Presence } from './mesh/peer.ts';
export type { Publication, PublishOptions, RemotePublication } from './mesh/publication.ts';
export type { UnreachableReason } from './mesh/recovery.ts';
export { joinRoom, Room } from './mesh/room.ts';
export type { RoomChannel, RoomChannelEvents, RoomChannelOptions, RoomMessage, SendOptions } from './mesh/room-channel.ts';
export type { KickOptions, KickTarget, RoomEvents, RoomOptions, RoomSnapshot, Self } from './mesh/room-types.ts';
export { SignalingError } from './signaling/error.ts';
export type { State } from './signaling/state.ts';
export type { Meta, Open, Permission } from './wire.generated.ts';
