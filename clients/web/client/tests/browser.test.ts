// The built library in a real Chromium: in a page, in a worker, over a reload, with timers that are late and a path that is gone.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, openPage, servePages } from './support/browser.ts';
import { inbox, pathTo, roster, startServer, until, visit } from './support/real.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

const socketUrl = (url: string) => new URL('ws', url).href.replace('http', 'ws');
const anyOrigin = { SWITCHBOARD__HTTP__ALLOWED_ORIGINS: '*' };

test('a page joins, talks, and is the same person after a reload; a copy of its tab is another', async () => {
  const server = await startServer(anyOrigin);
  const url = await servePages();
  const witness = visit(server.url, 'blue');
  const peers = roster(witness);
  const heard = inbox(witness);
  const { self } = await witness.start();
  const { page, troubles } = await openPage(browser, url);
  const arrive = (target = page) =>
    target.evaluate(`arrive({ url: '${socketUrl(server.url)}', room: 'blue' })`) as Promise<{
      self: { id: string; who: string };
    }>;
  const first = await arrive();
  await page.evaluate(`client.signal('${self.id}', 'app', 'hello')`);
  expect(heard.map(({ data }) => data)).toEqual(['hello']);
  await witness.signal(first.self.id, 'app', 'welcome');
  await page.waitForFunction(`heard.includes('welcome')`);
  // A copied tab starts with a copy of the storage as it is while this page is in use.
  const opened = page.waitForEvent('popup');
  await page.evaluate('void open(location.href)');
  const copy = await opened;
  await copy.waitForFunction('globalThis.arrive');
  const other = await arrive(copy);
  expect(other.self.who).not.toBe(first.self.who);
  await page.reload();
  await page.waitForFunction('globalThis.arrive');
  const second = await arrive();
  expect(second.self.who).toBe(first.self.who);
  expect(second.self.id).not.toBe(first.self.id);
  await until('one seat for each', () => peers.size === 2 && peers.has(second.self.id) && peers.has(other.self.id));
  expect(troubles).toEqual([]);
});

test('a worker joins and talks', async () => {
  const server = await startServer(anyOrigin);
  const witness = visit(server.url, 'blue');
  const heard = inbox(witness);
  await witness.start();
  const { page, troubles } = await openPage(browser, await servePages());
  await page.evaluate(`
    globalThis.fromWorker = [];
    globalThis.worker = new Worker('/worker.js', { type: 'module' });
    worker.onmessage = ({ data }) => fromWorker.push(data.heard);
    worker.postMessage({ url: '${socketUrl(server.url)}', room: 'blue' });
  `);
  await until('it has said something', () => heard.length === 1);
  expect(heard[0]?.data).toBe('from a worker');
  await witness.signal('*', 'app', 'to a worker');
  await page.waitForFunction(`fromWorker.includes('to a worker')`);
  expect(troubles).toEqual([]);
});

test('timers that are a minute late cost no connection; a path that is gone is known within 5 s of "online"', async () => {
  const server = await startServer(anyOrigin);
  const path = await pathTo(server);
  const { page, troubles } = await openPage(browser, await servePages());
  const sockets: unknown[] = [];
  page.on('websocket', (socket) => sockets.push(socket));
  await page.clock.install();
  const { self } = (await page.evaluate(`arrive({ url: '${socketUrl(path.url)}', room: 'blue' })`)) as { self: { id: string } };
  await page.evaluate('client.ping()');
  for (let round = 0; round < 3; round += 1) {
    await page.clock.fastForward(61_000);
    await page.evaluate('client.ping()');
  }
  expect(sockets.length).toBe(1);
  await page.clock.resume();
  path.swallow();
  path.heal();
  const began = performance.now();
  await page.evaluate(`dispatchEvent(new Event('online'))`);
  await until('a new socket has taken the session over', () => page.evaluate('states.length === 4 && client.state.resumed'));
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(await page.evaluate('client.joined.self.id')).toBe(self.id);
  expect(await page.evaluate('states')).toEqual(['connecting', 'joined', 'connecting', 'joined']);
  expect(sockets.length).toBe(2);
  expect(troubles).toEqual([]);
});

test('a hidden page comes back by a worker’s timer, and by its own where a policy forbids the worker', async () => {
  const server = await startServer(anyOrigin);
  const path = await pathTo(server);
  for (const policy of [undefined, "default-src 'self'; connect-src *"]) {
    const { page, troubles } = await openPage(browser, await servePages(policy));
    // Nobody looks; and in the first page its own timers don't fire at all.
    await page.evaluate(`Object.defineProperty(document, 'hidden', { get: () => true })`);
    await page.evaluate(`arrive({ url: '${socketUrl(path.url)}', room: 'blue', random: () => 0.1 })`);
    await page.evaluate('client.ping()');
    if (!policy) await page.evaluate('globalThis.setTimeout = () => 0');
    path.cut();
    await until('it is back', () => page.evaluate('states.filter((name) => name === "joined").length === 2'));
    expect(troubles).toEqual([]);
  }
});
