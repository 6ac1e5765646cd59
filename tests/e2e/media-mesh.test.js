// Four people at once, with pictures: as many as two cores can do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advances, arriveWithDevices, openBrowserWithDevices, streams, turnOn } from './support/media.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';

const PATIENCE = { timeout: 300_000 };
const MESH_MS = 120_000;

/** So many people in a room, one after the other, each with what is named turned on. */
async function meet(t, browser, url, room, count, ...names) {
  const people = [];
  for (let nth = 1; nth <= count; nth += 1) {
    const one = await arriveWithDevices(t, browser, url, { prepare: async (page) => {
      page.setDefaultTimeout(MESH_MS); // the machine is busy with the others
      await page.setViewportSize({ width: 480, height: 480 });
    } });
    await one.joined(room, `Person ${nth}`);
    await turnOn(one, ...names);
    people.push(one);
  }
  return people;
}

const connected = (people) => Promise.all(people.map((one) => until(
  `${people.length - 1} connections`, async () => (await streams(one)).connected === people.length - 1, MESH_MS,
)));

test('four people see each other, in pictures of 320 × 240', PATIENCE, async (t) => {
  const { url } = await startServer(t);
  const browser = await openBrowserWithDevices({ framesPerSecond: 5 });
  t.after(() => browser.close());
  const people = await meet(t, browser, url, 'four', 4, 'Camera');
  await connected(people);
  await Promise.all(people.map(async (one) => {
    await advances(one, 'frames', 3);
    await until('all pictures are small', async () => {
      const { wide } = await streams(one);
      return wide.length === 3 && wide.every((width) => width <= 320);
    });
    assert.equal(await one.page.locator('#tiles .tile video:visible').count(), 4);
  }));
});
