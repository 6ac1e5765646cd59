// Who we are in a room, for as long as this tab is there: a page that is reloaded, and was not missed yet, finds its own seat
// and not its ghost on it ("Who somebody is" in docs/protocol.md).
//
// While this page is in use, what it is known by is not in the storage. A copied tab gets a copy of the storage, too: so it is
// somebody else, and nobody but us has our identity.

const PREFIX = 'switchboard.identity.';

const inUse = new Map(); // room -> identity

const fresh = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));

/** Without storage (private mode) a reload makes somebody else of us, and nothing worse. */
const stored = (act) => {
  try { return act(sessionStorage); } catch { return null; }
};

const take = (room) => stored((storage) => {
  const identity = storage.getItem(PREFIX + room);
  storage.removeItem(PREFIX + room);
  return identity;
});

addEventListener('pagehide', () => {
  for (const [room, identity] of inUse) stored((storage) => storage.setItem(PREFIX + room, identity));
});
// It was kept by the browser, and goes on.
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) for (const room of inUse.keys()) take(room);
});

/** The secret that we are known by in that room. */
export function identityFor(room) {
  if (!inUse.has(room)) inUse.set(room, take(room) ?? fresh());
  return inUse.get(room);
}
