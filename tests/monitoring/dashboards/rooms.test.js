// Rooms on the live page, in a real Chromium, with real peers in them: what is shown, and what is done to them.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import test from 'node:test';
import { REPOSITORY, startServer } from '../../e2e/support/server.js';
import { until } from '../../e2e/support/until.js';
import { launch } from './support/browser.js';
import { join } from './support/member.js';

const TOKEN = 'correct-horse-battery-staple';
const IDENTITY = 'correct-horse-battery-staple-417';
const KEY = 'a-key-of-the-tests-alone-with-32-bytes-and-more';

/** A token for the room `demo`. */
function tokenFor(sub) {
  const part = (json) => Buffer.from(JSON.stringify(json)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ room: 'demo', sub, exp: Math.floor(Date.now() / 1000) + 600 })}`;
  return `${signed}.${createHmac('sha256', KEY).update(signed).digest('base64url')}`;
}

async function open(t, url, viewport = { width: 1280, height: 900 }) {
  const browser = await launch(t);
  const page = await browser.newPage({ viewport, reducedMotion: 'reduce' });
  const complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => { complaints.push(`a script said ${dialog.message()}`); dialog.dismiss(); });
  await page.goto(url);
  const said = (what, pattern) => until(what, async () => pattern.test(await page.textContent('#said')));
  return {
    page,
    complaints,
    said,
    show: () => page.click('#rooms-show'),
    /** Opens a room of the list, by the whole of its name as it is shown. */
    look: async (name) => {
      await page.getByRole('button', { name, exact: true }).click();
      await page.waitForSelector('#room:not([hidden])');
    },
    /** Presses a button that asks first, and checks that nothing is done before the answer. */
    ask: async (label) => {
      await page.getByRole('button', { name: label }).click();
      await page.waitForSelector('#confirm[open]');
    },
    yes: () => page.click('#confirm-yes'),
    rows: (body) => page.$$eval(`#${body} tr`, (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))),
    shot: (file) => {
      const folder = path(REPOSITORY, 'target/screenshots');
      mkdirSync(folder, { recursive: true });
      return page.screenshot({ path: path(folder, `${file}.png`), fullPage: true });
    },
  };
}

/** The API, asked by the test itself. */
const ask = async (server, what, options) => (await fetch(`${server.opsUrl}admin/v1/${what}`, options)).json();

/** How often operators have called that. */
async function calls(server, call) {
  const metrics = await (await fetch(`${server.opsUrl}metrics`)).text();
  const lines = metrics.split('\n').filter((line) => line.startsWith(`switchboard_ops_calls_total{call="${call}"`));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('rooms are listed when asked for, by filters and in pages', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t);
  await join(t, server.url, 'alone');
  await join(t, server.url, 'pair');
  await join(t, server.url, 'pair');
  const rooms = Array.from({ length: 52 }, (_, n) => `many-${String(n).padStart(2, '0')}`);
  await Promise.all(rooms.map((room) => join(t, server.url, room)));
  const { page, show, rows, complaints } = await open(t, server.opsUrl);
  await until('the figures are there', async () => /^Healthy/.test(await page.textContent('#status-text')));
  assert.equal(await page.isVisible('#rooms-table'), false);
  assert.equal(await calls(server, 'rooms'), 0, 'a page that is only open looks into no room');

  await show();
  const names = async () => (await rows('rooms-list')).map(([name]) => name);
  await until('the first page', async () => (await names()).length === 50);
  assert.deepEqual((await names()).slice(0, 2), ['alone', 'many-00']);
  await page.click('#rooms-next');
  await until('the last page', async () => (await names()).join() === 'many-49,many-50,many-51,pair');
  assert.equal(await page.isDisabled('#rooms-next'), true);
  await page.click('#rooms-previous');
  await until('the first page again', async () => (await names()).length === 50);

  await page.fill('#filter-prefix', 'many-3');
  await page.press('#filter-prefix', 'Enter');
  await until('those of that beginning', async () => (await names()).length === 10 && (await names())[0] === 'many-30');
  await page.fill('#filter-prefix', '');
  await page.fill('#filter-peers', '2');
  await show();
  await until('those with two peers', async () => (await names()).join() === 'pair');
  assert.deepEqual((await rows('rooms-list'))[0].slice(1, 3), ['2', 'open']);
  await page.selectOption('#filter-locked', 'true');
  await show();
  await until('none is locked', async () => /No such room/.test(await page.textContent('#no-rooms')));
  assert.deepEqual(complaints, []);
});

test('a peer is kicked and banned, a ban lifted, a room locked, told and closed, each after a question', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t);
  const ada = await join(t, server.url, 'demo', { identity: IDENTITY });
  const eve = await join(t, server.url, 'demo', { identity: `${IDENTITY}-of-eve` });
  const operator = await open(t, server.opsUrl);
  const { page } = operator;
  await operator.show();
  await operator.look('demo');
  await until('both are listed', async () => (await operator.rows('members')).length === 2);

  await operator.ask(`Kick peer ${eve.id}`);
  assert.match(await page.textContent('#confirm-text'), new RegExp(eve.id));
  assert.equal(await page.evaluate(() => document.activeElement.id), 'confirm-no', 'a stray Enter does nothing');
  await page.keyboard.press('Escape');
  await until('the question is gone', async () => !await page.isVisible('#confirm'));
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), `Kick peer ${eve.id}`);
  assert.equal(await calls(server, 'kick'), 0, 'Escape is no');

  await page.keyboard.press('Enter');
  await page.selectOption('#confirm [name=banMs]', '3600000');
  await page.fill('#confirm [name=reason]', 'é'.repeat(129));
  await operator.yes();
  assert.equal(await page.evaluate(() => document.querySelector('#confirm [name=reason]').validationMessage), 'Too long by 2 bytes (at most 256).');
  await page.fill('#confirm [name=reason]', 'Be nice.');
  await operator.yes();
  await operator.said('the kick is told', new RegExp(`^Peer ${eve.id} was kicked from demo`));
  assert.match(JSON.stringify(await eve.hears('bye')), /kicked.*Be nice\.|Be nice\..*kicked/);
  assert.equal(await eve.closed, 4501);
  await until('one is left, and a ban', async () => (await operator.rows('members')).length === 1 && (await operator.rows('bans')).length === 1);
  await operator.shot('live-page-rooms');

  await operator.ask('Lift ban');
  await operator.yes();
  await until('the ban is lifted', async () => (await operator.rows('bans')).length === 0);
  assert.deepEqual((await ask(server, 'bans?room=demo')).bans, []);

  await operator.ask('Lock…');
  await operator.yes();
  assert.equal((await ada.hears('room_state')).locked, true);
  await until('the list says so, too', async () => (await operator.rows('rooms-list'))[0][2] === 'locked');
  await operator.ask('Unlock…');
  await operator.yes();
  await operator.said('it is unlocked', /^demo is unlocked/);
  assert.equal((await ask(server, 'rooms/demo')).locked, false);

  await page.locator('#room-actions').getByRole('button', { name: 'Notice…' }).click();
  assert.equal(await page.evaluate(() => document.activeElement.name), 'text');
  await operator.yes();
  assert.equal(await page.isVisible('#confirm'), true, 'there is nothing to send');
  await page.fill('#confirm [name=text]', 'Back in five minutes.');
  await operator.yes();
  assert.equal((await ada.hears('notice')).text, 'Back in five minutes.');
  await operator.said('how many got it', /^The notice went to 1 peer\./);
  await operator.ask('Notice to everybody…');
  await page.fill('#confirm [name=text]', 'To all.');
  await operator.yes();
  await until('all are told', () => ada.heard().filter((type) => type === 'notice').length === 2);

  await operator.ask('Close room…');
  await operator.yes();
  await operator.said('the room is closed', /^demo was closed: 1 peer sent out/);
  await ada.closed;
  await until('no room is left', async () => /No such room/.test(await page.textContent('#no-rooms')));
  assert.equal(await page.isVisible('#room'), false);
  assert.deepEqual(operator.complaints, []);
});

test('what cannot be done is said in the dialog, and the server is drained and taken back', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t, { SWITCHBOARD__SERVER__DRAIN_MS: '60000', SWITCHBOARD__SERVER__DRAIN_DEADLINE_MS: '61000' });
  await join(t, server.url, 'demo');
  const visitor = await join(t, server.url, 'demo');
  const operator = await open(t, server.opsUrl, { width: 390, height: 844 });
  const { page } = operator;
  await operator.show();
  await operator.look('demo');
  await operator.ask(`Kick peer ${visitor.id}`);
  await ask(server, 'kick', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ room: 'demo', peer: visitor.id }) });
  await operator.yes();
  await until('it is said', async () => /not in the room any more/.test(await page.textContent('#confirm-error')));
  await page.click('#confirm-no');
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth), false, 'a phone shows it all');
  await operator.shot('live-page-rooms-phone');

  await operator.ask('Take the drain back…');
  await operator.yes();
  await until('there is none', async () => /not draining/.test(await page.textContent('#confirm-error')));
  await page.click('#confirm-no');
  await operator.ask('Drain…');
  assert.equal((await fetch(`${server.url}readyz`)).status, 200, 'not before the answer');
  await operator.yes();
  await operator.said('the drain is told', /^The server drains: 1 connection left, and it ends within/);
  assert.equal((await fetch(`${server.url}readyz`)).status, 503);
  await operator.ask('Take the drain back…');
  await operator.yes();
  await operator.said('it is taken back', /^The drain is taken back: 1 connection stay/);
  await until('it is ready again', async () => (await fetch(`${server.url}readyz`)).status === 200);
});

test('the token is asked for, kept for the tab, sent as a header, and forgotten', { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(path(tmpdir(), 'switchboard-ops-token-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path(folder, 'token');
  writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
  const server = await startServer(t, { SWITCHBOARD__OPS__TOKEN_FILE: file, SWITCHBOARD__OPS__TOKEN_FAILURES_PER_MINUTE: '2' });
  await join(t, server.url, 'demo');
  const operator = await open(t, server.opsUrl);
  const { page } = operator;
  const headers = [];
  page.on('request', async (request) => { if (request.url().includes('/admin/')) headers.push(await request.allHeaders()); });
  await operator.show();
  await page.waitForSelector('#token[open]');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token-text');
  await page.keyboard.press('Escape');
  await operator.said('why there is nothing', /asks for the operator’s token/);

  await operator.show();
  await page.fill('#token-text', 'wrong');
  await page.keyboard.press('Enter');
  await until('it is wrong', async () => /does not take that token/.test(await page.textContent('#token-error')));
  await page.fill('#token-text', TOKEN);
  await page.keyboard.press('Enter');
  await until('the room is listed', async () => (await operator.rows('rooms-list')).length === 1);
  assert.equal(headers.at(-1).authorization, `Bearer ${TOKEN}`);
  assert.ok(headers.every((sent) => !('cookie' in sent)));
  assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]), ['', 0, 1]);
  assert.equal(page.url(), server.opsUrl, 'it is in no address');

  await page.reload();
  await operator.show();
  await until('it is still known', async () => (await operator.rows('rooms-list')).length === 1);
  await operator.look('demo');
  await operator.ask('Lock…');
  await operator.yes();
  await operator.said('the room is locked', /^demo is locked/);
  await page.click('#forget');
  assert.deepEqual([await page.evaluate(() => sessionStorage.length), await operator.rows('rooms-list'), await page.isVisible('#room')], [0, [], false]);

  await operator.show();
  for (const wrong of ['wrong-1', 'wrong-2']) {
    await page.waitForSelector('#token[open]');
    await page.fill('#token-text', wrong);
    await page.keyboard.press('Enter');
  }
  await operator.said('guessing is slowed down, and said', /Too many wrong tokens.*Try again in/);
});

test('the mesh of a room is drawn, as its peers report it', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t);
  const [ada, bob, cid] = [await join(t, server.url, 'demo'), await join(t, server.url, 'demo'), await join(t, server.url, 'demo')];
  const operator = await open(t, server.opsUrl);
  const { page } = operator;
  await operator.show();
  await operator.look('demo');
  await until('all are listed', async () => (await operator.rows('members')).length === 3);
  assert.equal(await page.isVisible('#mesh-table'), false, 'nobody has reported');

  const connected = ({ id }) => ({ kind: 'pair_connected', peer: id, ms: 300, candidate: 'host' });
  const failed = ({ id }) => ({ kind: 'pair_failed', peer: id, reason: 'ice_failed' });
  const report = (peer, events) => peer.say({ type: 'report', events });
  report(ada, [connected(bob), { kind: 'pair_round_trip', peer: bob.id, ms: 21 }, failed(cid)]);
  report(cid, [failed(ada), { kind: 'pair_attempt', peer: bob.id }]);
  await until('it is known', async () => {
    const { pairs } = await ask(server, 'rooms/demo/mesh');
    return pairs.reduce((sum, { told }) => sum + told.length, 0) === 4;
  });
  await operator.look('demo');
  await until('it is drawn', async () => (await operator.rows('mesh')).length === 3);
  const ids = [ada, bob, cid].map(({ id }) => id.slice(0, 8));
  assert.deepEqual(await page.$$eval('#mesh-peers th', (cells) => cells.map((cell) => cell.textContent)), ['Peer', ...ids]);
  const [first, second, third] = await operator.rows('mesh');
  assert.match(first[0], new RegExp(`^${ids[0]}reaches 1 of 2$`));
  assert.match(second[0], /does not report$/);
  assert.deepEqual([first[1], second[2], third[3]], ['', '', '']);
  assert.match(first[2], /^connectedconnected by host, 21 ms, \d+ s ago$/);
  assert.match(first[3], /^failedfailed \(ice_failed\), \d+ s ago$/);
  assert.equal(second[1], 'connectedsays nothing');
  assert.match(third[2], /^waitingis trying, \d+ s ago$/);
  assert.equal(await page.$eval('#mesh tr:first-child td:nth-child(4)', (cell) => cell.dataset.level), 'bad');
  await operator.shot('live-page-mesh');
  assert.deepEqual(operator.complaints, []);
});

test('names that others choose are text, whatever they are', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t);
  const names = {
    '<img src=x onerror=alert(1)>': '<img src=x onerror=alert(1)>',
    '"><script>alert(1)</script>': '"><script>alert(1)</script>',
    'javascript:alert(1)//\'"`${alert(1)}': 'javascript:alert(1)//\'"`${alert(1)}',
    '\u202Egnp.evil': '\\u{202e}gnp.evil',
    'a\u200Bb\u00A0c\u2028d': 'a\\u{200b}b\\u{a0}c\\u{2028}d',
    '..': '..',
    'a/b?c=d&e#f%2e+g': 'a/b?c=d&e#f%2e+g',
    ['W'.repeat(110)]: `${'W'.repeat(80)}…`,
    'שלום': 'שלום',
  };
  const peers = {};
  for (const name of Object.keys(names)) peers[name] = await join(t, server.url, name, { meta: { name: '<img src=x onerror=alert(2)>' } });
  const operator = await open(t, server.opsUrl, { width: 390, height: 844 });
  const { page } = operator;
  await operator.show();
  await until('all are listed', async () => (await operator.rows('rooms-list')).length === 9);
  assert.deepEqual((await operator.rows('rooms-list')).map(([name]) => name).sort(), Object.values(names).sort());
  for (const [name, seen] of Object.entries(names)) {
    await operator.look(seen);
    await until(`${seen} is shown`, async () => (await operator.rows('members'))[0]?.[0] === peers[name].id.slice(0, 8));
    await page.locator('#room-actions').getByRole('button', { name: 'Lock…' }).click();
    assert.ok((await page.textContent('#confirm-text')).includes(seen), seen);
    await operator.yes();
    await operator.said(`${seen} is locked`, /is locked\.$/);
    assert.equal((await peers[name].hears('room_state')).locked, true, 'it is this room that is locked');
    await until('it is shown as locked', () => page.locator('#room-actions').getByRole('button', { name: 'Unlock…' }).isVisible());
    await page.getByRole('button', { name: 'Hide' }).click();
  }
  assert.equal(await page.evaluate(() => document.querySelectorAll('#rooms img, #rooms script, #rooms a').length), 0);
  assert.equal(await page.evaluate(() => [...document.querySelectorAll('#rooms-list button')].every((one) => one.firstChild.localName === 'bdi')), true);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth), false);
  assert.deepEqual(operator.complaints, []);
});

test('all connections of a person or a user are kicked, also of one who is not listed', { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(path(tmpdir(), 'switchboard-ops-kick-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const key = path(folder, 'key');
  writeFileSync(key, KEY, { mode: 0o600 });
  const server = await startServer(t, {
    SWITCHBOARD__AUTH__KEYS: JSON.stringify([{ algorithm: 'HS256', file: key }]), SWITCHBOARD__AUTH__SHOW_USER: 'true',
  });
  const identity = `${IDENTITY}-of-eve`;
  const [eve, eveAgain] = [await join(t, server.url, 'demo', { identity }), await join(t, server.url, 'demo', { identity })];
  const [bob, bobAgain] = [await join(t, server.url, 'demo', { token: tokenFor('bob') }), await join(t, server.url, 'demo', { token: tokenFor('bob') })];
  const ada = await join(t, server.url, 'demo');
  const operator = await open(t, server.opsUrl);
  const { page } = operator;
  await operator.show();
  await operator.look('demo');
  const left = (count) => until(`${count} are left`, async () => (await operator.rows('members')).length === count);
  await left(5);

  await operator.ask(`Kick peer ${ada.id}`);
  assert.equal(await page.locator('#confirm [name=target]').count(), 0, 'nothing else is known of it');
  await page.click('#confirm-no');

  await operator.ask(`Kick peer ${eve.id}`);
  assert.deepEqual(await page.$$eval('#confirm [name=target] option', (all) => all.map(({ value }) => value)), ['peer', 'who']);
  await page.selectOption('#confirm [name=target]', 'who');
  await operator.yes();
  await operator.said('both are gone', /^2 peers kicked from demo\.$/);
  assert.deepEqual([await eve.closed, await eveAgain.closed], [4501, 4501]);
  await left(3);

  await operator.ask(`Kick peer ${bob.id}`);
  await page.selectOption('#confirm [name=target]', 'user');
  await operator.yes();
  assert.deepEqual([await bob.closed, await bobAgain.closed], [4501, 4501]);
  await left(1);

  await operator.ask('Kick by name…');
  await page.fill('#confirm [name=name]', 'mallory');
  await page.selectOption('#confirm [name=banMs]', '600000');
  await operator.yes();
  await operator.said('the ban is made', /^0 peers kicked from demo, and the ban is made\.$/);
  await until('it is listed', async () => (await operator.rows('bans'))[0]?.[1] === 'mallory');
  await operator.ask('Kick by name…');
  await page.selectOption('#confirm [name=by]', 'who');
  await page.fill('#confirm [name=name]', 'nobody');
  await operator.yes();
  await until('what is wrong is said', async () => /32 hex digits/.test(await page.textContent('#confirm-error')));
  await page.click('#confirm-no');
  assert.deepEqual((await ask(server, 'bans?room=demo')).bans.map(({ user }) => user), ['mallory']);
  assert.equal((await ask(server, 'peers?room=demo')).peers.length, 1);
  // What the dialog could not do is the one complaint of the browser's own.
  assert.deepEqual(operator.complaints.filter((text) => !/status of 4\d\d/.test(text)), []);
});

test('where reading asks for the token the page opens, asks once, and begins when it has it', { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(path(tmpdir(), 'switchboard-ops-reads-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path(folder, 'token');
  writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
  const server = await startServer(t, { SWITCHBOARD__OPS__TOKEN_FILE: file, SWITCHBOARD__OPS__PROTECT_READS: 'true' });
  const authorization = { headers: { Authorization: `Bearer ${TOKEN}` } };
  const refused = async () => {
    const metrics = await (await fetch(`${server.opsUrl}metrics`, authorization)).text();
    return Number(/^switchboard_ops_denied_total\{reason="token"\} (\d+)/m.exec(metrics)?.[1] ?? 0);
  };
  const { page } = await open(t, server.opsUrl);
  await page.waitForSelector('#give:not([hidden])');
  assert.match(await page.textContent('#status-text'), /asks for the operator’s token/);
  assert.equal(await page.textContent('#version'), '', 'nothing of the server is shown');
  assert.equal(await refused(), 1, 'one question told the page');

  await page.click('#give');
  await page.fill('#token-text', 'wrong');
  await page.keyboard.press('Enter');
  await until('it was tried, and is asked for again', async () => (await refused()) === 2 && await page.isVisible('#give'));
  await page.click('#give');
  assert.match(await page.textContent('#token-error'), /does not take that token/);
  await page.fill('#token-text', TOKEN);
  await page.keyboard.press('Enter');
  await until('the figures are there', async () => /^Healthy/.test(await page.textContent('#status-text')));
  assert.equal(await page.isVisible('#give'), false);
  assert.equal(await refused(), 2, 'nothing was asked for meanwhile');

  await page.reload();
  await until('the token is known in this tab', async () => /^Healthy/.test(await page.textContent('#status-text')));
  await page.click('#forget');
  await page.waitForSelector('#give:not([hidden])');
  assert.equal(await refused(), 3);
});
