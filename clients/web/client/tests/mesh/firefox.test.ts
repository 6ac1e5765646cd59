// Firefox and Chromium in one room: they talk, hear each other, and negotiate further, whoever of them came first.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, round, TIMEOUT_MS } from '../support/calls.ts';
import { pathTo, startServer } from '../support/real.ts';
import { openFirefox, openRoomBrowser } from '../support/room-pages.ts';

let [chromium, firefox]: Browser[] = [];
beforeAll(async () => {
  [chromium, firefox] = await Promise.all([openRoomBrowser(), openFirefox()]);
}, TIMEOUT_MS);
afterAll(() => Promise.all([chromium?.close(), firefox?.close()]));

/** What has been heard of the other's microphone: packets, and whether there was a sound in them. */
const HEARD = `room.peers[0].connection.getStats().then((stats) => [...stats.values()]
  .filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio')
  .map(({ packetsReceived, totalAudioEnergy }) => ({ packets: packetsReceived, sounds: totalAudioEnergy > 0 })))`;
type Heard = { packets: number; sounds: boolean }[];

test.each([
  ['Chromium', false],
  ['Firefox', true],
])(
  '%s comes first: both talk, hear each other, survive a cut and negotiate on',
  { timeout: TIMEOUT_MS },
  async (_, swapped) => {
    const server = await startServer({ SWITCHBOARD__HTTP__ALLOWED_ORIGINS: '*' });
    const path = await pathTo(server);
    const browsers: [Browser, Browser] = [chromium as Browser, firefox as Browser];
    if (swapped) browsers.reverse();
    const pair = await call(browsers, [path.url, server.url]);
    const [ada, grace] = pair.people;
    const engines = await Promise.all(pair.people.map(({ page }) => page.evaluate('navigator.userAgent.includes("Firefox")')));
    expect(engines, 'which of them is Firefox').toEqual([swapped, !swapped]);

    await grace.page.evaluate(`room.onRequest(({ peer, data }) => peer.meta.name + ' asks ' + data)`);
    expect(await ada.page.evaluate(`room.request(room.peers[0], 'the way')`)).toBe('Ada asks the way');
    await grace.page.evaluate(`
    globalThis.bytes = 0;
    room.channel('files').on('message', ({ data }) => (bytes += data.length));
  `);
    await ada.page.evaluate(`room.channel('files').send(new Uint8Array(1_000_000))`);
    await grace.page.waitForFunction('bytes === 1_000_000');

    // Each publishes a microphone beside what `call` let them publish.
    for (const { page } of pair.people) await page.evaluate('speak()');
    for (const { page } of pair.people) {
      await page.waitForFunction('tracks === 2');
      const before = (await page.evaluate(HEARD)) as Heard;
      const more = `${HEARD}.then((heard) => heard.length === 2
      && heard.every(({ packets, sounds }, nth) => sounds && packets > (${JSON.stringify(before)}[nth]?.packets ?? 0)))`;
      await page.waitForFunction(more);
      await page.evaluate('tracks -= 1'); // `round` counts those of its own
    }

    for (const from of pair.people) {
      await round(pair, 'resumed', async () => {
        const lost = ada.page.evaluate(`new Promise((resolve) => { room.once('state', () => resolve(0)); })`);
        path.cut();
        await lost;
        await from.page.evaluate('made[0].restartIce()');
      });
    }
    const path0 = (await ada.page.evaluate('room.peers[0].path()')) as { local: string; relayed: boolean };
    expect(path0).toMatchObject({ relayed: false });
  },
);
