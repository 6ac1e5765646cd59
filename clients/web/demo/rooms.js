// Which room a link leads to, and what this tab and this browser remember of it. The link's fragment stays in the browser.

import { roomFromLink } from './client.js';

/** Made by `randomRoom`: two words to know it by, and a secret that keeps out who was not given the link. */
const MADE = /^([a-z]+-[a-z]+)(-[0-9a-hjkmnp-tv-z]{13})$/;

/** A name as it is shown: what one reads, and the secret after it. */
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

/** The room that this page's link leads to, `#room=…` or, in links of former times, `?room=…`; null without either. */
export const invited = ({ href, search }) =>
  roomFromLink(href) ?? (new URLSearchParams(search).get('room')?.trim().normalize() || null);

// Storage may be forbidden, or full: then less is remembered, and nothing worse.
const attempt = (act) => {
  try { return act(); } catch { return null; }
};
const NAME = 'switchboard.name';
const STAY = 'switchboard.stay';
const TOKEN = 'switchboard.token ';

/** The name is kept for the next visit. */
export const rememberName = (name) => attempt(() => localStorage.setItem(NAME, name));
export const rememberedName = () => attempt(() => localStorage.getItem(NAME)) ?? '';

/** In which room this tab is, and by which name: for a reload. Null: in none. */
export const rememberStay = (stay) => attempt(() => {
  if (stay) sessionStorage.setItem(STAY, JSON.stringify(stay));
  else sessionStorage.removeItem(STAY);
});

/** The stay that a reload interrupted, if the page's link still leads there. */
export const interruptedStay = (room) => attempt(() => {
  const [{ type }] = performance.getEntriesByType('navigation');
  const stay = JSON.parse(sessionStorage.getItem(STAY));
  return type !== 'navigate' && stay.room === room ? { room, name: String(stay.name) } : null;
});

/** Tokens that this page was opened with, for browsers that let it store nothing. */
const tokens = new Map();

/**
 * An invitation may carry a token, `#room=…&token=…`. It is for this tab alone: it goes where nobody copies it by mistake, and out of
 * the address.
 */
export function takeToken(room) {
  const facts = new URLSearchParams(location.hash.slice(1));
  const token = facts.get('token');
  if (token === null) return;
  facts.delete('token');
  history.replaceState(null, '', `${location.pathname}${location.search}#${facts}`);
  if (!room || !token) return;
  tokens.set(room, token);
  attempt(() => sessionStorage.setItem(TOKEN + room, token));
}

/** What lets us into that room; undefined without. */
export const tokenFor = (room) => attempt(() => sessionStorage.getItem(TOKEN + room)) ?? tokens.get(room);

/** The name, who we were in which room, invitations, and what was reported: all that this page has stored here. */
export function forget() {
  tokens.clear();
  for (const storage of [attempt(() => localStorage), attempt(() => sessionStorage)]) {
    for (const key of Object.keys(storage ?? {})) if (key.startsWith('switchboard.')) storage.removeItem(key);
  }
}
