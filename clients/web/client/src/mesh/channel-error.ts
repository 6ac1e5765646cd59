/**
 * What goes wrong with a message on a channel.
 *
 * - `closed`: the channel is closed, or was before the message was on its way.
 * - `message_too_large`: longer than `largestBytes`; or, on a channel that may lose messages, than one frame.
 * - `invalid_message`: it cannot be written as JSON.
 * - `queue_full`: as much waits to be sent as may.
 * - `too_many_requests`: as many requests wait for their replies as may, here or at the peer.
 * - `timeout`: no reply came in time.
 * - `aborted`: the request's `AbortSignal` was triggered.
 * - `no_handler`: the peer answers no requests on this channel.
 * - `handler_failed`: the peer's handler failed; what of is the peer's to know.
 * - `peer_error`: the peer sent what no channel sends, or more than may be; the channel is closed.
 * - `channel_failed`: the browser took no message; `cause` says why. The channel is closed.
 */
export type ChannelErrorCode =
  | 'closed'
  | 'message_too_large'
  | 'invalid_message'
  | 'queue_full'
  | 'too_many_requests'
  | 'timeout'
  | 'aborted'
  | 'no_handler'
  | 'handler_failed'
  | 'peer_error'
  | 'channel_failed';

const RETRYABLE: readonly ChannelErrorCode[] = ['queue_full', 'too_many_requests', 'timeout'];

/** A message that was not sent, a request without a reply, or the end of a channel. */
export class ChannelError extends Error {
  /** Its class, for logs: `ChannelError`. */
  override readonly name: string = 'ChannelError';
  /** What is the matter. */
  readonly code: ChannelErrorCode;
  /** Whether the same may succeed later, on this channel. */
  readonly retryable: boolean;

  constructor(code: ChannelErrorCode, message: string = code, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.retryable = RETRYABLE.includes(code);
  }
}
