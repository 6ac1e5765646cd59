// How long one waits before one comes back: exponential back-off with full jitter ("Coming back" in docs/protocol.md).

// A connection that ended without a word may be that of a server that died with ten thousand others: they must not all knock in
// the same second.
export const BACKOFF_FIRST_MS = 500;
export const BACKOFF_FIRST_WORDLESS_MS = 4_000;
const BACKOFF_MAX_MS = 30_000;
/** A shorter time in the room does not begin the count anew. */
export const STABLE_MS = 5_000;
/** Those who wait for a seat don't ask for it in the same moment. */
export const ASK_AGAIN_SPREAD_MS = 500;

/** The longest pause before an attempt: `first`, and twice as long after each failure. */
export const ceilingOf = (first: number, failures: number): number => Math.min(BACKOFF_MAX_MS, first * 2 ** failures);
