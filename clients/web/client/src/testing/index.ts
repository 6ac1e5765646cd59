/**
 * A server in memory, and a clock, for tests of what is built on the client.
 *
 * @packageDocumentation
 */
export { TestClock } from './clock.ts';
export type { Frame } from './frames.ts';
export type { Room } from './room.ts';
export { DEFAULT_LIMITS, errorFrame, TestServer, type TestServerOptions, whoOf } from './server.ts';
export type { Session } from './session.ts';
export { TestSocket } from './socket.ts';
export type { Grant, TokenCheck } from './tokens.ts';
