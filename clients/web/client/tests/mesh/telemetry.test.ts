// Real pages that report: what the server's operator sees agrees with what the pages say, and a pair that is broken on purpose shows.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Room } from '../../src/index.ts';
import { type ReportedRoom, reportFrom } from '../../src/telemetry/index.ts';
import { until } from '../support/real.ts';
import { openPages } from '../support/reporting-pages.ts';
import { openRoomBrowser } from '../support/room-pages.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openRoomBrowser();
});
afterAll(() => browser.close());

test('the third of three cannot reach the first: the matrix says so, and within 20 s that the room is fractured', async () => {
  const { server, enter } = await openPages(browser);
  const [ada, bob] = [await enter('Ada'), await enter('Bob')];
  await until('both are connected', async () => (await ada.states())['Bob'] === 'connected');
  const cid = await enter('Cid', 'breakFirst()');
  const began = Date.now();
  await until('it reaches the second', async () => (await cid.states())['Bob'] === 'connected');
  await until('the room is fractured', async () => (await server.metric('mesh_rooms{state="fractured"}')) === 1, 25_000);
  expect(Date.now() - began).toBeLessThan(20_000);
  await until('both ends have given up', async () => (await server.metric('mesh_pairs{state="failed"}')) === 1, 30_000);

  const { peers, pairs } = await server.mesh('blue');
  const names = new Map([ada, bob, cid].map(({ id, name }) => [id, name]));
  const named = pairs.map(({ peers: two, state }) => [...two.map((id) => names.get(id)), state]);
  expect(named).toEqual([
    ['Ada', 'Bob', 'connected'],
    ['Ada', 'Cid', 'failed'],
    ['Bob', 'Cid', 'connected'],
  ]);
  expect(peers.map(({ fractured }) => fractured)).toEqual([true, false, true]);
  for (const page of [ada, bob, cid]) {
    const states = await page.states();
    for (const [one, other, state] of named) {
      const about = one === page.name ? other : other === page.name ? one : undefined;
      // What is not connected is failed or, while one end waits for the other, closed.
      if (about) expect(states[about] === 'connected', `${page.name} of ${about}`).toBe(state === 'connected');
    }
    expect(page.complaints).toEqual([]);
  }
  expect(await server.metric('pair_connections_total{candidate="host"}')).toBe(4);
  const times = await Promise.all([ada, bob, cid].map((page) => page.told('pair_connected')));
  expect(times.flat().length).toBe(4);
  const sum = times.flat().reduce((all, { ms }) => all + (ms ?? 0), 0) / 1000;
  expect(await server.metric('pair_connect_seconds_sum')).toBeCloseTo(sum, 3);
});

/** `Room` is what `reportFrom` takes: a matter of types, which are checked with the tests. */
export const takesRooms = (room: Room): ReportedRoom => {
  reportFrom(room).close();
  return room;
};
