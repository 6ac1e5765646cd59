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
