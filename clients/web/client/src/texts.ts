/**
 * What codes and reasons mean to the person in front of the page, in English. An entry of its own: who has other words, or
 * other languages, does not load it.
 *
 * @packageDocumentation
 */
import type { State } from './signaling/state.ts';
import type { LeaveReason, Open } from './wire.generated.ts';

/** Codes and reasons of the server's, and of this side's, that a user can meet. Mistakes of the program have no words for people. */
const ERRORS: { [code: string]: string } = {
  room_full: 'The room is full.',
  room_limit: 'The server has no space for another room at the moment.',
  room_closed: 'The room was closed.',
  rate_limited: 'Too many requests at once.',
  over_capacity: 'The server is full at the moment.',
  server_draining: 'The server is restarting.',
  unavailable: 'The servers cannot reach each other at the moment.',
  internal: 'The server had a problem.',
  unauthorized: 'You need an invitation to this room.',
  token_expired: 'Your invitation to this room is over.',
  banned: 'You were sent away from this room.',
  kicked: 'You were sent away from this room.',
  room_locked: 'The room lets nobody in at the moment.',
  permission_denied: 'You may not do that.',
  token_failed: 'Your invitation could not be checked.',
  session_taken: 'You are in this room in another place now.',
  ping_timeout: 'The connection was silent for too long.',
  slow_consumer: 'The connection was too slow to keep up.',
  memory_pressure: 'The server had too much to do.',
  peer_busy: 'They cannot take any more at the moment.',
  peer_not_found: 'They are no longer in the room.',
  message_too_large: 'This message is too long.',
  disconnected: 'The connection to the server was lost.',
  silent: 'The server does not answer.',
  unreachable: 'The server is out of reach.',
  queue_full: 'Too many messages wait for the connection.',
};

/**
 * What an error's code, or the reason of a state, means; for one without words of its own, `fallback`.
 *
 * @example
 * ```ts
 * room.on('error', ({ code }) => console.log(errorText(code)));
 * ```
 */
export const errorText = (code: string, fallback = 'Something went wrong.'): string => ERRORS[code] ?? fallback;

const seconds = (ms: number): string => (ms < 1500 ? 'in a second' : `in ${Math.round(ms / 1000)} seconds`);

/**
 * What a state means; empty where there is nothing to say: before the start, and after leaving.
 *
 * @example
 * ```ts
 * room.on('state', (state) => console.log(stateText(state)));
 * ```
 */
export function stateText(state: State): string {
  switch (state.name) {
    case 'idle':
      return '';
    case 'connecting':
      return state.attempt ? 'Connecting again…' : 'Connecting…';
    case 'joined':
      return 'Connected.';
    case 'queued': {
      const when = state.delayMs === Infinity ? 'when it is back' : seconds(state.delayMs);
      return `${errorText(state.error.code)} Asking again ${when}.`;
    }
    case 'waiting':
      return `${errorText(state.reason, 'The connection to the server was lost.')} Next attempt ${seconds(state.delayMs)}.`;
    case 'closed':
      if (state.reason === 'left' || state.reason === 'aborted') return '';
      return errorText(state.error.code, `The server closed the connection (${state.reason}).`);
  }
}

const LEAVES: { [reason: string]: string } = {
  left: 'left',
  timeout: 'was silent for too long and is gone',
  server_draining: 'is gone until the server is back',
  kicked: 'was sent away',
  replaced: 'came back',
  room_closed: 'left, since the room was closed',
};

/** What a peer did, to stand behind its name: "left". Whoever did not mean to go has lost the connection. */
export const leaveText = (reason: Open<LeaveReason>): string => LEAVES[reason] ?? 'lost the connection';
