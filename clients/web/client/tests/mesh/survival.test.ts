// Two pages with a call between them, and what may become of the server meanwhile: the RTCPeerConnection is the same afterwards, nothing of
// what was sent over it is missing or there twice, and it can be negotiated further.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pathTo, type Server, startServer, until } from '../support/real.ts';
import { connected, enter, openRoomBrowser, serveRooms, type Visitor } from '../support/room-pages.ts';

/** How often each is done. In CI a few times; 30 and more by hand. */
const ROUNDS = Number(process.env['MESH_ROUNDS'] ?? 3);
const TIMEOUT_MS = 60_000 + ROUNDS * 20_000;

const settings = { SWITCHBOARD__HTTP__ALLOWED_ORIGINS: '*', SWITCHBOARD__SERVER__DRAIN_MS: '300' };
let browser: Browser;
beforeAll(async () => {
  browser = await openRoomBrowser();
});
afterAll(() => browser.close());

interface Call {
  people: [Visitor, Visitor];
  /** Rounds so far. */
  rounds: number;
}

async function call(urls: [string, string]): Promise<Call> {
  const pages = await serveRooms();
  const ada = await enter(browser, pages, urls[0], 'Ada');
  const grace = await enter(browser, pages, urls[1], 'Grace');
  const people: [Visitor, Visitor] = [ada, grace];
  await connected(people);
  for (const { page } of people) await page.evaluate('sound()');
  for (const { page } of people) await page.waitForFunction('tracks === 1');
  return { people, rounds: 0 };
}

/** Both are in the room and know each other to be there. */
const reunited = ({ people }: Call): Promise<unknown> =>
  Promise.all(
    people.map(({ page }) =>
      page.waitForFunction(`room.state.name === 'joined' && room.peers.length === 1 && room.peers[0].presence === 'here'`),
    ),
  );

/** `trouble` comes while numbers go both ways; afterwards all is as it was, and goes on. */
async function round(call: Call, trouble: () => Promise<unknown>): Promise<void> {
  const { people } = call;
  // First both are ready to hear: what came before that would be missing.
  for (const { page } of people) await page.evaluate('globalThis.numbers = {}');
  for (const { page } of people) await page.evaluate('count()');
  for (const { page } of people) await page.waitForFunction('Object.values(numbers)[0]?.length > 5');
  await trouble();
  await reunited(call);
  const sent: number[] = [];
  for (const { page } of people) sent.push((await page.evaluate('stopCounting()')) as number);
  for (const [nth, { page }] of people.entries()) {
    const expected = Array.from({ length: sent[1 - nth] as number }, (_, index) => index + 1);
    await page.waitForFunction(`Object.values(numbers)[0].length >= ${expected.length}`);
    expect(await page.evaluate('numbers'), 'no number is missing, and none came twice').toEqual({
      [(people[1 - nth] as Visitor).name]: expected,
    });
  }
  call.rounds += 1;
  await people[call.rounds % 2]?.page.evaluate('sound()');
  const tracks = 1 + Math.ceil(call.rounds / 2);
  await people[(call.rounds + 1) % 2]?.page.waitForFunction(`tracks === ${tracks}`);
  await connected(people);
  for (const { page, complaints } of people) {
    await page.waitForFunction(`made[0].signalingState === 'stable'`);
    expect(await page.evaluate('made.length'), 'RTCPeerConnections that were ever made').toBe(1);
    expect(await page.evaluate('room.peers[0].connection === made[0]')).toBe(true);
    expect(await page.evaluate('troubles')).toEqual([]);
    expect(complaints).toEqual([]);
  }
}

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
  const pair = await call([server.url, server.url]);
  for (let nth = 0; nth < ROUNDS; nth += 1) {
    const former = (await pair.people[0].page.evaluate('room.self.id')) as string;
    await round(pair, async () => {
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
  const pair = await call([paths[0].url, paths[1].url]);
  for (let nth = 0; nth < ROUNDS; nth += 1) {
    await round(pair, async () => {
      const { page } = pair.people[nth % 2] as Visitor;
      await page.evaluate(`globalThis.lost = new Promise((resolve) => room.once('state', resolve)); 0`);
      (paths[nth % 2] as (typeof paths)[0]).cut();
      await page.evaluate('lost');
    });
  }
});

test('a reload is the same person to the other, with a connection of its own', async () => {
  const server = await startServer(settings);
  const { people } = await call([server.url, server.url]);
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
