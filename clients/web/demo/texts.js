// What the server's codes mean to the person in front of the page.

/** A wait that may be days, as people say it. */
const longTime = (ms) => {
  const [[many, one]] = [[86_400_000, 'day'], [3_600_000, 'hour'], [60_000, 'minute'], [1_000, 'second']]
    .filter(([unit]) => ms >= unit).concat([[1_000, 'second']]);
  const count = Math.max(1, Math.ceil(ms / many));
  return count === 1 ? `${one === 'hour' ? 'an' : 'a'} ${one}` : `${count} ${one}s`;
};

const RELOAD = 'This page and the server do not fit together: one of them is newer. Reload the page.';

const REFUSED = {
  room_full: (room, limits) =>
    `The room “${room}” is full: ${limits?.peersPerRoom ?? 'no more'} people are the most it takes. Choose another room, or try again later.`,
  room_limit: () => 'The server has no space for another room. Join an existing one, or try again later.',
  room_locked: (room) => `The room “${room}” is locked: nobody else gets in at the moment. Ask somebody inside to open it.`,
  banned: (room, limits, { retryAfterMs }) =>
    `The room “${room}” does not let you in. Ask again in ${longTime(retryAfterMs ?? 0)}.`,
  rate_limited: () => 'Too many requests at once. Wait a moment, then try again.',
  server_draining: () => 'The server is restarting. Try again in a moment.',
  unavailable: () => 'The servers cannot reach each other at the moment. Try again in a moment.',
  internal: () => 'The server had a problem. Try again in a moment.',
  unauthorized: (room) => `You need an invitation to the room “${room}”. Ask for one whoever told you of it.`,
  token_expired: () => 'Your invitation to this room is over. Ask for another one.',
  token_failed: () => 'Your invitation could not be checked. Try again in a moment.',
  over_capacity: () => 'The server is full. Try again in a few minutes.',
  permission_denied: () => 'Your invitation does not let you do that. Ask for another one.',
  origin_denied: () => 'The server does not take visitors of this page. Open the page that is the server’s own.',
  room_closed: () => 'The room was closed. You can join it again.',
  message_too_large: () => 'Your name or the name of the room is too long. Choose a shorter one.',
  unsupported_version: () => RELOAD,
  bad_handshake: () => RELOAD,
  client_failed: () => 'This page had a problem. Reload it.',
  socket_failed: () => 'This browser does not connect to the server. Reload the page, or try another browser.',
};

const LOST = {
  unreachable: 'The server takes no connection: it is full, restarting or out of reach.',
  server_draining: 'The server is restarting.',
  unavailable: 'The servers cannot reach each other at the moment.',
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

/** A pair in the picture of the connections. */
export const PAIR_DRAWN = { connected: 'connected', connecting: 'connecting…', failed: 'no way through', unknown: 'not known' };

/** Why a join was refused. Unknown codes show the server's own words. */
export const refused = (error, room, limits) => REFUSED[error.code]?.(room, limits, error) ?? `The server said no: ${error.message}`;

/** With what somebody wrote for us, if anybody did. */
const quoted = (text, message) => (message ? `${text} “${message}”` : text);

/** Why the stay is over, for a reason of the "ended" phase; empty when the user left. */
export const ended = (reason, message) => {
  if (reason === 'left' || reason === 'aborted') return '';
  if (reason === 'session_taken') return 'You are in this room in another place now. Join again to be here instead.';
  if (reason === 'token_expired') return 'Your invitation to this room is over. Ask for another one.';
  if (reason === 'kicked') return `${quoted('You were sent out of the room.', message)} Ask those who are in it before you join again.`;
  if (reason === 'room_closed') return quoted('The room was closed. You can join it again.', message);
  return `The server closed the connection (${reason}). Join again; if that does not help, reload the page.`;
};

export const waiting = ({ reason }) => LOST[reason] ?? 'The connection to the server was lost.';

/** A `bye`: shown until we are back, so it names no time; the status line does. */
export const bye = ({ reason, action, message }) => {
  if (reason === 'kicked' || reason === 'room_closed') return ended(reason, message);
  const why = LOST[reason] ?? 'The server is closing the connection.';
  return action === 'reconnect' || action === 'resume' ? `${why} This page reconnects you by itself.` : why;
};

/** The way that what we say takes to them, with the kinds of both its ends (RFC 8445): host, srflx, prflx, relay. */
export const path = ({ local, remote, relayed, rttMs }) =>
  [`${relayed ? 'relayed' : 'direct'} (${local === remote ? local : `${local} to ${remote}`})`, ...(rttMs === undefined ? [] : [`${Math.max(1, Math.round(rttMs))} ms`])].join(' · ');

const NO_WAY = 'your two networks let no direct connection through. Another network may help, such as a phone’s; a TURN server does, '
  + 'which whoever runs this server can add';

const UNREACHABLE = {
  no_answer: 'does not answer; reloading the page there may help',
  ice_failed: `cannot be reached: ${NO_WAY}`,
  ice_timeout: `cannot be reached: ${NO_WAY}`,
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

// Camera, microphone and screen. Why there is none is told by the errors of the library.

/** The question before anything is sent, by what would be. */
export const beforeSending = ({ camera, microphone }) => {
  const what = camera && microphone ? 'see and hear you' : microphone ? 'hear you' : 'see you';
  return camera || microphone
    ? { title: `Before the others ${what}`, send: `Let them ${what}` }
    : { title: 'Camera and microphone', send: 'Send nothing' };
};
export const PREVIEW_HELP = 'Only you see this yet. Nothing is sent before you say so.';
export const DEVICES_TITLE = 'Devices';
export const DEVICES_HELP = 'Another device is used as soon as you choose it.';
export const DEVICES_DONE = 'Done';
export const NO_DEVICE = { camera: 'No camera', microphone: 'No microphone', speaker: 'The system’s' };

/** A device that was unplugged, or that the system took away. */
export const deviceGone = (kind) =>
  `Your ${kind} is gone: it was unplugged, or another program took it. Turn it on again, or choose another one under “Devices”.`;
export const speakerFailed = 'That loudspeaker cannot be used. The others are heard as before.';
export const notPublished = ({ message }) => `The others do not get it: ${message}`;

/** Where a page has no devices, and what helps. */
export const NO_MEDIA = {
  insecure: {
    why: 'No camera, microphone or screen here: this page came without https.',
    help: 'Browsers give devices only to pages that come by https, or from this very machine. Text and files work all the same. '
      + 'Whoever runs the server can give it a certificate (settings tls.cert_file and tls.key_file, “TLS” in docs/operations.md), '
      + 'or put a proxy with https before it; then open the address that begins with https.',
  },
  unsupported: {
    why: 'No camera, microphone or screen here: this browser has none for pages.',
    help: 'Text and files work all the same. A newer browser, or another one, can do more.',
  },
};

/** What a tile says of somebody's sound. */
export const sound = { on: '', muted: 'muted', none: 'no microphone' };
export const screenOf = (name) => [name, '’s screen'];
export const OWN_SCREEN = 'Your screen';

/** A length, as people say it: "2.4 MB". */
export const bytes = (count) => {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(count, 1)) / 3)));
  const value = count / 1_000 ** power;
  return `${power > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
};

export const people = (count) => (count === 1 ? 'one person' : `${count} people`);

/** How a file is doing, between us and one of the others. */
export const transfer = ({ state, isOurs, bytes: moved, size, cancelledBy, reason }) => {
  switch (state) {
    case 'offered': return isOurs ? 'waiting for an answer' : '';
    case 'moving': return `${Math.floor((100 * moved) / Math.max(size, 1))} %`;
    case 'done': return isOurs ? 'has got it' : 'among your downloads';
    case 'declined': return isOurs ? DECLINED[reason] ?? 'does not want it' : 'declined';
    case 'cancelled': return cancelledBy === 'us' ? 'cancelled by you' : 'cancelled by the other side';
    case 'gone': return 'the connection has ended; offer it again when it is back';
    case 'unreadable': return 'the file could not be read; it may have been changed or moved';
    default: return 'what came is not what was offered; ask for it again';
  }
};

const DECLINED = {
  too_large: 'takes no file as large as that',
  too_many: 'has too many files waiting; offer it again later',
};

/** What the picture of the connections says, for those who do not see it and at a glance. `failed`: pairs of names. */
export const mesh = ({ total, connected, failed }) => {
  if (total === 0) return '';
  if (connected === total) return total === 1 ? 'The connection stands.' : `All ${total} connections stand.`;
  const names = failed.slice(0, 3).map(([one, other]) => `${one} and ${other}`).join('; ');
  const more = failed.length > 3 ? `, and ${failed.length - 3} more pairs` : '';
  const count = `${connected} of ${total} connections ${connected === 1 ? 'stands' : 'stand'}.`;
  return failed.length > 0 ? `${count} Not reaching each other: ${names}${more}.` : count;
};

/** Where the link of an invitation leads, if the page was opened as "localhost". */
export const localLink = (found) => (found
  ? 'The link leads to this machine, for everybody in the same network. Over plain http, browsers give no camera and no microphone there: text and files work.'
  : 'This link works on this machine only. Others need the address by which they reach it: open this page by that address, and invite from there.');

/** Until we ask again for a place, second by second. */
export const countdown = (ms) => (ms === Infinity ? 'Asking again when the server is back.' : ms > 0 ? `Asking again in ${Math.ceil(ms / 1000)} s.` : 'Asking again…');

/** The same until the next attempt to connect. */
export const nextAttempt = (ms) => (ms > 0 && ms < Infinity ? `Next attempt in ${Math.ceil(ms / 1000)} s.` : countdown(ms));
