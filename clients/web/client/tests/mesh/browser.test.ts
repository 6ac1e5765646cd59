// The built library in real pages: two people in a room, with what they say and show.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer } from '../support/real.ts';
import { connected, enter, openRoomBrowser, serveRooms } from '../support/room-pages.ts';

const anyOrigin = { SWITCHBOARD__HTTP__ALLOWED_ORIGINS: '*' };
let browser: Browser;
beforeAll(async () => {
  browser = await openRoomBrowser();
});
afterAll(() => browser.close());

async function couple() {
  const server = await startServer(anyOrigin);
  const pages = await serveRooms();
  const ada = await enter(browser, pages, server.url, 'Ada');
  const grace = await enter(browser, pages, server.url, 'Grace');
  return { server, pages, ada, grace };
}

test('two pages talk: messages, requests, a channel of their own, and bytes of a length that takes many frames', async () => {
  const { ada, grace } = await couple();
  await grace.page.evaluate(`room.send({ hello: 'everybody' })`); // while they are being connected
  await ada.page.waitForFunction('heard.length === 1');
  await connected([ada, grace]);
  expect(await ada.page.evaluate('heard')).toEqual([{ from: 'Grace', data: { hello: 'everybody' } }]);
  await ada.page.evaluate(`room.onRequest(({ peer, data }) => peer.meta.name + ' asks ' + data)`);
  expect(await grace.page.evaluate(`room.request(room.peers[0], 'the way')`)).toBe('Grace asks the way');
  await ada.page.evaluate(`
    globalThis.sizes = [];
    room.channel('files').on('message', ({ data }) => sizes.push(data.length));
  `);
  await grace.page.evaluate(`room.channel('files').send(new Uint8Array(3_000_000))`);
  await ada.page.waitForFunction('sizes.length === 1');
  expect(await ada.page.evaluate('sizes')).toEqual([3_000_000]);
  const path = (await grace.page.evaluate('room.peers[0].path()')) as { local: string; relayed: boolean };
  expect(path).toMatchObject({ local: 'host', relayed: false, protocol: 'udp' });
  for (const { page, complaints } of [ada, grace]) {
    expect(await page.evaluate('made.length')).toBe(1);
    expect(await page.evaluate('troubles')).toEqual([]);
    expect(complaints).toEqual([]);
  }
});

test('who leaves is gone at once, with its connection', async () => {
  const { ada, grace } = await couple();
  await connected([ada, grace]);
  await grace.page.evaluate('room.leave()');
  await ada.page.waitForFunction('room.peers.length === 0');
  await ada.page.waitForFunction(`made.every(({ connectionState }) => connectionState === 'closed')`);
  expect(await grace.page.evaluate(`made.map(({ connectionState }) => connectionState)`)).toEqual(['closed']);
  expect(await ada.page.evaluate('troubles')).toEqual([]);
});

/** How often both renegotiate in the same moment: a few times in CI, 200 by hand. */
const GLARES = Number(process.env['MESH_GLARES'] ?? 20);

test('both renegotiate at once, again and again: both are stable afterwards', {
  timeout: 60_000 + GLARES * 2_000,
}, async () => {
  const { ada, grace } = await couple();
  const people = [ada, grace];
  await connected(people);
  for (const { page } of people) {
    await page.evaluate(`
      globalThis.crossed = 0; // offers that came while one of our own waited for its answer
      room.signaling.on('signal', ({ kind }) => {
        if (kind === 'offer' && made[0].signalingState === 'have-local-offer') crossed += 1;
      });
    `);
  }
  for (let nth = 0; nth < GLARES; nth += 1) {
    const at = Date.now() + 60;
    const renegotiate = `new Promise((done) => setTimeout(() => { made[0].restartIce(); done(); }, ${at} - Date.now()))`;
    await Promise.all(people.map(({ page }) => page.evaluate(renegotiate)));
    for (const { page } of people) {
      await page.waitForFunction(`made[0].signalingState === 'stable' && made[0].connectionState === 'connected'`);
    }
  }
  const crossed = (await Promise.all(people.map(({ page }) => page.evaluate('crossed')))) as number[];
  expect(Math.max(...crossed), 'offers that crossed').toBeGreaterThan(0);
  for (const { page, complaints } of people) {
    await page.evaluate(`sound()`);
    expect(await page.evaluate('made.length')).toBe(1);
    expect(await page.evaluate('troubles')).toEqual([]);
    expect(complaints).toEqual([]);
  }
  for (const { page } of people) await page.waitForFunction(`tracks === 1 && made[0].signalingState === 'stable'`);
});

/** Sound that has come, in packets, from each of the others. */
const SOUND = `Promise.all(room.peers.map(async ({ connection }) => {
  for (const stats of (await connection.getStats()).values()) if (stats.type === 'inbound-rtp') return stats.packetsReceived;
  return 0;
}))`;

test('ten pages form 45 pairs: each hears a message and sound of every other', { timeout: 180_000 }, async () => {
  const server = await startServer(anyOrigin);
  const pages = await serveRooms();
  const names = Array.from({ length: 10 }, (_, nth) => `Peer ${nth}`);
  const began = performance.now();
  const people = await Promise.all(names.map((name) => enter(browser, pages, server.url, name, {}, 'sound')));
  await Promise.all(people.map(({ page }) => page.waitForFunction('room.peers.length === 9', undefined, { timeout: 90_000 })));
  await connected(people, 120_000);
  const seconds = (performance.now() - began) / 1000;
  await Promise.all(people.map(({ page, name }) => page.evaluate(`room.send('from ${name}')`)));
  for (const { page, name, complaints } of people) {
    const others = names.filter((other) => other !== name);
    await page.waitForFunction('heard.length === 9 && tracks === 9', undefined, { timeout: 60_000 });
    const heard = (await page.evaluate('heard')) as { from: string; data: string }[];
    expect(heard.map(({ from }) => from).sort()).toEqual(others);
    expect(heard.every(({ from, data }) => data === `from ${from}`)).toBe(true);
    const before = (await page.evaluate(SOUND)) as number[];
    await page.waitForFunction(`${SOUND}.then((now) => now.every((packets, nth) => packets > ${JSON.stringify(before)}[nth]))`);
    expect(await page.evaluate('made.length')).toBe(9);
    expect(await page.evaluate('troubles')).toEqual([]);
    expect(complaints).toEqual([]);
  }
  console.log(`time to mesh: ${seconds.toFixed(1)} s for 45 pairs, pages loaded included`);
});
