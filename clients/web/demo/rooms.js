// Room names: made, checked, and carried in links.

const ADJECTIVES = ['amber', 'brave', 'calm', 'clear', 'coral', 'early', 'gentle', 'golden', 'green', 'happy', 'kind',
  'lucky', 'mellow', 'northern', 'quick', 'quiet', 'silver', 'sunny', 'warm', 'wild'];
const NOUNS = ['badger', 'beacon', 'brook', 'cedar', 'comet', 'dolphin', 'falcon', 'forest', 'harbor', 'heron', 'island',
  'lantern', 'maple', 'meadow', 'otter', 'pebble', 'river', 'sparrow', 'summit', 'willow'];

/** Digits of five bits each. Without i, l, o and u, which are misread, or make words. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
/** 65 bits: who tries a thousand million names a second for a year has tried a thousandth of them. */
const SECRET_DIGITS = 13;
const MADE = new RegExp(`^([a-z]+-[a-z]+)(-[${DIGITS}]{${SECRET_DIGITS}})$`);

const pick = (list) => list[crypto.getRandomValues(new Uint32Array(1))[0] % list.length];

/**
 * A name such as "quiet-otter-7k3m9qx2d4hw8": two words to know it by, and a secret that keeps out who was not given
 * the link. Whoever knows a room's name is in, so the words alone, of which there are four hundred, would keep out nobody.
 */
export const randomRoom = () => {
  const secret = [...crypto.getRandomValues(new Uint8Array(SECRET_DIGITS))].map((byte) => DIGITS[byte % DIGITS.length]);
  return `${pick(ADJECTIVES)}-${pick(NOUNS)}-${secret.join('')}`;
};

/** A name as it is shown: what one reads, and the secret after it where `randomRoom` made it. */
export const nameParts = (room) => {
  const [, words, secret] = MADE.exec(room) ?? [null, room, ''];
  return { words, secret };
};

const MAX_BYTES = 128; // the server's default `limits.room_name_bytes`; it has the last word

/** What is wrong with a room's name, in words for the user; empty when nothing is. */
export const roomProblem = (room) => {
  if (!room) return 'Give the room a name.';
  if (new TextEncoder().encode(room).length > MAX_BYTES) return 'This room name is too long.';
  // Control characters, and halves of a surrogate pair, which no link can carry.
  return /\p{Cc}|\p{Cs}/u.test(room) ? 'The room name contains a character that cannot be used.' : '';
};

/** The room a link leads to: `#room=…`, which stays out of the server's logs, or `?room=…`; null without either. */
export const roomFromLink = ({ hash, search }) => {
  const named = (text) => new URLSearchParams(text.slice(1)).get('room')?.trim();
  return named(hash) || named(search) || null;
};

/** Beyond what a URL needs: characters that mail and chat programs take for the end of a link, or for markup. */
const encode = (room) => encodeURIComponent(room)
  .replace(/[!'()*._~-]$|[!'()*_~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** The link into `room`: the page where it is, whatever path it is served under. */
export const linkTo = (room, { origin, pathname }) => `${origin}${pathname}#room=${encode(room)}`;
