// What the server's codes mean to the person in front of the page.

const seconds = (ms) => (ms < 1500 ? 'a second' : `${Math.round(ms / 1000)} seconds`);

const REFUSED = {
  room_full: (room, limits) =>
    `The room “${room}” is full: ${limits?.peersPerRoom ?? 'no more'} people are the most it takes. Choose another room, or try again later.`,
  room_limit: () => 'The server has no space for another room. Join an existing one, or try again later.',
  rate_limited: () => 'Too many requests at once. Wait a moment, then try again.',
  server_draining: () => 'The server is restarting. Try again in a moment.',
  internal: () => 'The server had a problem. Try again in a moment.',
};

const LOST = {
  unreachable: 'The server takes no connection: it is full, restarting or out of reach.',
  server_draining: 'The server is restarting.',
  room_full: 'The room is full at the moment.',
  room_limit: 'The server has no space for another room at the moment.',
  rate_limited: 'Too many requests at once.',
  ping_timeout: 'The connection was silent for too long.',
  slow_consumer: 'The connection was too slow to keep up.',
  internal: 'The server had a problem.',
};

const LEFT = {
  left: 'left',
  timeout: 'was silent for too long and is gone',
  server_draining: 'is gone until the server is back',
};

const LEFT_REACHABLE = 'is gone from the server; what you write still gets there directly';

const PAIR = {
  connecting: 'connecting…',
  connected: 'connected',
  disconnected: 'interrupted',
  failed: 'no way through',
  closed: 'closed',
};

/** Why a join was refused. Unknown codes show the server's own words. */
export const refused = (error, room, limits) => REFUSED[error.code]?.(room, limits) ?? `The server said no: ${error.message}`;

/** Why the stay is over, for a reason of the "ended" phase; empty when the user left. */
export const ended = (reason) => {
  if (reason === 'left') return '';
  if (reason === 'session_taken') return 'You are in this room in another place now.';
  if (reason === 'room_closed') return 'The room was closed. You can join it again.';
  return `The server closed the connection (${reason}).`;
};

export const waiting = ({ reason, delayMs }) =>
  `${LOST[reason] ?? 'The connection to the server was lost.'} Next attempt in ${seconds(delayMs)}.`;

/** A `bye`: shown until we are back, so it names no time; the status line does. */
export const bye = ({ reason, action }) => {
  const why = LOST[reason] ?? 'The server is closing the connection.';
  return action === 'reconnect' || action === 'resume' ? `${why} This page reconnects you by itself.` : why;
};

/** `reachable`: the connection between the two browsers is still up. */
export const peerLeft = (reason, reachable) => (reachable ? LEFT_REACHABLE : LEFT[reason] ?? 'lost the connection');

/** `where`: 'away' (may come back to its seat), 'gone' (only the direct connection is left), or absent: in the room. */
export const pairState = (state, where) => {
  const text = PAIR[state] ?? state;
  if (where === 'gone') return 'gone from the server, still reached';
  return where === 'away' ? `${text}, away from the server` : text;
};

/** Until we ask again for a place, second by second. */
export const countdown = (ms) => (ms > 0 ? `Asking again in ${Math.ceil(ms / 1000)} s.` : 'Asking again…');
