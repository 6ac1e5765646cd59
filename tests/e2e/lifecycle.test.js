// The client library's connection from start to end, as the page loads it, whatever the order in which it is told: nothing of it stays behind.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'silver-comet-733';
const WELCOME = {
  type: 'welcome', session: 'a'.repeat(32), version: '0.0.0', node: 'stand-in', features: ['resume'],
  limits: {}, heartbeat: { intervalMs: 30_000, timeoutMs: 60_000 },
};

/** A page with one `SignalingClient` in `client`, and a stand-in for the server that answers with `answer(frame, reply, nth)`. */
async function client(t, answer = () => {}) {
  const { url } = await startServer(t);
  const sockets = [];
  const frames = [];
  const visitor = await Visitor.arrive(t, browser, url, async (page) => {
    await page.addInitScript(() => { Math.random = () => 0.99; });
    await page.clock.install();
    await page.routeWebSocket(/\/ws\?/, (socket) => {
      const nth = sockets.push(socket) - 1;
      socket.onMessage((text) => {
        frames.push({ nth, ...JSON.parse(text) });
        answer(JSON.parse(text), (frame) => socket.send(JSON.stringify(frame)), nth);
      });
      socket.onClose((code) => { frames.push({ nth, type: 'closed', code }); });
      socket.send(JSON.stringify(WELCOME));
    });
  });
  const { page } = visitor;
  await page.clock.pauseAt(new Date(Date.now() + 3_600_000));
  await page.evaluate(async (room) => {
    const { SignalingClient } = await import('/client.js');
    globalThis.phases = [];
    globalThis.client = new SignalingClient({ url: 'ws', room, meta: { name: 'Ada' } });
    globalThis.client.on('state', ({ name }) => globalThis.phases.push(name));
  }, ROOM);
  const act = (...steps) => page.evaluate((names) => { for (const name of names) globalThis.client[name](); }, steps);
  const phases = () => page.evaluate(() => globalThis.phases);
  const phase = (name) => until(`the phase ${name}`, async () => (await phases()).at(-1) === name);
  return { page, sockets, frames, act, phases, phase };
}

const joined = (more = {}) => ({
  type: 'joined', re: 'join', self: { id: 'b'.repeat(32) }, room: ROOM, peers: [], capacity: 10, iceServers: [],
  resume: { token: `token ${more.nth ?? 0}`, windowMs: 30_000 }, ...more,
});
const admit = (frame, reply, nth) => { if (frame.type === 'join') reply(joined({ nth })); };

/** For two minutes of the page's time nothing more happens. */
async function quiet({ page, sockets, frames }) {
  const before = sockets.length;
  const already = frames.length;
  await page.clock.runFor(120_000);
  assert.equal(sockets.length, before, 'a connection by a client that has left');
  assert.deepEqual(frames.slice(already).filter(({ type }) => type !== 'closed'), []);
}

scenario('started and left twice, it is gone', async (t) => {
  const it = await client(t, admit);
  await it.act('start', 'close', 'start', 'close');
  assert.deepEqual(await it.phases(), ['connecting', 'closed', 'connecting', 'closed']);
  await quiet(it);
  await it.act('start');
  await it.phase('joined');
});

scenario('started twice, it is there once', async (t) => {
  const it = await client(t, admit);
  await it.act('start', 'start');
  await it.phase('joined');
  await it.act('start');
  assert.equal(it.sockets.length, 1);
  await it.act('close');
  assert.deepEqual(await it.phases(), ['connecting', 'joined', 'closed']);
  await quiet(it);
});

scenario('left before it was started, or again after it has ended, it says nothing', async (t) => {
  const it = await client(t, admit);
  await it.act('close');
  assert.deepEqual(await it.phases(), []);
  await it.act('start', 'close', 'close', 'retryNow');
  assert.deepEqual(await it.phases(), ['connecting', 'closed']);
  await quiet(it);
});

scenario('left during back-off, it does not come back', async (t) => {
  const it = await client(t, admit);
  await it.act('start');
  await it.phase('joined');
  await it.sockets[0].close({ code: 1011 });
  await it.phase('waiting');
  await it.act('close');
  await it.page.evaluate(() => dispatchEvent(new Event('online')));
  await quiet(it);
  assert.equal(it.sockets.length, 1);
});

scenario('left between the bye and the close, it does not come back', async (t) => {
  const it = await client(t, admit);
  await it.act('start');
  await it.phase('joined');
  it.sockets[0].send(JSON.stringify({ type: 'bye', reason: 'server_draining', action: 'reconnect', retryAfterMs: 5000 }));
  await it.act('close');
  await quiet(it);
  assert.deepEqual(it.frames.filter(({ type }) => ['leave', 'closed'].includes(type)).map(({ type, code }) => code ?? type), [1000]);
});

scenario('left by whoever hears that it is connecting, and started anew there, it is there once', async (t) => {
  const it = await client(t, admit);
  await it.page.evaluate(() => {
    let once = true;
    globalThis.client.on('state', () => {
      if (!once) return;
      once = false;
      globalThis.client.close();
      globalThis.client.start();
    });
    globalThis.client.start();
  });
  await it.phase('joined');
  const open = new Set(it.frames.filter(({ type }) => type === 'join').map(({ nth }) => nth));
  assert.equal(open.size, 1);
  await it.act('close');
  await quiet(it);
});

scenario('what was sent before the first joined arrives after it, once and in order', async (t) => {
  let admitted = false;
  const it = await client(t, (frame, reply, nth) => { if (admitted) admit(frame, reply, nth); });
  const say = (text) => it.page.evaluate((data) => { globalThis.client.signal('*', 'app', data); }, text);
  const early = await it.page.evaluate(() => globalThis.client.signal('*', 'app', 'before the start').catch(({ code }) => code));
  assert.equal(early, 'closed', 'nobody is told that it waits before there is anything to wait for');
  await it.act('start');
  await until('a join', () => it.frames.some(({ type }) => type === 'join'));
  await say('before joined');
  admitted = true;
  it.sockets[0].send(JSON.stringify(joined()));
  await it.phase('joined');
  await say('after joined');
  const sent = () => it.frames.filter(({ type }) => type === 'signal').map(({ data }) => data);
  await until('three signals', () => sent().length === 2);
  assert.deepEqual(sent(), ['before joined', 'after joined']);
});

scenario('more than can be kept is refused, and told', async (t) => {
  const MOST = 512;
  const it = await client(t);
  await it.act('start');
  await until('a join', () => it.frames.some(({ type }) => type === 'join'));
  const refused = await it.page.evaluate(async (most) => {
    const sent = Array.from({ length: most + 44 }, (_, nth) => globalThis.client.signal('*', 'app', nth));
    return Promise.all(sent.slice(most).map((promise) => promise.catch(({ code }) => code)));
  }, MOST);
  assert.deepEqual([refused.length, ...new Set(refused)], [44, 'queue_full']);
  it.sockets[0].send(JSON.stringify(joined()));
  await until('all that was kept', () => it.frames.filter(({ type }) => type === 'signal').length === MOST);
});

scenario('a changed name survives a resume, a session that is gone, and a server that never resumes', async (t) => {
  const it = await client(t, (frame, reply, nth) => {
    if (frame.resume && nth === 1) reply({ type: 'error', re: 'join', code: 'session_not_found', category: 'SESSION', retryable: false, message: '' });
    else admit(frame, reply, nth);
  });
  await it.act('start');
  await it.phase('joined');
  await it.page.evaluate(() => { globalThis.client.update({ name: 'Countess' }); });
  await until('the update', () => it.frames.some(({ type }) => type === 'update'));
  await it.sockets[0].close({ code: 1011 });
  await it.phase('waiting');
  await it.act('retryNow');
  await it.phase('joined');
  const joins = it.frames.filter(({ type }) => type === 'join');
  assert.deepEqual(joins.map(({ meta, resume }) => meta?.name ?? resume?.token), ['Ada', 'token 0', 'Countess']);
});

scenario('a changed name that is refused is forgotten, also where the join says so that carries it', async (t) => {
  const refuse = (re) => ({ type: 'error', re, code: 'invalid_message', category: 'INVALID_MESSAGE', retryable: false, message: '' });
  const it = await client(t, (frame, reply, nth) => {
    if (frame.type === 'update') reply(frame.meta.name === 'bad' ? refuse(frame.id) : { type: 'peer_updated', re: frame.id, id: 'a'.repeat(32), meta: frame.meta });
    else if (frame.type === 'join' && frame.meta?.name === 'bad') reply(refuse('join'));
    else if (frame.resume) reply({ type: 'error', re: 'join', code: 'session_not_found', category: 'SESSION', retryable: false, message: '' });
    else admit(frame, reply, nth);
  });
  const update = (name) => it.page.evaluate((meta) => { globalThis.client.update(meta); }, { name });
  const comeBack = async () => {
    await it.act('retryNow');
    await it.phase('joined');
  };
  const joins = () => it.frames.filter(({ type }) => type === 'join').map(({ meta, resume }) => meta?.name ?? (resume ? 'resume' : null));
  await it.act('start');
  await it.phase('joined');
  await update('Countess');
  await update('bad');
  await until('both updates', () => it.frames.filter(({ type }) => type === 'update').length === 2);
  await it.sockets[0].close({ code: 1011 });
  await it.phase('waiting');
  await comeBack();
  assert.deepEqual(joins(), ['Ada', 'resume', 'Countess']);
  await it.sockets[1].close({ code: 1011 });
  await it.phase('waiting');
  await update('bad');
  await comeBack();
  assert.deepEqual(joins().slice(3), ['resume', 'bad', 'Countess']);
  assert.equal(it.frames.filter(({ type }) => type === 'update').length, 2, 'and it is not sent afterwards');
});

scenario('the counts of a session are those of the document', async (t) => {
  const it = await client(t, (frame, reply, nth) => {
    if (frame.type !== 'join') return;
    reply(frame.resume ? joined({ nth, complete: true, ack: 1, peers: undefined }) : joined({ nth }));
  });
  await it.act('start');
  await it.phase('joined');
  for (let nth = 0; nth < 3; nth += 1) {
    it.sockets[0].send(JSON.stringify({ type: 'signal', from: 'c'.repeat(32), kind: 'app', data: nth }));
    await it.page.evaluate((data) => { globalThis.client.signal('*', 'app', data); }, nth);
  }
  await until('three signals', () => it.frames.filter(({ type }) => type === 'signal').length === 3);
  await it.sockets[0].close({ code: 1011 });
  await it.phase('waiting');
  await it.page.evaluate(() => { globalThis.client.signal('*', 'app', 'while away'); });
  await it.act('retryNow');
  await it.phase('joined');
  const second = it.frames.filter(({ nth }) => nth === 1);
  await until('everything again', () => it.frames.filter(({ nth, type }) => nth === 1 && type === 'signal').length === 3);
  assert.deepEqual(it.frames.find(({ nth, type }) => nth === 1 && type === 'join').resume, { token: 'token 0', ack: 3 });
  assert.deepEqual(it.frames.filter(({ nth, type }) => nth === 1 && type === 'signal').map(({ data }) => data), [1, 2, 'while away']);
  assert.ok(second.length > 0);
  await until('a ping that confirms the token', () => it.frames.some(({ nth, type, ack }) => nth === 1 && type === 'ping' && ack === 3));
  it.sockets[1].send(JSON.stringify({ type: 'peer_back', id: 'c'.repeat(32) }));
  await until('an ack some seconds later', async () => {
    await it.page.clock.runFor(1_000);
    return it.frames.some(({ type, ack }) => type === 'ping' && ack === 4);
  });
});
