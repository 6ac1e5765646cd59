// What was reported of late, kept in this browser for whoever has to find out what went wrong.

import type { ReportEvent } from './queue.ts';

/**
 * An event, and when it was: an ISO 8601 date. `self` is our id in the room, as its server knows it, and empty before the first `joined`. The
 * room is not named: its name is its key, and this is for others to read.
 */
export type PastEvent = { at: string; self: string } & ReportEvent;

/** As much of `localStorage` as is needed. */
export interface HistoryStorage {
  /** What is kept there; `null`: nothing. */
  getItem(key: string): string | null;
  /** Keeps it. */
  setItem(key: string, text: string): void;
}

const KEY = 'switchboard.attempts';
/** Events that are kept: some 30 kB. Round trips are not: there would be nothing else. */
const KEPT = 200;
const UNKEPT: readonly string[] = ['round_trip', 'pair_round_trip'];

/** Where there is no storage, or it may not be used, it remembers for as long as the page is there. */
export class History {
  readonly #storage: HistoryStorage | undefined;
  #held: PastEvent[] = [];

  constructor(storage: HistoryStorage | undefined) {
    this.#storage = storage;
  }

  /** All that is kept, the oldest first; what another tab has added, too. */
  get events(): PastEvent[] {
    try {
      const kept: unknown = JSON.parse(this.#storage?.getItem(KEY) ?? 'null');
      // Former versions have kept the room.
      if (Array.isArray(kept)) return kept.map(({ room: _, ...event }) => event);
    } catch {
      // Not ours, or out of reach.
    }
    return this.#held;
  }

  add(self: string, at: number, event: ReportEvent): void {
    if (UNKEPT.includes(event.kind)) return;
    const events = [...this.events, { at: new Date(at).toISOString(), self, ...event }].slice(-KEPT);
    this.#held = events;
    try {
      this.#storage?.setItem(KEY, JSON.stringify(events));
    } catch {
      // Full, or forbidden.
    }
  }
}
