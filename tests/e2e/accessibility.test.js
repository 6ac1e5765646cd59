// Both pages for those who do not see them, or use no mouse: axe finds nothing serious in any state, and the keyboard gets everywhere.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'gentle-otter-0123456789abc';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.SCREENSHOTS;

/** What axe has to say about the page as it is, by the rules of WCAG 2.2 A and AA and its own of good practice. */
async function findings(page) {
  if (!await page.evaluate(() => 'axe' in globalThis)) await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations', 'passes'] }));
  assert.ok(passes.length > 10, 'axe has looked at the page');
  return violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
}

/** Nothing at all, and not only nothing serious; and a picture of it for whoever wants to look. */
async function clean(page, what, name) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png` });
  assert.deepEqual(await findings(page), [], what);
}

const VIEWS = [['phone', { width: 360, height: 740 }], ['desk', { width: 1280, height: 800 }]];

for (const colorScheme of ['light', 'dark']) {
  for (const [device, viewport] of VIEWS) {
    scenario(`axe finds nothing in any state of the page on a ${device}, ${colorScheme}`, async (t) => {
      const { url } = await startServer(t);
      const arrive = (at) => Visitor.arrive(t, browser, at, async (page) => {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize(viewport);
      });
      const ada = await arrive(url);
      const check = (what) => clean(ada.page, what, `${device}-${colorScheme}-${what.replaceAll(' ', '-')}`);
      await check('lobby');
      await ada.join('', 'Ada');
      await ada.page.getByLabel('Room', { exact: true }).fill(' ');
      await ada.press('Join');
      await ada.alert('Give the room a name.');
      await check('lobby with an alert');
      await ada.page.goto(`${url}?again#room=${ROOM}`);
      await ada.page.getByText('You are invited to gentle-otter.').waitFor();
      await check('invited');
      await ada.page.getByLabel('Your name').fill('Ada');
      await ada.press('Join');
      await ada.inRoom(ROOM);
      await check('alone');

      const [grace, hedy] = [await Visitor.arrive(t, browser, url), await Visitor.arrive(t, browser, url)];
      await grace.joined(ROOM, 'Grace');
      await hedy.joined(ROOM, 'Hedy with a name of some length');
      await ada.page.locator('#people').evaluate((list) => { list.open = true; });
      await ada.sees('Grace', 'connected');
      await ada.sees('Hedy', 'connected');
      await ada.say('Hello, everybody: https://example.org/');
      await grace.say('Hello, Ada');
      await ada.hears('Hello, Ada', 'Grace');
      await ada.page.locator('#mesh').evaluate((details) => { details.open = true; });
      await ada.page.getByText('All 3 connections stand.').waitFor();
      await ada.page.locator('#mesh').scrollIntoViewIfNeeded();
      await check('three people');
      await grace.page.locator('#file').setInputFiles({ name: 'notes of the meeting.txt', mimeType: 'text/plain', buffer: Buffer.from('notes') });
      await ada.page.getByRole('button', { name: 'Accept' }).waitFor();
      await ada.page.locator('#file').setInputFiles({ name: 'photo.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(40_000) });
      await ada.page.getByText('waiting for an answer').waitFor();
      await check('files');
      await ada.press('Accept');
      await ada.page.getByRole('button', { name: 'Save again' }).waitFor();
      await check('a file has arrived');
      await ada.press('Invite…');
      await ada.page.locator('#qr path').waitFor({ state: 'attached' });
      await check('invitation');
    });
  }

  scenario(`axe finds nothing while the page waits for the server, or for a place, ${colorScheme}`, async (t) => {
    const server = await startServer(t, { SWITCHBOARD__LIMITS__PEERS_PER_ROOM: '1' });
    const [ada, grace] = [await Visitor.arrive(t, browser, server.url), await Visitor.arrive(t, browser, server.url)];
    for (const { page } of [ada, grace]) await page.emulateMedia({ colorScheme });
    await ada.joined(ROOM, 'Ada');
    await grace.join(ROOM, 'Grace');
    await grace.alert('is full');
    await clean(grace.page, 'waiting for a place', `queue-${colorScheme}`);
    await server.crash();
    await ada.status('Next attempt in');
    await clean(ada.page, 'waiting for the server', `waiting-${colorScheme}`);
  });

  scenario(`axe finds nothing on the ops page, with a room and its recording open, ${colorScheme}`, async (t) => {
    const server = await startServer(t);
    const [ada, grace] = [await Visitor.arrive(t, browser, server.url), await Visitor.arrive(t, browser, server.url)];
    await ada.joined(ROOM, 'Ada');
    await grace.joined(ROOM, 'Grace');
    await grace.sees('Ada', 'connected');
    const operator = await Visitor.arrive(t, browser, server.opsUrl, (page) => page.emulateMedia({ colorScheme }));
    const { page } = operator;
    await operator.page.getByText('Healthy').first().waitFor();
    await until('figures', async () => (await page.locator('.card .value').count()) > 0);
    await clean(page, 'the overview', `ops-${colorScheme}`);
    await page.getByRole('button', { name: 'Show rooms' }).click();
    await page.locator('#rooms-list button').first().click();
    await page.locator('#members tr').nth(1).waitFor();
    await page.locator('#recorder-room').fill(ROOM);
    await page.locator('#recorder-show').click();
    await page.locator('#recording').waitFor();
    await clean(page, 'a room and its recording', `ops-room-${colorScheme}`);
    await page.getByRole('button', { name: 'Notice to everybody…' }).click();
    await page.getByRole('dialog').waitFor();
    await clean(page, 'a dialog', `ops-dialog-${colorScheme}`);
  });
}

scenario('axe would tell if there were something', async (t) => {
  const { url } = await startServer(t);
  const { page } = await Visitor.arrive(t, browser, url);
  await page.evaluate(() => document.querySelector('main').append(document.createElement('button')));
  assert.match((await findings(page)).join(), /critical: button-name/);
});

/** What has the focus: its accessible name, as far as it is a text here; and that one sees it. */
const focused = (page) => page.evaluate(() => {
  const it = document.activeElement;
  if (it === document.body) return { name: '', visible: true };
  const { outlineStyle, outlineWidth } = getComputedStyle(it);
  const name = it.getAttribute('aria-label') ?? it.labels?.[0]?.textContent ?? it.textContent;
  return { name: name.trim().replace(/\s+/g, ' '), visible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
});

/** Presses Tab until something of that name has the focus; each stop on the way is to be seen. */
async function tabTo(page, name, key = 'Tab') {
  const passed = [];
  for (let nth = 0; nth < 40; nth += 1) {
    await page.keyboard.press(key);
    const stop = await focused(page);
    passed.push(stop.name);
    assert.ok(stop.visible, `the focus on “${stop.name}” cannot be seen`);
    if (stop.name.startsWith(name)) return passed;
  }
  throw new Error(`no “${name}” among ${passed.join(', ')}`);
}

scenario('without a mouse one joins, writes, takes a file, invites others and leaves', async (t) => {
  const { url } = await startServer(t);
  const [ada, grace] = [await Visitor.arrive(t, browser, url), await Visitor.arrive(t, browser, url)];
  await grace.joined(ROOM, 'Grace');
  const { page } = ada;
  const type = (text) => page.keyboard.type(text);
  assert.equal((await focused(page)).name, 'Room');
  await page.keyboard.press('ControlOrMeta+A');
  await type(ROOM);
  assert.deepEqual(await tabTo(page, 'Your name'), ['Another name', 'Your name']);
  await type('Ada');
  await tabTo(page, 'Join');
  await page.keyboard.press('Enter');
  await ada.inRoom(ROOM);
  await ada.sees('Grace', 'connected');
  assert.equal((await focused(page)).name, 'Message', 'whoever has joined can write');
  await type('no mouse here');
  await page.keyboard.press('Enter');
  await grace.hears('no mouse here', 'Ada');

  await grace.page.locator('#file').setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('a') });
  await page.getByRole('button', { name: 'Accept' }).waitFor();
  await tabTo(page, 'Accept', 'Shift+Tab');
  const saved = page.waitForEvent('download');
  await page.keyboard.press('Enter');
  await saved;
  await until('the focus is where it was', async () => ['Save again', 'Remove'].includes((await focused(page)).name));
  await tabTo(page, 'Remove');
  await page.keyboard.press('Enter');
  assert.equal((await focused(page)).name, 'Message', 'and not lost with its line');

  await tabTo(page, 'Invite…', 'Shift+Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Invite others' }).waitFor();
  await page.keyboard.press('Escape');
  assert.equal((await focused(page)).name, 'Invite…');
  await tabTo(page, 'Leave', 'Shift+Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Join' }).waitFor();
  await grace.notices('Ada left');
});

scenario('what happens is read out: messages and files politely, trouble at once, the countdown not at all', async (t) => {
  const { url } = await startServer(t);
  const ada = await Visitor.arrive(t, browser, url);
  const live = (selector) => ada.page.locator(selector).evaluate((it) => [it.getAttribute('role'), it.getAttribute('aria-live')]);
  assert.deepEqual(await live('#log'), ['log', 'polite']);
  assert.deepEqual(await live('#alert'), ['alert', null]);
  assert.deepEqual(await live('#status'), ['status', null]);
  assert.deepEqual(await live('#next-attempt'), ['timer', 'off']);
  const nameless = await ada.page.evaluate(() => [...document.querySelectorAll('input, button, [role=img], dialog')]
    .filter((it) => !(it.getAttribute('aria-label') || it.getAttribute('aria-labelledby') || it.labels?.length || it.textContent.trim() || it.id === 'file'))
    .map(({ id }) => id));
  assert.deepEqual(nameless, []);
});
