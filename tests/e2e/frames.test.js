// What a real server does too rarely to wait for: the page's sockets end in a stand-in that speaks the protocol's frames.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { countConnections, openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'calm-heron-101';
const WELCOME = {
  type: 'welcome', session: 'a'.repeat(32), version: '0.0.0', node: 'stand-in', features: ['something-new'],
  limits: { peersPerRoom: 10 }, heartbeat: { intervalMs: 30_000, timeoutMs: 60_000 },
};
const JOINED = {
  type: 'joined', re: 'join', self: { id: 'b'.repeat(32) }, room: ROOM, peers: [], capacity: 10, iceServers: [],
};

/**
 * The stand-in: `answer(frame, reply, nth)` gets the frames of the page's nth connection, counted from 0. `frozen`: no
 * timer of the page runs by itself, and chance always takes nearly the longest wait.
 */
async function visit(t, answer, { frozen = false } = {}) {
  const { url } = await startServer(t);
  const sockets = [];
  const visitor = await Visitor.arrive(t, browser, url, async (page) => {
    if (frozen) {
      await page.addInitScript(() => { Math.random = () => 0.99; });
      await page.clock.install();
    }
    await page.routeWebSocket(/\/ws\?/, (socket) => {
      const nth = sockets.push(socket) - 1;
      socket.onMessage((text) => answer(JSON.parse(text), (frame) => socket.send(JSON.stringify(frame)), nth));
      socket.send(JSON.stringify(WELCOME));
    });
  });
  if (frozen) await visitor.page.clock.pauseAt(new Date(Date.now() + 3_600_000));
  await visitor.join(ROOM, 'Ada');
  const say = (frame) => sockets.at(-1).send(JSON.stringify(frame));
  return { visitor, sockets, say };
}

const admit = (frame, reply) => { if (frame.type === 'join') reply(JOINED); };

scenario('a room that was closed is told, and nobody comes back by themselves', async (t) => {
  const { visitor, sockets, say } = await visit(t, admit);
  await visitor.inRoom(ROOM);
  say({ type: 'room_closed', room: ROOM });
  await visitor.alert('The room was closed. You can join it again.');
  await visitor.press('Join');
  await visitor.inRoom(ROOM);
  assert.equal(sockets.length, 2, 'one connection per click on Join');
});

scenario('who moderates is heard: a notice, a lock, a kick with its reason', async (t) => {
  const { visitor, sockets, say } = await visit(t, admit);
  await visitor.inRoom(ROOM);
  say({ type: 'notice', text: 'Maintenance at <b>ten</b>.' });
  await visitor.page.getByText('Notice: Maintenance at <b>ten</b>.').waitFor();
  say({ type: 'room_state', locked: true });
  await visitor.page.getByText('The room is locked: nobody else gets in.').waitFor();
  say({ type: 'room_state', locked: false });
  await visitor.page.getByText('The room is open again.').waitFor();
  say({ type: 'bye', reason: 'kicked', action: 'disconnect', retryAfterMs: 0, message: 'Be <i>kind</i>.' });
  await sockets[0].close({ code: 4501 });
  await visitor.alert('You were sent out of the room. “Be <i>kind</i>.”');
  assert.equal(sockets.length, 1, 'nobody comes back by themselves');
});

for (const [code, retryAfterMs, text] of [
  ['banned', 5_400_000, `The room “${ROOM}” does not let you in. Ask again in 2 hours.`],
  ['room_locked', 5_000, `The room “${ROOM}” is locked: nobody else gets in at the moment.`],
]) {
  scenario(`a room that refuses with ${code} says so`, async (t) => {
    const { visitor, sockets } = await visit(t, (frame, reply) => {
      if (frame.type === 'join') {
        reply({ type: 'error', re: 'join', code, category: 'AUTH', retryable: true, retryAfterMs, message: 'no' });
      }
    });
    await visitor.alert(text);
    assert.equal(sockets.length, 1);
  });
}

scenario('a bye with "disconnect" is the end, in words', async (t) => {
  const { visitor, sockets, say } = await visit(t, admit);
  await visitor.inRoom(ROOM);
  say({ type: 'bye', reason: 'protocol_error', action: 'disconnect', retryAfterMs: 0 });
  await sockets[0].close({ code: 1002 });
  await visitor.alert('The server closed the connection (protocol_error).');
});

scenario('a full server of rooms, and words of the server for codes the page does not know', async (t) => {
  const refusals = [
    { code: 'room_limit', category: 'ROOM_FULL', retryable: true, message: 'the server is full of rooms' },
    { code: 'not_on_tuesdays', category: 'AUTH', retryable: false, message: 'come back tomorrow' },
  ];
  const { visitor } = await visit(t, (frame, reply, nth) => {
    if (frame.type === 'join') reply({ type: 'error', re: frame.id, ...refusals[nth] });
  });
  await visitor.alert('The server has no space for another room.');
  await visitor.press('Join');
  await visitor.alert('come back tomorrow');
});

scenario('who is waiting to try again need not: "Try now" does', async (t) => {
  const { visitor, sockets } = await visit(t, admit, { frozen: true });
  await visitor.inRoom(ROOM);
  await sockets[0].close({ code: 1011 });
  await visitor.status('The connection to the server was lost. Next attempt in');
  assert.equal(sockets.length, 1);
  await visitor.press('Try now');
  await visitor.inRoom(ROOM);
  assert.equal(sockets.length, 2);
});

scenario('attempts thin out while the server stays away, and start anew after a stay that lasted', async (t) => {
  let open = true;
  const attempts = [];
  const { visitor, sockets } = await visit(t, (frame, reply, nth) => {
    if (frame.type !== 'join') return;
    attempts.push(frame.attempt ?? 0);
    if (open) reply(JOINED);
    else sockets[nth].close({ code: 1011 });
  }, { frozen: true });
  await visitor.inRoom(ROOM);
  open = false;
  const ceilings = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
  await sockets[0].close({ code: 1011 });
  for (const [nth, ceiling] of ceilings.entries()) {
    await visitor.status('Next attempt in');
    if (nth === ceilings.length - 1) open = true;
    await visitor.page.clock.runFor(ceiling * 0.9);
    assert.equal(sockets.length, nth + 1, `attempt ${nth + 1} came early`);
    await visitor.page.clock.runFor(ceiling * 0.1);
    await until(`attempt ${nth + 1}`, () => sockets.length === nth + 2);
  }
  await visitor.inRoom(ROOM);
  assert.deepEqual(attempts, [0, 1, 2, 3, 4, 5, 6, 7, 8]);

  await visitor.page.clock.runFor(6_000);
  await sockets.at(-1).close({ code: 1011 });
  await visitor.press('Try now');
  await visitor.inRoom(ROOM);
  assert.equal(attempts.at(-1), 1);
});

scenario('a seat that the server still counts as taken on the way back is asked for again, on that connection', async (t) => {
  const full = { type: 'error', re: 'join', code: 'room_full', category: 'ROOM_FULL', retryable: true, message: 'full' };
  const joins = [];
  const { visitor, sockets } = await visit(t, (frame, reply, nth) => {
    if (frame.type === 'join') reply(joins.push(nth) === 2 ? full : JOINED);
  });
  await visitor.inRoom(ROOM);
  await sockets[0].close({ code: 1011 });
  await until('another join', () => joins.length === 3);
  assert.deepEqual(joins, [0, 1, 1]);
  await visitor.inRoom(ROOM);
});

scenario('a server that fell silent is taken for lost, one that answers pings is not', async (t) => {
  let pings = 0;
  const { visitor, sockets } = await visit(t, (frame, reply, nth) => {
    admit(frame, reply);
    if (frame.type !== 'ping') return;
    pings += 1;
    if (nth > 0) reply({ type: 'pong' });
  }, { frozen: true });
  const { intervalMs, timeoutMs } = WELCOME.heartbeat;
  await visitor.inRoom(ROOM);
  await visitor.page.clock.runFor(timeoutMs + intervalMs);
  await visitor.status('The connection to the server was lost.');
  await visitor.press('Try now');
  await visitor.inRoom(ROOM);
  pings = 0;
  for (let sent = 1; sent <= 5; sent += 1) {
    await visitor.page.clock.runFor(intervalMs);
    await until(`ping ${sent}`, () => pings >= sent);
  }
  assert.equal(sockets.length, 2);
});

scenario('frames and fields from a newer server do no harm', async (t) => {
  const { visitor, say } = await visit(t, admit);
  await visitor.inRoom(ROOM);
  say({ type: 'weather', outlook: 'fine' });
  say({ type: 'peer_joined', id: 'c'.repeat(32), polite: false, meta: { name: 42 }, hat: 'red' });
  await visitor.notices('Guest cccc joined');
  say({ type: 'peer_updated', id: 'c'.repeat(32), meta: { name: 'Grace' } });
  await visitor.sees('Grace', 'connecting');
  say({ type: 'peer_left', id: 'c'.repeat(32), reason: 'abducted' });
  await visitor.notices('Grace lost the connection');
});

// In this protocol only a network change makes both ends of a pair offer at once: the first offer is the newcomer's.
scenario('two offers that cross after a network change end in one, and the conversation goes on', async (t) => {
  const { url } = await startServer(t);
  const people = [];
  for (const name of ['Ada', 'Grace']) {
    people.push(await Visitor.arrive(t, browser, url, async (page) => {
      await countConnections(page);
      // While `held` is a list, what the page signals waits in it.
      await page.addInitScript(() => {
        const send = WebSocket.prototype.send;
        globalThis.held = null;
        WebSocket.prototype.send = function hold(text) {
          if (globalThis.held && JSON.parse(text).type === 'signal') globalThis.held.push(() => send.call(this, text));
          else send.call(this, text);
        };
      });
    }));
    await people.at(-1).joined(ROOM, name);
  }
  const [ada, grace] = people;
  await ada.sees('Grace', 'connected');
  await grace.sees('Ada', 'connected');
  const route = ({ page }) => page.evaluate(() => /ice-ufrag:(\S+)/.exec(globalThis.madeConnections[0].localDescription.sdp)[1]);
  const before = await Promise.all(people.map(route));
  await Promise.all(people.map(({ page }) => page.evaluate(() => {
    globalThis.held = [];
    globalThis.madeConnections[0].restartIce();
  })));
  for (const { page } of people) await page.waitForFunction(() => globalThis.madeConnections[0].signalingState === 'have-local-offer');
  await Promise.all(people.map(({ page }) => page.waitForFunction(() => globalThis.held.length > 0)));
  await Promise.all(people.map(({ page }) => page.evaluate(() => {
    const waiting = globalThis.held;
    globalThis.held = null;
    for (const go of waiting) go();
  })));
  await until('both have agreed on new routes', async () => {
    const now = await Promise.all(people.map(route));
    const states = await Promise.all(people.map(({ page }) => page.evaluate(() => globalThis.madeConnections[0].signalingState)));
    return now.every((one, nth) => one !== before[nth]) && states.every((state) => state === 'stable');
  });
  const offers = people.map(({ sent }) => sent.filter(({ kind }) => kind === 'offer').length);
  assert.ok(offers[0] >= 1 && offers[1] >= 2, `both offered: ${offers}`);
  await ada.say('from Ada');
  await grace.say('from Grace');
  await grace.hears('from Ada', 'Ada');
  await ada.hears('from Grace', 'Grace');
  for (const person of people) assert.deepEqual(await person.connections(), ['connected']);
});
