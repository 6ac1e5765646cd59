// What went on in a room, drawn on the live page in a real Chromium: a call in which one does not answer.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join as path } from 'node:path';
import test from 'node:test';
import { grouped, layout, words } from '../../../clients/web/ops/recording.js';
import { REPOSITORY, startServer } from '../../e2e/support/server.js';
import { until } from '../../e2e/support/until.js';
import { launch } from './support/browser.js';
import { join } from './support/member.js';

const short = (id) => id.slice(0, 8);

async function open(t, url, options = {}) {
  const browser = await launch(t);
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options });
  const complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url);
  return {
    page,
    complaints,
    /** Asks for a room by its name, as for one that is over. */
    ask: async (room) => {
      await page.fill('#recorder-room', room);
      await page.click('#recorder-show');
    },
    texts: (selector) => page.$$eval(selector, (all) => all.map((one) => one.textContent)),
    shot: (file) => {
      const folder = path(REPOSITORY, 'target/screenshots');
      mkdirSync(folder, { recursive: true });
      return page.screenshot({ path: path(folder, `${file}.png`), fullPage: true });
    },
  };
}

const signal = (from, to, kind) => from.say({ type: 'signal', to: to.id ?? to, kind, data: 'x'.repeat(200) });

test('a call is drawn, with who does not answer, and is still there when the room is over', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t);
  const [ada, bob, eve] = [await join(t, server.url, 'demo'), await join(t, server.url, 'demo'), await join(t, server.url, 'demo')];
  signal(ada, bob, 'offer');
  signal(ada, eve, 'offer');
  await bob.hears('signal');
  signal(bob, ada, 'answer');
  for (let n = 0; n < 3; n += 1) signal(bob, ada, 'candidate');
  signal(bob, '0'.repeat(32), 'app');
  await bob.hears('error');
  const operator = await open(t, server.opsUrl);
  const { page, texts } = operator;
  await page.click('#rooms-show');
  await page.getByRole('button', { name: 'demo', exact: true }).click();
  await page.waitForSelector('#room:not([hidden])');
  await until('an offer has waited', async () => {
    await page.locator('#room-actions').getByRole('button', { name: 'What happened' }).click();
    await page.waitForSelector('#recording:not([hidden])');
    return (await texts('#unanswered li')).length === 1;
  });
  assert.match((await texts('#unanswered li'))[0], new RegExp(`^no answer from ${short(eve.id)} to ${short(ada.id)} for \\d+ s$`));
  const peers = await texts('#sequence .peer');
  assert.deepEqual(peers.slice(0, 3).map(short), [ada, bob, eve].map(({ id }) => short(id)), 'a column for each, in the order in which they came');
  const lines = await texts('#sequence .fact');
  const has = (text) => assert.ok(lines.some((line) => line.includes(text)), `${text} in\n${lines.join('\n')}`);
  ['joined', 'offer, 320 bytes', 'answer, 320 bytes', '3 × candidate', 'app: peer_not_found', 'error: peer_not_found', 'no answer from'].forEach(has);
  assert.match(lines[0], /^\+0\.000 s/);
  assert.equal((await texts('#sequence .bad')).length, 3);
  assert.match(await page.textContent('#recording-facts'), /^The room is open, 4 peers, \d+ facts$/);
  await operator.shot('live-page-recording');

  for (const member of [ada, bob, eve]) member.say({ type: 'leave' });
  await until('the room is over', async () => {
    await operator.ask('demo');
    return /^The room is over/.test(await page.textContent('#recording-facts'));
  });
  assert.ok((await texts('#sequence .fact')).some((line) => line.endsWith('left: left')));
  await operator.ask('nowhere');
  await until('there is none', async () => /Nothing is recorded of a room of that name/.test(await page.textContent('#said')));
  assert.equal(await page.isVisible('#recording'), false);
  await operator.ask('..');
  await until('why not', async () => /no path of its own/.test(await page.textContent('#said')));
  const refused = operator.complaints.filter((text) => !/404/.test(text));
  assert.deepEqual(refused, []);
});

test('on a phone and in the dark it scrolls by itself', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t);
  for (let n = 0; n < 6; n += 1) await join(t, server.url, 'demo');
  const operator = await open(t, server.opsUrl, { viewport: { width: 360, height: 780 }, colorScheme: 'dark' });
  const { page } = operator;
  await operator.ask('demo');
  await page.waitForSelector('#recording:not([hidden])');
  const overflow = (selector) => page.$eval(selector, (element) => element.scrollWidth > element.clientWidth);
  assert.deepEqual([await overflow('html'), await overflow('#sequence')], [false, true]);
  await operator.shot('live-page-recording-phone');
  assert.deepEqual(operator.complaints, []);
});

test('lines are put where they belong', () => {
  const [a, b] = ['a'.repeat(32), 'b'.repeat(32)];
  const at = (second) => `2026-01-01T00:00:0${second}.000Z`;
  const candidate = (second) => ({ at: at(second), kind: 'candidate', peer: a, to: b, bytes: 64, outcome: 'delivered' });
  const facts = [
    { at: at(0), kind: 'joined', peer: a }, candidate(1), candidate(2), { ...candidate(3), outcome: 'busy' },
    { at: at(4), kind: 'app', peer: b, to: '*', others: 1, bytes: 64 }, { at: at(5), kind: 'locked', peer: null },
  ];
  assert.deepEqual(grouped(facts).map(({ count }) => count), [1, 2, 1, 1, 1]);
  const { columns, lines } = layout({ peers: [{ id: a, isHere: true }, { id: b, isHere: false }], facts, unanswered: [{ from: a, to: b, waitedMs: 2500 }] });
  assert.deepEqual(columns.map(({ label }) => label), ['aaaaaaaa', 'bbbbbbbb']);
  assert.deepEqual(lines.map(({ time, from, to, text, bad }) => [time, from, to, text, bad]), [
    ['+0.000 s', 0, null, 'joined', false],
    ['+1.000 s', 0, 1, '2 × candidate', false],
    ['+3.000 s', 0, 1, 'candidate: busy', true],
    ['+4.000 s', 1, null, 'app to all 1', false],
    ['+5.000 s', null, null, 'locked', false],
    ['', 1, null, 'no answer from bbbbbbbb to aaaaaaaa for 2 s', true],
  ]);
  assert.equal(words({ kind: 'join_refused', outcome: 'room_full' }, 1), 'join refused: room_full');
});
