// Waiting for what will come: never for a time, always for a condition, and with a deadline that says what was missing.

export const DEADLINE_MS = 30_000;
const POLL_MS = 25;

/** Asks `probe` until it answers something truthy, and returns that. An error counts as "not yet". */
export async function until(what, probe, deadlineMs = DEADLINE_MS) {
  const end = performance.now() + deadlineMs;
  let last;
  for (;;) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`within ${deadlineMs} ms not: ${what}; last seen: ${show(last)}`);
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
}

const show = (value) => (value instanceof Error ? value.message : JSON.stringify(value));
