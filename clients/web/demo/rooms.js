// Room names: made, checked, and carried in links.

const ADJECTIVES = ['amber', 'brave', 'calm', 'clear', 'coral', 'early', 'gentle', 'golden', 'green', 'happy', 'kind',
  'lucky', 'mellow', 'northern', 'quick', 'quiet', 'silver', 'sunny', 'warm', 'wild'];
const NOUNS = ['badger', 'beacon', 'brook', 'cedar', 'comet', 'dolphin', 'falcon', 'forest', 'harbor', 'heron', 'island',
  'lantern', 'maple', 'meadow', 'otter', 'pebble', 'river', 'sparrow', 'summit', 'willow'];

const pick = (list) => list[crypto.getRandomValues(new Uint32Array(1))[0] % list.length];

/** A name one can say on the phone, such as "quiet-otter-417". It keeps nobody out: who guesses it is in. */
export const randomRoom = () => {
  const number = 100 + (crypto.getRandomValues(new Uint32Array(1))[0] % 900);
  return `${pick(ADJECTIVES)}-${pick(NOUNS)}-${number}`;
};

const MAX_OCTETS = 128; // the server's default `limits.room_name_bytes`; it has the last word

/** What is wrong with a room's name, in words for the user; empty when nothing is. */
export const roomProblem = (room) => {
  if (!room) return 'Give the room a name.';
  if (new TextEncoder().encode(room).length > MAX_OCTETS) return 'This room name is too long.';
  return /\p{Cc}/u.test(room) ? 'The room name contains a character that cannot be used.' : '';
};

/** The room a link leads to: `#room=…`, which stays out of the server's logs, or `?room=…`; null without either. */
export const roomFromLink = ({ hash, search }) =>
  new URLSearchParams(hash.slice(1)).get('room') ?? new URLSearchParams(search).get('room');

export const linkTo = (room, { origin, pathname }) => `${origin}${pathname}#room=${encodeURIComponent(room)}`;
