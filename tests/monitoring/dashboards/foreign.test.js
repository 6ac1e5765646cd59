// A page that is not the server's own, in the browser of an operator, tries everything that a page can: from another origin, from
// none (a sandboxed frame), and under a name that its owner has turned to the ops listener (DNS rebinding). That listener is on
// loopback here and asks for no token: only `Host`, `Origin`, `Sec-Fetch-Site` and the content type stand between.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect, createServer as createRelay } from 'node:net';
import test from 'node:test';
import { startServer } from '../../e2e/support/server.js';
import { until } from '../../e2e/support/until.js';
import { launch } from './support/browser.js';
import { join } from './support/member.js';

const ROOM = 'the-board-of-directors';
const NAME = 'evil.example';

/** The bodies with which each call that changes something would succeed. */
const bodies = (peer) => ({
  kick: { room: ROOM, peer, banMs: 60_000 }, lock: { room: ROOM, locked: true }, close: { room: ROOM }, notice: { text: 'You are hacked.' },
  'log-level': { level: 'debug' }, tickets: { room: ROOM }, reload: {}, drain: {}, undrain: {},
});

/** Every route of the listener, and all methods of those of the API, from its own description. */
async function routes(server, peer) {
  const { paths } = await (await fetch(`${server.opsUrl}admin/v1/openapi.json`)).json();
  const api = Object.entries(paths).flatMap(([pattern, methods]) => Object.keys(methods).map((method) => {
    const path = pattern.replace('{room}', ROOM).slice(1);
    const query = method === 'delete' ? `?room=${ROOM}&id=1` : path.endsWith('bans') ? `?room=${ROOM}` : '';
    return { method: method.toUpperCase(), path: path + query, body: bodies(peer)[path.split('/').at(-1)] };
  }));
  assert.ok(api.length >= 17 && api.every(({ method, body }) => ['GET', 'DELETE'].includes(method) || body), 'every change has its body');
  const read = ['metrics', 'errors', 'health', 'healthz', 'readyz', '', 'app.js', 'admin/v1/openapi.json'].map((path) => ({ method: 'GET', path }));
  return [...read, ...api, { method: 'POST', path: 'admin/drain', body: {} }];
}

/** Runs in the page: tries all of it at `target`; what could be read of each answer, null where nothing could. */
async function attack({ target, all, withElements }) {
  const read = [];
  const tell = async (how, answer) => {
    const text = answer && await answer.text().catch(() => '');
    read.push({ how, type: answer?.type ?? null, status: answer?.status || null, text: text || null });
  };
  const attempt = async (how, url, options) => tell(how, await fetch(url, { ...options, signal: AbortSignal.timeout(10_000) }).catch(() => null));
  const once = (element, ...events) => new Promise((resolve) => { for (const event of events) element.addEventListener(event, () => resolve(event)); });
  const put = async (how, name, properties) => {
    const element = Object.assign(document.createElement(name), properties);
    const event = once(element, 'load', 'error');
    document.body.append(element);
    read.push({ how, event: await event, element: name });
  };

  for (const { method, path, body } of all) {
    const url = target + path;
    const text = body && JSON.stringify(body);
    await attempt(`${method} ${path} as JSON`, url, { method, body: text, headers: body && { 'Content-Type': 'application/json' }, credentials: 'include' });
    if (method === 'GET') await attempt(`${method} ${path} without CORS`, url, { mode: 'no-cors', credentials: 'include' });
    if (!withElements) continue;
    for (const type of body ? ['text/plain', 'application/x-www-form-urlencoded', 'text/plain; charset=application/json'] : []) {
      const blob = new Blob([text], { type });
      await attempt(`${method} ${path} as ${type}`, url, { method, body: blob });
      if (method === 'POST') await attempt(`${method} ${path} as ${type} without CORS`, url, { method, body: blob, mode: 'no-cors' });
    }
    if (method === 'POST') {
      await attempt(`${method} ${path} of no type without CORS`, url, { method, body: new Blob([text]), mode: 'no-cors' });
      navigator.sendBeacon(url, text);
      navigator.sendBeacon(url, new Blob([text], { type: 'application/json' }));
      // The text of this form is JSON: one of its members swallows the "=".
      const form = Object.assign(document.createElement('form'), { method: 'post', action: url, enctype: 'text/plain', target: 'sink' });
      const name = text === '{}' ? '{' : `${text.slice(0, -1)},"x":"`;
      form.append(Object.assign(document.createElement('input'), { name, value: text === '{}' ? '}' : '"}' }));
      const sink = document.querySelector('iframe[name=sink]') ?? Object.assign(document.createElement('iframe'), { name: 'sink' });
      document.body.append(sink, form);
      const sent = once(sink, 'load', 'error');
      form.submit();
      await Promise.race([sent, new Promise((resolve) => { setTimeout(resolve, 2_000); })]);
    } else if (method === 'GET') {
      await put(`${path} as a script`, 'script', { src: url });
      await put(`${path} as an image`, 'img', { src: url });
    }
  }
  if (withElements) {
    await put('the page as a frame', 'iframe', { src: target, name: 'framed' });
    read.at(-1).text = (() => {
      try {
        return document.querySelector('iframe[name=framed]').contentDocument?.body.textContent ?? null;
      } catch {
        return null;
      }
    })();
  }
  for (const path of ['', 'ws', 'admin/v1/rooms']) {
    const socket = new WebSocket(target.replace('http', 'ws') + path, 'switchboard.v1');
    read.push({ how: `WebSocket to /${path}`, event: await once(socket, 'open', 'error') });
    socket.close();
    const events = new EventSource(target + path);
    read.push({ how: `EventSource of /${path}`, event: await once(events, 'open', 'error') });
    events.close();
  }
  return read;
}

/**
 * The attacker's web server, under one name and port: what comes in goes to its own pages, and once the name is `turned` to the ops
 * listener, there. Between browser and listener not a byte is changed.
 */
async function startAttacker(t, ops) {
  const pages = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><body>A page of somebody else.</body>');
  });
  const listen = (server) => new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(server.address().port)); });
  const own = await listen(pages);
  let to = own;
  const sockets = new Set();
  const relay = createRelay((socket) => {
    const onward = connect(to, '127.0.0.1');
    for (const [one, other] of [[socket, onward], [onward, socket]]) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => sockets.delete(one));
    }
  });
  const port = await listen(relay);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
    pages.close();
    pages.closeAllConnections();
  });
  return { port, turn: () => { to = Number(ops.split(':').at(-1)); for (const socket of sockets) socket.destroy(); } };
}

/** What the server counts of operators' calls, and of what it denied. */
async function counts(server) {
  const metrics = await (await fetch(`${server.opsUrl}metrics`)).text();
  const sum = (pattern) => [...metrics.matchAll(pattern)].reduce((all, [, , value]) => all + Number(value), 0);
  const calls = [...metrics.matchAll(/^switchboard_ops_calls_total\{call="(\w+)"\} (\d+)/gm)];
  assert.ok(calls.length >= 13, 'every call has its count');
  return {
    calls: Object.fromEntries(calls.filter(([, , value]) => value !== '0').map(([, call, value]) => [call, Number(value)])),
    host: sum(/^switchboard_ops_denied_total\{reason="(host)"\} (\d+)/gm),
    origin: sum(/^switchboard_ops_denied_total\{reason="(origin)"\} (\d+)/gm),
  };
}

/** That nobody was moved, and nothing is otherwise than it was. */
async function assertUntouched(server, members) {
  const ask = async (what) => (await fetch(`${server.opsUrl}admin/v1/${what}`)).json();
  const room = await ask(`rooms/${ROOM}`);
  assert.deepEqual([room.members.map(({ id }) => id), room.locked], [members.map(({ id }) => id), false]);
  assert.deepEqual((await ask(`bans?room=${ROOM}`)).bans, []);
  assert.equal((await ask('log-level')).level, 'info');
  assert.equal((await fetch(`${server.opsUrl}readyz`)).status, 200);
  for (const member of members) {
    const heard = member.heard().filter((type) => !['welcome', 'joined', 'peer_joined'].includes(type));
    assert.deepEqual(heard, [], 'no notice, no lock, no bye');
  }
}

const IS_SECRET = new RegExp(`${ROOM}|switchboard_|"checks"|openapi|[0-9a-f]{32}`);

test('a page of another origin, or of a name that was turned here, reads nothing and changes nothing', { timeout: 120_000 }, async (t) => {
  const server = await startServer(t);
  const members = [await join(t, server.url, ROOM), await join(t, server.url, ROOM)];
  const attacker = await startAttacker(t, server.ops);
  const browser = await launch(t, [`--host-resolver-rules=MAP ${NAME} 127.0.0.1:${attacker.port}`]);
  const page = await browser.newPage();
  const all = await routes(server, members[0].id);

  await page.goto(`http://${NAME}/`);
  assert.equal((await counts(server)).origin, 0);
  const elsewhere = await page.evaluate(attack, { target: server.opsUrl, all, withElements: true });
  assert.ok(elsewhere.length > 4 * all.length, 'it was tried');
  for (const { how, type, text, event, element } of elsewhere) {
    assert.ok([null, undefined, 'opaque'].includes(type), `${how}: ${type}`);
    assert.ok(text === null || text === undefined, `${how} shows ${text}`);
    // The page's own script may be run elsewhere: it is no secret, and has no rights there. A frame loads: the browser's error.
    assert.ok(event === undefined || event === 'error' || element === 'iframe' || how === 'app.js as a script', `${how}: ${event}`);
  }
  await until('preflights and posts came to the server', async () => (await counts(server)).origin > 50);

  await page.evaluate(() => document.body.append(Object.assign(document.createElement('iframe'), { srcdoc: '<body>', sandbox: 'allow-scripts' })));
  const sandboxed = await (await page.waitForSelector('iframe[sandbox]')).contentFrame();
  await until('its origin is none', async () => await sandboxed.evaluate(() => location.href === 'about:srcdoc' && window.origin) === 'null');
  const ofNone = await sandboxed.evaluate(attack, { target: server.opsUrl, all, withElements: false });
  for (const { how, type, text, event } of ofNone) {
    assert.ok([null, undefined, 'opaque'].includes(type) && !text && event !== 'open', `${how} shows ${text} by ${type ?? event}`);
  }
  assert.deepEqual((await counts(server)).calls, {}, 'no call was let in, not even an image: each would be a line of the log');
  await assertUntouched(server, members);

  // A document of that origin is there already; from here on its name is the listener's address.
  attacker.turn();
  const before = await counts(server);
  const turned = await page.evaluate(attack, { target: `http://${NAME}/`, all, withElements: true });
  for (const { how, type, status, text, event, element } of turned) {
    if (type === 'basic') assert.deepEqual([status, JSON.parse(text).error.code], [403, 'foreign_host'], how);
    assert.ok(!IS_SECRET.test((text ?? '').replaceAll(/"requestId":"[^"]*"/g, '')), `${how} shows ${text}`);
    assert.ok(event === undefined || event === 'error' || element === 'iframe', `${how}: ${event}`);
  }
  assert.ok(turned.filter(({ type }) => type === 'basic').length >= all.length, 'answers were read, so requests arrived');
  await until('all of it was refused for its name', async () => (await counts(server)).host >= before.host + all.length);
  assert.deepEqual((await counts(server)).calls, before.calls, 'no call was let in');

  await assertUntouched(server, members);

  // The same attempts from the listener's own page do succeed: what is tried above would work, if it were let in.
  const own = await browser.newPage();
  await own.goto(server.opsUrl);
  const harmless = all.filter(({ path }) => !/drain/.test(path)).sort((one, other) => (one.method !== 'GET') - (other.method !== 'GET'));
  const mine = await own.evaluate(attack, { target: server.opsUrl, all: harmless, withElements: false });
  assert.ok(mine.some(({ how, text }) => how.includes('admin/v1/rooms') && text?.includes(ROOM)));
  await members[0].hears('bye');
  const { calls } = await counts(server);
  const tried = ['bans', 'close', 'kick', 'lift_ban', 'lock', 'log_level', 'mesh', 'notice', 'peers', 'recorder', 'reload', 'room', 'rooms', 'tickets'];
  assert.deepEqual(Object.keys(calls).sort(), tried);
});
