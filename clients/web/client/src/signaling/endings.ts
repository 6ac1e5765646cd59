// Endings that are for good, and those after which one comes back.

import type { ByeFrame, ErrorCategory } from '../wire.generated.ts';
import { SignalingError } from './error.ts';

/** 1000 ends a session for good, any other code of ours leaves it to be resumed. */
export const CLOSE_FOR_GOOD = 1000;
export const CLOSE_TO_RESUME = 4100;
/** The time of the token is over: another one lets us in again. */
const TOKEN_EXPIRED = 4502;

/** Close codes after which the same client would only fail again: our own mistakes, and 4500–4999 by agreement. */
const isFinal = (code: number): boolean => [1002, 1003, 1007, 1009].includes(code) || (code >= 4500 && code <= 4999);

/** What kind of trouble an ending is that is for good. The others are our own mistakes. */
const CATEGORIES: { [reason: string]: ErrorCategory } = {
  session_taken: 'SESSION',
  token_expired: 'AUTH',
  kicked: 'AUTH',
};

/** Why a connection has ended for good; undefined where the same client may come back. `expired`: with another token it may, too. */
export function finalEnd(bye: ByeFrame | undefined, code: number): { error: SignalingError; expired: boolean } | undefined {
  if (bye?.action !== 'disconnect' && !isFinal(code)) return undefined;
  const reason = bye?.reason ?? `code_${code}`;
  const error = new SignalingError(reason, { category: CATEGORIES[reason] ?? 'WS_ERROR', retryable: false });
  return { error, expired: reason === 'token_expired' || (!bye && code === TOKEN_EXPIRED) };
}
