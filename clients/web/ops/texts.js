// Words: what the page says about the server's state and errors.

const LEVELS = { healthy: 'good', degraded: 'wait', unhealthy: 'bad' };

/** "3 d 4 h", "5 min", "12 s": the two largest units. */
export function span(seconds) {
  const units = [['d', 86_400], ['h', 3_600], ['min', 60], ['s', 1]];
  let rest = Math.floor(seconds);
  const parts = units.map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return [count, unit];
  });
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return '0 s';
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map((part) => part.join(' ')).join(' ');
}

/** The level and the words of the status line. */
export function status(health, figures) {
  const level = LEVELS[health.status] ?? 'bad';
  if (figures?.draining) return ['wait', 'Draining: clients are being sent away before the server ends'];
  if (figures && !figures.ready) return ['wait', `${health.status}, not ready for new clients`];
  return [level, health.status[0].toUpperCase() + health.status.slice(1)];
}

export const silent = (error) => (error?.name === 'TimeoutError'
  ? 'No answer in time: the server is busy or gone'
  : `No answer: the server is gone or out of reach (${error?.message ?? error})`);

export const facts = ({ uptime, timestamp }) => `Up for ${span(uptime)} – its clock says ${timestamp.slice(0, 19).replace('T', ' ')} UTC`;

export const check = ({ name, status: how, responseTimeMs, message }) => `${name}: ${how}, ${responseTimeMs.toFixed(1)} ms${message ? ` – ${message}` : ''}`;

export const errorCells = ({ lastSeen, count, severity, code, doing, examples }) => [
  lastSeen.slice(0, 19).replace('T', ' '), count.toLocaleString('en'), severity, code, doing, examples?.[0]?.cause ?? '',
];

/** Longer names are cut: nobody reads them, and they would push the rest off the page. */
const SHOWN_CHARACTERS = 80;

/**
 * What others wrote, for a line of ours: cut, and characters that one does not see, or that turn the writing around, are named.
 * So two rooms that look alike are told apart.
 */
export function shown(text) {
  const characters = [...text];
  const seen = characters.slice(0, SHOWN_CHARACTERS).map((one) => (/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(one)
    ? `\\u{${one.codePointAt(0).toString(16)}}`
    : one)).join('');
  return characters.length > SHOWN_CHARACTERS ? `${seen}…` : seen;
}

export const count = (number, noun) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;

export const time = (stamp) => `${stamp.slice(0, 19).replace('T', ' ')}`;

export const peers = ({ peers: all, away }) => (away === 0 ? all.toLocaleString('en') : `${all.toLocaleString('en')} (${away.toLocaleString('en')} away)`);

export const room = (all, locked, listed) => `${count(all, 'peer')}, ${locked ? 'locked' : 'open'}${listed < all ? `; the first ${listed} are listed` : ''}`;

const again = ({ retryAfterMs }) => (retryAfterMs === null ? '' : ` Try again in ${span(Math.max(1, Math.ceil(retryAfterMs / 1000)))}.`);

/** Why a call failed, by its code. */
const FAILURES = {
  unauthorized: () => 'The server asks for the operator’s token: the one that ops.token_file keeps.',
  rate_limited: (error) => `Too many wrong tokens from this address: none is looked at for now.${again(error)}`,
  admin_closed: () => 'This server is not on loopback and has no token (ops.token_file): it takes no orders from here.',
  room_not_found: () => 'This room is gone.',
  peer_not_found: () => 'This peer is not in the room any more, or nobody of that name is.',
  ban_not_found: () => 'This ban is over.',
  too_many_bans: (error) => `This room has as many bans as it may: lift one.${again(error)}`,
  not_draining: () => 'The server is not draining.',
  drain_closing: () => 'The drain has begun to close connections, and cannot be taken back any more.',
  not_recorded: () => 'Nothing is recorded of a room of that name.',
  recorder_off: () => 'This server records nothing (recorder.enabled).',
  unavailable: (error) => `The server is too busy to answer.${again(error)}`,
  no_answer: ({ message }) => `No answer (${message}): whether it was done is not known. Refresh to see.`,
};

export const failure = (error) => (FAILURES[error.code] ?? (({ code, message }) => `Refused (${code ?? 'defect of this page'}): ${message}`))(error);
