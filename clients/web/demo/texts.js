// What the server's codes mean to the person in front of the page.

const seconds = (ms) => (ms < 1500 ? 'a second' : `${Math.round(ms / 1000)} seconds`);

/** A wait that may be days, as people say it. */
const longTime = (ms) => {
  const [[many, one]] = [[86_400_000, 'day'], [3_600_000, 'hour'], [60_000, 'minute'], [1_000, 'second']]
    .filter(([unit]) => ms >= unit).concat([[1_000, 'second']]);
  const count = Math.max(1, Math.ceil(ms / many));
  return count === 1 ? `${one === 'hour' ? 'an' : 'a'} ${one}` : `${count} ${one}s`;
};

const REFUSED = {
  room_full: (room, limits) =>
    `The room “${room}” is full: ${limits?.peersPerRoom ?? 'no more'} people are the most it takes. Choose another room, or try again later.`,
  room_limit: () => 'The server has no space for another room. Join an existing one, or try again later.',
  room_locked: (room) => `The room “${room}” is locked: nobody else gets in at the moment.`,
  banned: (room, limits, { retryAfterMs }) =>
    `The room “${room}” does not let you in. Ask again in ${longTime(retryAfterMs ?? 0)}.`,
  rate_limited: () => 'Too many requests at once. Wait a moment, then try again.',
  server_draining: () => 'The server is restarting. Try again in a moment.',
  internal: () => 'The server had a problem. Try again in a moment.',
  unauthorized: (room) => `You need an invitation to the room “${room}”. Ask for one whoever told you of it.`,
  token_expired: () => 'Your invitation to this room is over. Ask for another one.',
  token_failed: () => 'Your invitation could not be checked. Try again in a moment.',
  socket_failed: () => 'This browser does not connect to the server. Reload the page, or try another browser.',
};

const LOST = {
  unreachable: 'The server takes no connection: it is full, restarting or out of reach.',
  server_draining: 'The server is restarting.',
  room_full: 'The room is full at the moment.',
  room_limit: 'The server has no space for another room at the moment.',
  room_locked: 'The room is locked at the moment.',
  rate_limited: 'Too many requests at once.',
  ping_timeout: 'The connection was silent for too long.',
  slow_consumer: 'The connection was too slow to keep up.',
  internal: 'The server had a problem.',
};

const LEFT = {
  left: 'left',
  kicked: 'was sent out of the room',
  timeout: 'was silent for too long and is gone',
  server_draining: 'is gone until the server is back',
};

const LEFT_REACHABLE = 'is gone from the server; what you write still gets there directly';

const PAIR = {
  new: 'connecting…',
  connecting: 'connecting…',
  connected: 'connected',
  disconnected: 'interrupted',
  failed: 'no way through',
  closed: 'closed',
};

/** Why a join was refused. Unknown codes show the server's own words. */
export const refused = (error, room, limits) => REFUSED[error.code]?.(room, limits, error) ?? `The server said no: ${error.message}`;

/** With what somebody wrote for us, if anybody did. */
const quoted = (text, message) => (message ? `${text} “${message}”` : text);

/** Why the stay is over, for a reason of the "ended" phase; empty when the user left. */
export const ended = (reason, message) => {
  if (reason === 'left' || reason === 'aborted') return '';
  if (reason === 'session_taken') return 'You are in this room in another place now.';
  if (reason === 'token_expired') return 'Your invitation to this room is over. Ask for another one.';
  if (reason === 'kicked') return quoted('You were sent out of the room.', message);
  if (reason === 'room_closed') return quoted('The room was closed. You can join it again.', message);
  return `The server closed the connection (${reason}).`;
};

export const waiting = ({ reason, delayMs }) =>
  `${LOST[reason] ?? 'The connection to the server was lost.'} Next attempt in ${seconds(delayMs)}.`;

/** A `bye`: shown until we are back, so it names no time; the status line does. */
export const bye = ({ reason, action, message }) => {
  if (reason === 'kicked' || reason === 'room_closed') return ended(reason, message);
  const why = LOST[reason] ?? 'The server is closing the connection.';
  return action === 'reconnect' || action === 'resume' ? `${why} This page reconnects you by itself.` : why;
};

/** The way that what we say takes to them. */
export const path = ({ relayed, rttMs }) =>
  [relayed ? 'relayed' : 'direct', ...(rttMs === undefined ? [] : [`${Math.max(1, Math.round(rttMs))} ms`])].join(' · ');

const UNREACHABLE = {
  no_answer: 'does not answer',
  ice_failed: 'cannot be reached directly; a TURN server would help',
  ice_timeout: 'cannot be reached; a TURN server would help',
  negotiation_failed: 'cannot be connected with: the two browsers do not agree',
  over_capacity: 'cannot be connected with: there are as many connections as the room has seats',
};

/** Why somebody cannot be reached, to stand behind their name. */
export const unreachable = (reason) => UNREACHABLE[reason] ?? 'cannot be reached';

const TROUBLES = {
  permission_denied: 'You may not do that.',
  rate_limited: 'Too many requests at once. Wait a moment, then try again.',
  queue_full: 'Too much waits for the server: some of it is lost.',
  message_too_large: 'That is too long.',
  token_failed: 'Your invitation could not be checked.',
};

/** What failed, where it ends nothing. */
export const trouble = ({ code, message }) => TROUBLES[code] ?? `What went wrong: ${message}`;

/** What those who run the server want us to read. */
export const notice = (text) => `Notice: ${text}`;

export const roomState = (locked) => (locked ? 'The room is locked: nobody else gets in.' : 'The room is open again.');

/** `reachable`: the connection between the two browsers is still up. */
export const peerLeft = (reason, reachable) => (reachable ? LEFT_REACHABLE : LEFT[reason] ?? 'lost the connection');

/** `where`: 'away' (may come back to its seat), 'gone' (only the direct connection is left), or absent: in the room. */
export const pairState = (state, where, way) => {
  const text = stateAndPlace(PAIR[state] ?? state, where);
  return way ? `${text} · ${path(way)}` : text;
};

const stateAndPlace = (text, where) => {
  if (where === 'gone') return 'gone from the server, still reached';
  return where === 'away' ? `${text}, away from the server` : text;
};

/** Until we ask again for a place, second by second. */
export const countdown = (ms) => (ms === Infinity ? 'Asking again when the server is back.' : ms > 0 ? `Asking again in ${Math.ceil(ms / 1000)} s.` : 'Asking again…');
