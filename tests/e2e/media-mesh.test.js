// Many people at once: how long a mesh with sound takes, and pictures for as many as two cores can do.

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
      page.setDefaultTimeout(MESH_MS); // the machine is busy: nine others work on it
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

test('ten people make 45 pairs, and each hears all others and reads what is written', PATIENCE, async (t) => {
  const { url } = await startServer(t);
  const browser = await openBrowserWithDevices({ count: 1 });
  t.after(() => browser.close());
  const began = performance.now();
  const people = await meet(t, browser, url, 'ten', 10, 'Microphone');
  await connected(people);
  await Promise.all(people.map((one) => advances(one, 'samples', 9)));
  for (const [nth, one] of people.entries()) await one.say(`This is ${nth + 1}.`);
  await Promise.all(people.flatMap((one, nth) => people.map((_, other) => one.hears(`This is ${other + 1}.`, nth === other ? 'You' : `Person ${other + 1}`))));
  t.diagnostic(`ten people, 45 pairs with sound and messages: ${Math.round(performance.now() - began)} ms`);
});
