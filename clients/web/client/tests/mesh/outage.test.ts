// A laptop that sleeps while its owner is in a call, and a network that is gone for a while: the call is the same one afterwards.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openNat } from '../../../../../tests/e2e/support/nat.js';
import { call, ROUNDS, round, TIMEOUT_MS } from '../support/calls.ts';
import { pathTo, startServer, until } from '../support/real.ts';
import { openLaptop, openRoomBrowser } from '../support/room-pages.ts';

/** Who is silent is missed soon; its seat is kept for half a minute. */
const settings = {
  SWITCHBOARD__HTTP__ALLOWED_ORIGINS: '*',
  SWITCHBOARD__HEARTBEAT__INTERVAL_MS: '1000',
  SWITCHBOARD__HEARTBEAT__CONNECTION_TIMEOUT_MS: '2500',
};
/** Three seconds for an answer, and what a slow machine adds. */
const KNOWN_WITHIN_MS = 5_000;
let browser: Browser;
beforeAll(async () => {
  browser = await openRoomBrowser();
});
afterAll(() => browser.close());

/** The steady clock of this page does not go on while its machine sleeps, as many do; that of the time of day does. */
const STANDS_STILL = `{
  const steady = performance.now.bind(performance);
  let [last, asleep] = [steady(), 0];
  performance.now = () => {
    const now = steady();
    if (now - last > 2_000) asleep += now - last;
    last = now;
    return now - asleep;
  };
  setInterval(() => performance.now(), 100);
}`;

test.each([
  ['goes on', ''],
  ['stands still', STANDS_STILL],
])('a laptop that sleeps beyond its heartbeat, whose steady clock %s meanwhile', { timeout: TIMEOUT_MS }, async (_, clock) => {
  const server = await startServer(settings);
  const laptop = await openLaptop();
  const path = await pathTo(server);
  const pair = await call([laptop.browser, browser], [path.url, server.url]);
  const [ada, grace] = pair.people;
  if (clock) await ada.page.evaluate(clock);
  for (let nth = 0; nth < ROUNDS; nth += 1) {
    await round(pair, 'resumed', async () => {
      // Whoever sleeps does not hear that the server has given the connection up.
      path.swallow();
      laptop.sleep();
      await grace.page.waitForFunction(`room.peers[0].presence === 'away'`);
      await grace.page.waitForFunction(`made[0].connectionState === 'disconnected'`);
      path.heal();
      laptop.wake();
      const began = performance.now();
      await grace.page.waitForFunction(`room.peers[0].presence === 'here'`);
      expect(performance.now() - began, 'ms from waking to being back').toBeLessThan(KNOWN_WITHIN_MS);
    });
  }
});

test('a network that is gone, and comes back with `online`', { timeout: TIMEOUT_MS }, async () => {
  const server = await startServer({ ...settings, SWITCHBOARD__HEARTBEAT__CONNECTION_TIMEOUT_MS: '4000' });
  const path = await pathTo(server);
  const datagrams = await openDatagrams();
  const pair = await call([browser, browser], [path.url, server.url], datagrams.through);
  const [ada, grace] = pair.people;
  for (let nth = 0; nth < ROUNDS; nth += 1) {
    await round(pair, 'resumed', async () => {
      path.swallow();
      datagrams.swallow();
      await ada.page.context().setOffline(true);
      await grace.page.waitForFunction(`room.peers[0].presence === 'away' && made[0].connectionState === 'disconnected'`);
      path.heal();
      datagrams.heal();
      const began = performance.now();
      await ada.page.context().setOffline(false);
      await until('Ada is back', () => grace.page.evaluate(`room.peers[0].presence === 'here'`), KNOWN_WITHIN_MS);
      expect(performance.now() - began, 'ms from `online` to being back').toBeLessThan(KNOWN_WITHIN_MS);
    });
  }
});

/** The way of all datagrams between two pages that reach each other only as `through` says. */
async function openDatagrams() {
  const test = { after: (run: () => unknown) => onTestFinished(async () => void (await run())) };
  const ways = new Map<string, ReturnType<typeof openNat>>();
  let swallows = false;
  const open = async (address: string, port: number) => {
    const way = await openNat(test, port, address);
    if (swallows) way.swallow();
    return way;
  };
  const each = async (act: 'swallow' | 'heal') => {
    swallows = act === 'swallow';
    for (const way of ways.values()) (await way)[act]();
  };
  return {
    /** The candidates in `text`, with the addresses of the ways to them. */
    through: async (text: string): Promise<string> => {
      const parts = text.split(/(candidate:\S+ \d+ udp \d+ \S+ \d+)/i);
      const changed = parts.map(async (part, nth) => {
        if (nth % 2 === 0) return part;
        const words = part.split(' ');
        const [address, port] = words.splice(-2) as [string, string];
        const key = `${address} ${port}`;
        if (!ways.has(key)) ways.set(key, open(address, Number(port)));
        return [...words, address, (await (ways.get(key) as ReturnType<typeof openNat>)).port].join(' ');
      });
      return (await Promise.all(changed)).join('');
    },
    swallow: () => each('swallow'),
    heal: () => each('heal'),
  };
}
