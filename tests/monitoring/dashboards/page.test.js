// The live page of the ops listener in a real Chromium, on a desk and on a phone.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { REPOSITORY, startServer } from '../../e2e/support/server.js';
import { until } from '../../e2e/support/until.js';
import { launch } from './support/browser.js';
import { startLoad } from './support/load.js';

const SHOTS = join(REPOSITORY, 'target/screenshots');
const SCREENS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** What a number of the page is worth: it has commas for people. */
const worth = (text) => Number(text.replaceAll(',', ''));

async function open(t, url, { name, dark = false }) {
  const browser = await launch(t);
  const page = await browser.newPage({ viewport: SCREENS[name], colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce' });
  const complaints = [];
  const asked = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(url);
  return {
    complaints,
    asked,
    /** What a card says: its values by their names. */
    card: (title) => page.evaluate((wanted) => {
      const card = [...document.querySelectorAll('#cards .card')].find((one) => one.querySelector('h2').firstChild.data === wanted);
      return {
        values: Object.fromEntries([...card.querySelectorAll('.key')].map((key) => [key.querySelector('.name').textContent, key.querySelector('.value').textContent])),
        line: card.querySelector('path').getAttribute('d'), note: card.querySelector('.note').textContent,
      };
    }, title),
    text: (selector) => page.textContent(selector),
    status: () => page.getAttribute('#status', 'data-level'),
    overflows: () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth),
    shot: (file) => { mkdirSync(SHOTS, { recursive: true }); return page.screenshot({ path: join(SHOTS, `${file}.png`), fullPage: true }); },
  };
}

test('the page shows the server as it is, and numbers that move', { timeout: 120_000 }, async (t) => {
  const server = await startServer(t);
  const page = await open(t, server.opsUrl, { name: 'desktop' });
  await until('the page has its first figures', async () => (await page.card('Connections')).values.open === '0');
  assert.match(await page.text('#status-text'), /^Healthy/);
  const before = await page.card('Connections');

  await startLoad(t, server.url);
  await until('connections and rooms are shown', async () => worth((await page.card('Connections')).values.open) >= 13
    && worth((await page.card('Rooms')).values['peers in them']) >= 13);
  await until('messages flow', async () => worth((await page.card('Messages per second')).values.out) > 1);
  await until('errors are counted', async () => worth((await page.card('Errors per minute')).values.all) > 1);
  await until('joins and leaves are counted', async () => {
    const { joins, leaves } = (await page.card('Churn per minute')).values;
    return worth(joins) >= 13 && worth(leaves) >= 1;
  });
  await until('handling is measured', async () => /[µm]?s$/.test((await page.card('Message handling, p95')).values['over a minute']));
  assert.match((await page.card('Memory')).values.resident, /^\d+(\.\d)? MiB$/);
  assert.match(await page.text('#errors'), /room_full/);
  assert.notEqual((await page.card('Connections')).line, before.line, 'the line grows');
  const messages = (await page.card('Messages per second')).values.out;
  await until('another number of messages', async () => (await page.card('Messages per second')).values.out !== messages);

  await page.shot('live-page-desktop');
  assert.deepEqual(page.complaints, []);
  assert.deepEqual([...new Set(page.asked.map((url) => new URL(url).origin))], [new URL(server.opsUrl).origin], 'nothing from elsewhere');
});

test('on a phone, in the dark, nothing sticks out; when the server goes, the page says so', { timeout: 120_000 }, async (t) => {
  const server = await startServer(t);
  const page = await open(t, server.opsUrl, { name: 'phone', dark: true });
  await startLoad(t, server.url);
  await until('connections are shown', async () => worth((await page.card('Connections')).values.open) >= 13);
  await until('messages flow', async () => worth((await page.card('Messages per second')).values.out) > 1);
  assert.equal(await page.overflows(), false);
  await page.shot('live-page-phone');
  await server.crash();
  await until('the page says that nobody answers', async () => (await page.status()) === 'bad');
  assert.match(await page.text('#status-text'), /No answer/);
  assert.equal((await page.card('Connections')).values.open, '–');
});
