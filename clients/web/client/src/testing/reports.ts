// What a `report` may say ("Kinds of reports" in docs/protocol.md), as strictly as the server takes it.

import type { ReportKind } from '../wire.generated.ts';

type Part = 'peer' | 'ms' | 'candidate' | 'reason' | 'code';

/** What an event of that kind has beside `kind`: these, and no others. */
const PARTS: { [kind in Exclude<ReportKind, 'other'>]: Part[] } = {
  opened: ['ms'],
  round_trip: ['ms'],
  reconnect_attempt: [],
  reconnected: ['ms'],
  reconnect_failed: [],
  session_ended: ['ms'],
  error: ['code'],
  pair_attempt: ['peer'],
  pair_connected: ['peer', 'ms', 'candidate'],
  pair_failed: ['peer', 'reason'],
  pair_round_trip: ['peer', 'ms'],
  pair_restarted: ['peer'],
  pair_closed: ['peer'],
};
const MOST_MS = 2 ** 32 - 1;

const isWord = (value: unknown): boolean => typeof value === 'string' && new TextEncoder().encode(value).length <= 64;
const isMs = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_MS;

function isEvent(event: unknown): boolean {
  if (typeof event !== 'object' || event === null || !('kind' in event) || !isWord(event.kind)) return false;
  // Kinds of a later version have whatever they have.
  if (!Object.hasOwn(PARTS, event.kind as string)) return true;
  const parts = PARTS[event.kind as keyof typeof PARTS];
  const { kind: _, ...rest } = event;
  const isGood = (part: Part): boolean => {
    const value = (rest as { [part: string]: unknown })[part];
    return part === 'ms' ? isMs(value) : isWord(value);
  };
  return Object.keys(rest).length === parts.length && parts.every(isGood);
}

/** Whether these are 1 to `most` events that the server would take. */
export const isReport = (events: unknown, most: number): boolean =>
  Array.isArray(events) && events.length > 0 && events.length <= most && events.every(isEvent);
