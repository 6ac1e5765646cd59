import type { SignalingError } from './error.ts';

/** How a client is doing. */
export type State =
  /** Not started. */
  | { name: 'idle' }
  /** Opens a connection, or has one and asks for its place. `attempt`: 0, or how often it has tried to come back. */
  | { name: 'connecting'; attempt: number }
  /** In the room. `resumed`: the session goes on, and nothing was lost. */
  | { name: 'joined'; resumed: boolean }
  /** Refused for a reason that passes. It asks again on this connection, in `delayMs`; Infinity: once the server has closed it. */
  | { name: 'queued'; error: SignalingError; delayMs: number }
  /**
   * Without a connection, and opens one in `delayMs`. `reason`: that of a `bye`, or `disconnected` (it ended without a word),
   * `silent` (nothing was answered), `unreachable` (none was made).
   */
  | { name: 'waiting'; reason: string; delayMs: number; attempt: number }
  /**
   * It is over, until it is started again. `reason`: `left`, `aborted`, `refused` (a join, for good), `failed` (the client
   * itself), that of a `bye`, or `code_` and a close code.
   */
  | { name: 'closed'; reason: string; error: SignalingError };
