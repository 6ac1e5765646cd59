import { expect, test } from 'vitest';
import { localError, SignalingError } from '../src/signaling/error.ts';
import { errorText, leaveText, stateText } from '../src/texts.ts';
import { END_REASONS, ERROR_CODES } from '../src/wire.generated.ts';

/** What only a mistake of the program brings about, and what no browser shows to a page. */
const NOT_FOR_PEOPLE = [
  'invalid_message',
  'unknown_type',
  'unsupported_version',
  'bad_handshake',
  'join_timeout',
  'origin_denied',
];
const OF_THE_STATE = ['already_joined', 'not_in_room', 'session_not_found'];

test('every code that a user can meet has words of its own', () => {
  for (const code of Object.keys(ERROR_CODES)) {
    const words = errorText(code, '');
    if ([...NOT_FOR_PEOPLE, ...OF_THE_STATE].includes(code)) expect(words, code).toBe('');
    else expect(words, code).toMatch(/^[A-Z].*\.$/);
  }
  for (const [reason, { action }] of Object.entries(END_REASONS)) {
    if (action === 'disconnect') continue;
    const text = stateText({ name: 'waiting', reason, delayMs: 5_000, attempt: 1 });
    expect(text).toMatch(/^[A-Z].*\. Next attempt in 5 seconds\.$/);
  }
});

test('states are told as sentences', () => {
  const full = new SignalingError('room_full', { category: 'ROOM_FULL', retryable: true });
  const left = localError('closed', false);
  expect(stateText({ name: 'queued', error: full, delayMs: 5_200 })).toBe('The room is full. Asking again in 5 seconds.');
  expect(stateText({ name: 'closed', reason: 'left', error: left })).toBe('');
  expect(stateText({ name: 'closed', reason: 'refused', error: full })).toBe('The room is full.');
  expect(stateText({ name: 'waiting', reason: 'unreachable', delayMs: 900, attempt: 2 })).toBe(
    'The server is out of reach. Next attempt in a second.',
  );
  expect(leaveText('left')).toBe('left');
  expect(leaveText('of a later version')).toBe('lost the connection');
});
