import type { ErrorCategory, ErrorCode, Open } from '../wire.generated.ts';

/**
 * What goes wrong on this side of the wire.
 *
 * - `aborted`: the `AbortSignal` was triggered, or `close()` was called.
 * - `closed`: there is no connection, and none will be made.
 * - `queue_full`: as much waits to be sent, or to be confirmed, as may.
 * - `session_lost`: the session ended before the message was known to have arrived; the peers have new ids.
 * - `reply_lost`: the server has handled it; what it answered was lost with a connection.
 * - `connection_lost`: the connection ended before the answer.
 * - `socket_failed`: no WebSocket could be made: the URL is not good, or the page may not open it; `cause` says why.
 * - `token_failed`: the function that gives tokens failed, or did not answer in time; `cause` says how.
 * - `client_failed`: what never should fail did (a frame that is none of the protocol's, a socket that throws); `cause` says what. The
 *   connection is made anew; or the client has ended, with the state's reason `failed`.
 */
export type LocalErrorCode =
  | 'aborted'
  | 'closed'
  | 'queue_full'
  | 'session_lost'
  | 'reply_lost'
  | 'connection_lost'
  | 'socket_failed'
  | 'token_failed'
  | 'client_failed';

/** What an error says beside its code. */
export interface ErrorFacts {
  /** What kind of trouble it is. */
  category: Open<ErrorCategory | 'CLIENT'>;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  /** When that may be. */
  retryAfterMs?: number;
  /** For logs. By default the code. */
  message?: string;
  /** With `peer_not_found` and `peer_busy`: the peers that the signal did not reach. */
  peers?: string[];
  /** What was thrown beneath. */
  cause?: unknown;
}

/** A request that failed, or a stay that ended. Go by `code`, and for a code that you do not know by `category` and `retryable`. */
export class SignalingError extends Error {
  /** Its class, for logs: `SignalingError`. */
  override readonly name: string = 'SignalingError';
  /** What is the matter: a code of the server's, or one of {@link LocalErrorCode}. */
  readonly code: Open<ErrorCode | LocalErrorCode>;
  /** What kind of trouble it is. `CLIENT`: this side's own. */
  readonly category: Open<ErrorCategory | 'CLIENT'>;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;
  /** When that may be, in milliseconds from the error. Without it: back off. */
  readonly retryAfterMs: number | undefined;
  /** With `peer_not_found` and `peer_busy`: the peers that the signal did not reach. */
  readonly peers: string[] | undefined;

  constructor(code: string, facts: ErrorFacts) {
    super(facts.message ?? code, { cause: facts.cause });
    this.code = code;
    this.category = facts.category;
    this.retryable = facts.retryable;
    this.retryAfterMs = facts.retryAfterMs;
    this.peers = facts.peers;
  }
}

/** An error of this side's. */
export const localError = (code: LocalErrorCode, retryable: boolean, cause?: unknown): SignalingError =>
  new SignalingError(code, { category: 'CLIENT', retryable, cause });

/** The JSON of a frame as it is now; what cannot be written (a circle, a BigInt) is refused. */
export const written = (frame: object): string | SignalingError => {
  try {
    return JSON.stringify(frame);
  } catch (cause) {
    const facts = { category: 'INVALID_MESSAGE', retryable: false, message: 'it cannot be written as JSON', cause };
    return new SignalingError('invalid_message', facts);
  }
};

/** A message that is too long would end the connection, so it is not sent. */
export const tooLong = (text: string, most: number): SignalingError | undefined => {
  if (text.length * 3 <= most || new TextEncoder().encode(text).length <= most) return undefined;
  const message = `longer than limits.frameBytes, which is ${most}`;
  return new SignalingError('message_too_large', { category: 'INVALID_MESSAGE', retryable: false, message });
};
