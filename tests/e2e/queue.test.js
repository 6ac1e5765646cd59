// Whoever is refused and told when to ask again waits on the connection, and sees for how long.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'early-willow-318';
const WELCOME = {
  type: 'welcome', session: 'a'.repeat(32), version: '0.0.0', node: 'stand-in', features: [],
  limits: { peersPerRoom: 2 }, heartbeat: { intervalMs: 30_000, timeoutMs: 60_000 },
};
const JOINED = { type: 'joined', re: 'join', self: { id: 'b'.repeat(32) }, room: ROOM, peers: [], capacity: 2, iceServers: [] };
const FULL = {
  type: 'error', re: 'join', code: 'room_full', category: 'ROOM_FULL', retryable: true, retryAfterMs: 5_000, message: 'full',
};

/** A page whose server refuses with `refusal` until `free()`. */
async function waiting(t, refusal = FULL) {
  const { url } = await startServer(t);
  let full = true;
  const joins = []; // by the time of the page
  const sockets = [];
  const visitor = await Visitor.arrive(t, browser, url, async (page) => {
    await page.addInitScript(() => { Math.random = () => 0.5; });
    await page.clock.install();
    await page.routeWebSocket(/\/ws\?/, (socket) => {
      sockets.push(socket);
      socket.onMessage((text) => {
        const frame = JSON.parse(text);
        if (frame.type !== 'join') return;
        joins.push(frame);
        socket.send(JSON.stringify(full && frame.room === ROOM ? refusal : { ...JOINED, room: frame.room }));
      });
      socket.send(JSON.stringify(WELCOME));
    });
  });
  await visitor.page.clock.pauseAt(new Date(Date.now() + 3_600_000));
  await visitor.join(ROOM, 'Ada');
  const timer = visitor.page.getByRole('timer');
  return { visitor, timer, joins, sockets, free: () => { full = false; } };
}

scenario('a full room is waited for on one connection, with a countdown, until there is a place', async (t) => {
  const { visitor, timer, joins, sockets, free } = await waiting(t);
  await visitor.alert(`The room “${ROOM}” is full: 2 people are the most it takes.`);
  await timer.filter({ hasText: 'Asking again in 6 s.' }).waitFor();
  await visitor.page.clock.runFor(2_000);
  await timer.filter({ hasText: 'Asking again in 4 s.' }).waitFor();
  await visitor.page.clock.runFor(2_900);
  assert.equal(joins.length, 1, 'not sooner than the server asked for');
  await visitor.page.clock.runFor(400);
  await until('asked again', () => joins.length === 2);
  await timer.filter({ hasText: 'Asking again in 6 s.' }).waitFor();
  free();
  await visitor.page.clock.runFor(5_300);
  await visitor.inRoom(ROOM);
  assert.equal(sockets.length, 1);
  assert.equal(await visitor.page.getByRole('alert').isVisible(), false);
  assert.equal(await timer.isVisible(), false);
});

for (const [what, act] of Object.entries({
  'says so': (visitor) => visitor.press('Stop waiting'),
  'types another name': (visitor) => visitor.page.getByLabel('Room', { exact: true }).fill('elsewhere'),
  'takes another name': (visitor) => visitor.press('Another name'),
})) {
  scenario(`who ${what} waits no longer`, async (t) => {
    const { visitor, timer, joins, sockets } = await waiting(t);
    await timer.waitFor();
    let closed = null;
    sockets[0].onClose((code) => { closed = code; });
    await act(visitor);
    await timer.waitFor({ state: 'hidden' });
    await until('the connection is closed', () => closed === 1000);
    await visitor.page.clock.runFor(60_000);
    assert.equal(joins.length, 1);
    await visitor.page.getByLabel('Room', { exact: true }).fill('elsewhere');
    await visitor.press('Join');
    await visitor.inRoom('elsewhere');
  });
}

scenario('when the server has no patience left, the user decides again', async (t) => {
  const { visitor, timer, joins, sockets } = await waiting(t);
  await timer.waitFor();
  sockets[0].send(JSON.stringify({ type: 'bye', reason: 'join_timeout', action: 'reconnect', retryAfterMs: 0 }));
  await sockets[0].close({ code: 4000 });
  await timer.waitFor({ state: 'hidden' });
  await visitor.alert(`The room “${ROOM}” is full`);
  await visitor.page.clock.runFor(120_000);
  assert.equal(joins.length, 1);
});

scenario('a server that is going is left to go, and its successor asked', async (t) => {
  const draining = { ...FULL, code: 'server_draining', category: 'SERVER', retryAfterMs: 2_000 };
  const { visitor, joins, sockets, free } = await waiting(t, draining);
  await visitor.alert('The server is restarting.');
  await visitor.page.clock.runFor(10_000);
  assert.equal(joins.length, 1, 'it admits nobody');
  free();
  sockets[0].send(JSON.stringify({ type: 'bye', reason: 'server_draining', action: 'reconnect', retryAfterMs: 0 }));
  await sockets[0].close({ code: 1012 });
  await visitor.page.clock.runFor(1_000);
  await visitor.inRoom(ROOM);
  assert.equal(sockets.length, 2);
});
