/**
 * A server in memory, and a clock, for tests of what is built on the client.
 *
 * @packageDocumentation
 */
export { TestClock } from './clock.ts';
export { DEFAULT_LIMITS, errorFrame, whoOf } from './defaults.ts';
export type { Frame } from './frames.ts';
export type { Ban, Room } from './room.ts';
export { TestServer, type TestServerOptions } from './server.ts';
export type { Session } from './session.ts';
export { type Handler, TestSocket } from './socket.ts';
export type { Grant, TokenCheck } from './tokens.ts';
