// Twelve tabs that nobody looks at, whose timers Chromium lets fire once a minute: none of them gives a connection up that is good.

import { expect, test } from 'vitest';
import { servePages } from './support/browser.ts';
import { startServer, until } from './support/real.ts';
import { openTabs } from './support/tabs.ts';

const TABS = 12;
/** How long nobody looks, in minutes. In CI no longer than until each tab's timers were held up once; by `make long` 15. */
const MINUTES = Number(process.env['HIDDEN_MINUTES'] ?? 0);
const GRACE_SECONDS = 1;
/** So late comes no timer of a page that is not throttled, on a machine however slow. */
const HELD_UP_MS = 15_000;

/** How late the latest tick of a second was, and how often the client's own code has closed a socket. */
const WATCH = `
  globalThis.latest = globalThis.closed = 0;
  globalThis.before = performance.now();
  setInterval(() => {
    const now = performance.now();
    latest = Math.max(latest, now - before - 1_000);
    before = now;
  }, 1_000);
  const { close } = WebSocket.prototype;
  WebSocket.prototype.close = function (...reason) {
    closed += 1;
    close.apply(this, reason);
  };
`;

test('twelve hidden tabs, with timers once a minute, keep their connections', {
  timeout: MINUTES * 60_000 + 240_000,
}, async () => {
  const server = await startServer({ SWITCHBOARD__HTTP__ALLOWED_ORIGINS: '*', SWITCHBOARD__LIMITS__PEERS_PER_ROOM: '12' });
  const [pages, browser] = [await servePages(), await openTabs(GRACE_SECONDS)];
  const url = new URL('ws', server.url).href.replace('http', 'ws');
  const tabs = [];
  for (let nth = 0; nth < TABS; nth += 1) {
    const tab = await browser.open(pages);
    await until(`tab ${nth} has loaded`, () => tab.evaluate('typeof arrive === "function"'));
    await tab.evaluate(WATCH);
    await tab.evaluate(`arrive({ url: '${url}', room: 'blue' }).then(() => 0)`);
    tabs.push(tab);
  }
  await browser.cover();
  const hiddenAt = performance.now();
  for (const tab of tabs) expect(await tab.evaluate('document.visibilityState')).toBe('hidden');
  const long = () => performance.now() - hiddenAt > MINUTES * 60_000;
  for (const [nth, tab] of tabs.entries()) {
    const heldUp = async () => long() && ((await tab.evaluate('latest')) as number) > HELD_UP_MS;
    await until(`the timers of tab ${nth} were held up`, heldUp, MINUTES * 60_000 + 150_000);
  }
  for (const tab of tabs) {
    expect(await tab.evaluate('states')).toEqual(['connecting', 'joined']);
    expect(await tab.evaluate('closed'), 'sockets that the client closed').toBe(0);
  }
  // And all of them still hear each other.
  for (const [nth, tab] of tabs.entries()) await tab.evaluate(`client.signal('*', 'app', ${nth}); 0`);
  for (const tab of tabs) await until('it has heard all others', () => tab.evaluate(`new Set(heard).size === ${TABS - 1}`));
});
