// The picture of the connections: each pair as the two of it see it, not only our own.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PEERS_TOLD, pairsOf, places, readTold } from '../../clients/web/demo/mesh-graph.js';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'kind-lantern-808';

/** The lines of the picture, as their titles say them. */
const pairs = ({ page }) => page.locator('#mesh-picture .pair title').allTextContents();
const open = ({ page }) => page.locator('#mesh').evaluate((details) => { details.open = true; });

scenario('three who reach each other see three lines, and a pair that does not is seen by the third', async (t) => {
  const { url } = await startServer(t);
  // Nothing that Hedy signals gets to Ada, nor the other way round.
  const ids = {};
  const apart = (page) => page.routeWebSocket(/\/ws\?/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((text) => {
      const frame = JSON.parse(text);
      if (frame.type === 'joined') ids.hedy = frame.self.id;
      if (frame.type !== 'signal' || frame.from !== ids.ada || !ids.apart) socket.send(text);
    });
    socket.onMessage((text) => {
      const frame = JSON.parse(text);
      if (frame.type !== 'signal' || frame.to !== ids.ada || !ids.apart) server.send(text);
    });
  });
  const [ada, grace] = [await Visitor.arrive(t, browser, url), await Visitor.arrive(t, browser, url)];
  await ada.joined(ROOM, 'Ada');
  await grace.joined(ROOM, 'Grace');
  ids.ada = ada.received.find(({ type }) => type === 'joined').self.id;
  await open(grace);
  await grace.page.getByText('The connection stands.').waitFor();

  ids.apart = true;
  const hedy = await Visitor.arrive(t, browser, url, apart);
  await hedy.joined(ROOM, 'Hedy');
  await hedy.sees('Grace', 'connected');
  await grace.page.getByText('2 of 3 connections stand.').waitFor();
  await until('all three pairs in the picture', async () => {
    const drawn = await pairs(grace);
    return drawn.length === 3 && drawn.includes('Ada – Hedy: connecting…') && drawn;
  });

  ids.apart = false;
  await hedy.page.reload();
  await hedy.inRoom(ROOM);
  await Promise.all([ada, grace, hedy].map(async (person) => {
    await open(person);
    await person.page.getByText('All 3 connections stand.').waitFor();
    assert.ok((await pairs(person)).every((title) => title.endsWith(': connected')));
  }));
  const label = await grace.page.getByRole('img', { name: 'All 3 connections stand.' }).count();
  assert.equal(label, 1, 'whoever does not see the picture hears the same');
  await hedy.press('Leave');
  await grace.page.getByText('The connection stands.').waitFor();
});

test('a pair stands if either side says so, and has failed when nobody hopes any more', () => {
  for (const [one, other, state] of [
    ['connected', undefined, 'connected'], ['failed', 'connected', 'connected'], ['failed', 'connecting', 'connecting'],
    ['failed', 'failed', 'failed'], ['failed', undefined, 'failed'], [undefined, undefined, 'unknown'],
  ]) {
    const said = { a: { b: one }, b: { a: other } };
    assert.deepEqual(pairsOf(['a', 'b'], (from, to) => said[from][to]), [{ one: 'a', other: 'b', state }]);
  }
  assert.equal(pairsOf(['a', 'b', 'c', 'd'], () => undefined).length, 6);
});

test('what a page tells is read as far as it is one, and no further', () => {
  for (const nothing of [null, undefined, 1, 'x', [], {}, { reaches: null }, { reaches: [] }, { reaches: 'x' }]) assert.equal(readTold(nothing), null);
  assert.deepEqual([...readTold({ reaches: { a: 'connected', b: '<b>', c: 7, __proto__x: 'failed' } })], [['a', 'connected'], ['__proto__x', 'failed']]);
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, nth) => [`p${nth}`, 'failed']));
  assert.equal(readTold({ reaches: many }).size, PEERS_TOLD);
});

test('everybody has a place of their own, and we are on top', () => {
  for (let count = 1; count <= 16; count += 1) {
    const all = places(count);
    assert.ok(Math.abs(all[0].x) < 1e-9 && Math.abs(all[0].y + 1) < 1e-9);
    assert.equal(new Set(all.map(({ x, y }) => `${x.toFixed(3)} ${y.toFixed(3)}`)).size, count);
  }
});
