// Late timers are no loss, and a path that carries nothing any more is noticed when there is reason to look.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { openPath } from './support/path.js';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { countConnections, openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'gentle-brook-512';
const CONNECTED = 'Connected to the server';
/** Three seconds for the answer, and what a slow machine adds. */
const KNOWN_WITHIN_MS = 5_000;

const pings = (visitor) => visitor.sent.filter(({ type }) => type === 'ping').length;
const joins = (visitor) => visitor.sent.filter(({ type }) => type === 'join').length;

const NEWS = {
  online: () => dispatchEvent(new Event('online')),
  pageshow: () => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })),
  visibilitychange: () => document.dispatchEvent(new Event('visibilitychange')),
  resume: () => document.dispatchEvent(new Event('resume')),
  'a clock that jumps': () => {
    const { now } = Date;
    Date.now = () => now() + 3_600_000;
  },
};

for (const [name, news] of Object.entries(NEWS)) {
  scenario(`after ${name} a path that swallows everything is known at once, and the session goes on over another`, async (t) => {
    const server = await startServer(t);
    const path = await openPath(t, server.port);
    const ada = await Visitor.arrive(t, browser, path.url, countConnections);
    await ada.joined(ROOM, 'Ada');
    const grace = await Visitor.arrive(t, browser, server.url);
    await grace.joined(ROOM, 'Grace');
    await ada.sees('Grace', 'connected');
    await until('a stay that counts', () => ada.page.evaluate(() => performance.now() > 8_000));

    path.swallow();
    path.heal(); // new connections get through
    const began = performance.now();
    await ada.page.evaluate(news);
    await until('not shown as connected', async () => joins(ada) === 2 || (await ada.nowStatus()) !== CONNECTED, KNOWN_WITHIN_MS);
    assert.ok(performance.now() - began < KNOWN_WITHIN_MS);
    await ada.comesBack();
    assert.equal(ada.received.filter(({ type }) => type === 'joined').at(-1).complete, true);
    assert.deepEqual(await ada.connections(), ['connected']);
    const ends = grace.received.filter(({ type }) => type === 'peer_away' || type === 'peer_left');
    assert.deepEqual(ends, [], 'the server was never told that she left, nor missed her');
  });
}

scenario('while the path swallows new connections too, nobody is told that all is well', async (t) => {
  const server = await startServer(t);
  const path = await openPath(t, server.port);
  const ada = await Visitor.arrive(t, browser, path.url);
  await ada.joined(ROOM, 'Ada');
  path.swallow();
  await ada.page.evaluate(NEWS.online);
  await until('not shown as connected', async () => (await ada.nowStatus()) !== CONNECTED, KNOWN_WITHIN_MS);
  path.heal();
  await ada.comesBack();
});

scenario('news about the network do a good connection no harm', async (t) => {
  const server = await startServer(t);
  const ada = await Visitor.arrive(t, browser, server.url);
  await ada.joined(ROOM, 'Ada');
  for (const news of Object.values(NEWS)) {
    const before = pings(ada);
    await ada.page.evaluate(news);
    await until('a ping', () => pings(ada) > before);
    await until('its pong', () => ada.received.filter(({ type }) => type === 'pong').length === pings(ada));
  }
  assert.equal(joins(ada), 1);
  assert.equal(await ada.nowStatus(), CONNECTED);
});

scenario('timers that come a minute late cost no connection', async (t) => {
  const server = await startServer(t);
  const tabs = [];
  for (const name of ['Ada', 'Grace', 'Hedy']) {
    const tab = await Visitor.arrive(t, browser, server.url, async (page) => {
      await countConnections(page);
      await page.clock.install();
    });
    await tab.joined(ROOM, name);
    tabs.push(tab);
  }
  for (let minute = 1; minute <= 3; minute += 1) {
    for (const tab of tabs) {
      const before = pings(tab);
      await tab.page.clock.fastForward(61_000);
      await until('a ping', () => pings(tab) > before);
      await until('its pong', () => tab.received.filter(({ type }) => type === 'pong').length === pings(tab));
    }
  }
  for (const tab of tabs) {
    assert.equal(joins(tab), 1, 'nobody had to come back');
    assert.equal(await tab.nowStatus(), CONNECTED);
  }
});

scenario('a ping that stays unanswered is a loss for a tab with late timers too', async (t) => {
  const server = await startServer(t);
  const path = await openPath(t, server.port);
  const ada = await Visitor.arrive(t, browser, path.url, (page) => page.clock.install());
  await ada.joined(ROOM, 'Ada');
  path.swallow();
  path.heal();
  await until('missed', async () => {
    await ada.page.clock.fastForward(61_000);
    return joins(ada) > 1;
  });
  await ada.comesBack();
});

scenario('tabs that all wake in one second do not all come in one second', async (t) => {
  const { url } = await startServer(t);
  const visitor = await Visitor.arrive(t, browser, url, (page) => page.clock.install());
  const { page } = visitor;
  await page.evaluate(async () => {
    globalThis.attempts = [];
    globalThis.WebSocket = class {
      static OPEN = 1;
      constructor() {
        globalThis.attempts.push(Date.now());
        queueMicrotask(() => this.onclose({ code: 1006 }));
      }
      close() {}
    };
    const { SignalingClient } = await import('/client.js');
    globalThis.tabs = Array.from({ length: 12 }, () => new SignalingClient({ url: 'ws', room: 'r' }));
  });
  await page.clock.pauseAt(new Date(Date.now() + 3_600_000));
  await page.evaluate(() => globalThis.tabs.forEach((tab) => tab.start()));
  const attempts = () => page.evaluate(() => globalThis.attempts.length);
  assert.equal(await attempts(), 12);
  // The minute's one tick: every tab's timer is due.
  const atOnce = await page.evaluate(() => globalThis.attempts.splice(0).length);
  assert.equal(atOnce, 12);
  await page.clock.fastForward(61_000);
  assert.ok((await attempts()) <= 6, `${await attempts()} of 12 came in the very moment`);
  await until('all of them, by and by', async () => {
    await page.clock.runFor(100);
    return (await attempts()) >= 12;
  });
  const times = await page.evaluate(() => globalThis.attempts.slice(0, 12));
  const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 500).length));
  assert.ok(most < 12, 'spread over more than half a second');
  await page.evaluate(() => globalThis.tabs.forEach((tab) => tab.close()));
});
