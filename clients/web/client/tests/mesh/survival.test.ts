// Two pages with a call between them, and what may become of the server meanwhile: the RTCPeerConnection is the same afterwards, nothing of
// what was sent over it is missing or there twice, and it can be negotiated further.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, ROUNDS, round, TIMEOUT_MS } from '../support/calls.ts';
import { pathTo, type Server, startServer, until } from '../support/real.ts';
import { connected, openRoomBrowser, type Visitor } from '../support/room-pages.ts';

const settings = { SWITCHBOARD__HTTP__ALLOWED_ORIGINS: '*', SWITCHBOARD__SERVER__DRAIN_MS: '300' };
let browser: Browser;
beforeAll(async () => {
  browser = await openRoomBrowser();
});
afterAll(() => browser.close());

/** A server at the same place, once the former one has ended. */
const another = (server: Server): Promise<Server> => startServer({ ...settings, SWITCHBOARD__SERVER__PORT: server.port });

const ends: [string, (server: Server) => Promise<unknown>][] = [
  ['SIGTERM', async (server) => void server.terminate()],
  ['kill -9', (server) => server.crash()],
  [
    'a drain by its operator',
    async ({ opsUrl }) => {
      const answer = await fetch(new URL('admin/v1/drain', opsUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      });
      expect(answer.ok).toBe(true);
    },
  ],
];

test.each(ends)('a server that ends by %s, and the next one', { timeout: TIMEOUT_MS }, async (_, end) => {
  let server = await startServer(settings);
  const pair = await call([browser, browser], [server.url, server.url]);
  for (let nth = 0; nth < ROUNDS; nth += 1) {
    const former = (await pair.people[0].page.evaluate('room.self.id')) as string;
    await round(pair, 'told', async () => {
      await end(server);
      await server.exit();
      server = await another(server);
      await until('Ada is in the room of the next server', () => pair.people[0].page.evaluate(`room.self.id !== '${former}'`));
    });
  }
});

test('a connection to the server that is reset', { timeout: TIMEOUT_MS }, async () => {
  const server = await startServer(settings);
  const paths = [await pathTo(server), await pathTo(server)] as const;
  const pair = await call([browser, browser], [paths[0].url, paths[1].url]);
  for (let nth = 0; nth < ROUNDS; nth += 1) {
    await round(pair, 'resumed', async () => {
      const { page } = pair.people[nth % 2] as Visitor;
      await page.evaluate(`globalThis.lost = new Promise((resolve) => room.once('state', resolve)); 0`);
      (paths[nth % 2] as (typeof paths)[0]).cut();
      await page.evaluate('lost');
    });
  }
});

test('a reload is the same person to the other, with a connection of its own', async () => {
  const server = await startServer(settings);
  const { people } = await call([browser, browser], [server.url, server.url]);
  const [ada, grace] = people;
  await grace.page.evaluate('globalThis.ada = room.peers[0]');
  await ada.page.reload();
  await ada.page.waitForFunction('globalThis.ready');
  const url = new URL('ws', server.url).href.replace('http', 'ws');
  await ada.page.evaluate(`enter('blue', ${JSON.stringify({ url, meta: { name: 'Ada' } })})`);
  await connected(people);
  expect(await grace.page.evaluate('room.peers.length === 1 && room.peers[0] === ada')).toBe(true);
  await ada.page.evaluate(`room.send('I am back')`);
  await grace.page.waitForFunction(`heard.some(({ data }) => data === 'I am back')`);
  await ada.page.waitForFunction('tracks === 1'); // what Grace publishes
  expect(await grace.page.evaluate('made.map(({ connectionState }) => connectionState)')).toEqual(['closed', 'connected']);
});
