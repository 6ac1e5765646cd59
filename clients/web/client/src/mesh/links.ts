// Rooms in links: always in the fragment, which no browser sends to any server.

const ADJECTIVES =
  'amber brave calm clear coral early gentle golden green happy kind lucky mellow northern quick quiet silver sunny warm wild';
const NOUNS =
  'badger beacon brook cedar comet dolphin falcon forest harbor heron island lantern maple meadow otter pebble river sparrow summit willow';
/** Digits of five bits each. Without i, l, o and u, which are misread, or make words. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
/** 65 bits: who tries a thousand million names a second for a year has tried a thousandth of them. */
const SECRET_DIGITS = 13;

const pick = (words: string): string => {
  const list = words.split(' ');
  return list[(crypto.getRandomValues(new Uint32Array(1))[0] as number) % list.length] as string;
};

/**
 * A name such as `quiet-otter-7k3m9qx2d4hw8`: two words to know it by, and a secret that keeps out who was not given the link. Whoever
 * knows a room's name is in.
 */
export function randomRoom(): string {
  const secret = Array.from(crypto.getRandomValues(new Uint8Array(SECRET_DIGITS)), (byte) => DIGITS[byte % DIGITS.length]);
  return `${pick(ADJECTIVES)}-${pick(NOUNS)}-${secret.join('')}`;
}

/**
 * The room that a link leads to: `#room=…`. By default the page's own. `null` where there is none, and where there is no page. What is
 * in the path or the query is not looked at: servers and proxies log it.
 */
export function roomFromLink(link?: string | URL): string | null {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const text = link ?? page;
  if (text === undefined) return null;
  const { hash } = new URL(text, page);
  return new URLSearchParams(hash.slice(1)).get('room')?.trim().normalize() || null;
}

/** Beyond what a URL needs: characters that mail and chat programs take for the end of a link, or for markup. */
const encode = (room: string): string =>
  encodeURIComponent(room).replace(/[!'()*._~-]$|[!'()*_~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * The link into `room`: by default to this page, wherever it is served.
 *
 * @example
 * ```ts
 * const link = linkToRoom(randomRoom(), 'https://call.example/'); // https://call.example/#room=quiet-otter-…
 * roomFromLink(link); // quiet-otter-…
 * ```
 */
export function linkToRoom(room: string, page?: string | URL): string {
  const url = new URL(page ?? (globalThis as { location?: { href: string } }).location?.href ?? 'http://localhost/');
  url.search = url.hash = '';
  return `${url.href}#room=${encode(room)}`;
}
