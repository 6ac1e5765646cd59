// Who we are in a room, for as long as this tab is there: a page that is reloaded, and was not missed yet, finds its own seat
// and not its ghost on it ("Who somebody is" in docs/protocol.md).
//
// While an identity is in use, it is not in the storage, not even while the page is hidden. A tab can be copied at any time, and
// its copy gets a copy of the storage, too: so it is somebody else, and nobody but us has our identity. The price: a page that
// crashes, or is discarded, has not stored it, and comes back as somebody else.

/** As `sessionStorage`. */
export interface IdentityStorage {
  /** What is kept there; `null`: nothing. */
  getItem(key: string): string | null;
  /** Keeps it. */
  setItem(key: string, value: string): void;
  /** Keeps it no longer. */
  removeItem(key: string): void;
}

const BYTES = 32;

// `getRandomValues` is there on insecure origins, too.
/**
 * An identity: 32 random bytes in base64url.
 *
 * @example
 * ```ts
 * const identity = (localStorage['me'] ??= randomIdentity());
 * const room = await joinRoom('demo', { identity });
 * ```
 */
export const randomIdentity = (): string =>
  btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(BYTES))))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

/** An identity in use. */
export interface HeldIdentity {
  identity: string;
  /** It is no longer in use; if it is kept, the next client of this tab finds it. */
  release(keep: boolean): void;
}

/** Storage may be forbidden, or full. Then a reload makes somebody else of us, and nothing worse. */
const attempt = <T>(act: () => T): T | undefined => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

const storageOfTab = (): IdentityStorage | undefined =>
  attempt(() => (globalThis as { sessionStorage?: IdentityStorage }).sessionStorage);

/** The identity of this tab in that room of that server; without `storage`, that of this client alone. */
export function holdIdentity(
  server: string,
  room: string,
  storage: IdentityStorage | undefined = storageOfTab(),
): HeldIdentity {
  const key = `switchboard.identity ${server} ${room}`;
  const take = () =>
    attempt(() => {
      const found = storage?.getItem(key);
      storage?.removeItem(key);
      return found;
    });
  const identity = take() ?? randomIdentity();
  const store = () => attempt(() => storage?.setItem(key, identity));
  const page = globalThis as {
    addEventListener?: EventTarget['addEventListener'];
    removeEventListener?: EventTarget['removeEventListener'];
  };
  // A page that was kept by the browser goes on.
  const shown = (event: Event) => {
    if ((event as { persisted?: boolean }).persisted) take();
  };
  page.addEventListener?.('pagehide', store);
  page.addEventListener?.('pageshow', shown);
  return {
    identity,
    release(keep) {
      page.removeEventListener?.('pagehide', store);
      page.removeEventListener?.('pageshow', shown);
      if (keep) store();
    },
  };
}
