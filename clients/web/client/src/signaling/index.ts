/**
 * The signaling connection of a WebRTC room: joins, survives lost connections and restarts, and passes signals on.
 *
 * @packageDocumentation
 */
export type * from '../wire.generated.ts';
export { SignalingClient } from './client.ts';
export type { Clock } from './environment.ts';
export { type ErrorFacts, type LocalErrorCode, SignalingError } from './error.ts';
export { type IdentityStorage, randomIdentity } from './identity.ts';
export type { OtherRequest, SignalingEvents, SignalingOptions, Socket, SocketClass, TokenSource } from './options.ts';
export type { State } from './state.ts';
