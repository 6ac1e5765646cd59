// When a client comes back, and what it takes for a loss: back-off, hidden tabs, laptops that slept, silence. Against a model of the server
// and in a time of the test's own.

import { expect, test } from 'vitest';
import { TestClock } from '../src/testing/clock.ts';
import { Model } from './support/model.ts';
import { tells } from './support/page.ts';
import { inRoom, outcome, prepared, until } from './support/started.ts';

test('back-off: full jitter below a doubling ceiling, not sooner than the server said, and at once on request', async () => {
  const { clock, model, client, states } = await inRoom({ random: () => 0.5 });
  await clock.passing(6_000);
  model.refuses = true;
  model.cut();
  await clock.passing(60_000);
  const delays = states.flatMap((state) => (state.name === 'waiting' ? [state.delayMs] : []));
  expect(delays.slice(0, 4), 'half of 4, 8, 16 and 30 s').toEqual([2_000, 4_000, 8_000, 15_000]);
  model.refuses = false;
  client.retryNow();
  await clock.passing(200);
  expect(client.state.name).toBe('joined');
  await clock.passing(6_000);
  const socket = model.openSockets[0]!;
  model.tell(socket, { type: 'bye', reason: 'server_draining', action: 'reconnect', retryAfterMs: 7_000 });
  await clock.passing(1_000);
  expect(client.state.name, 'until it is closed, everything goes on').toBe('joined');
  socket.ended(1012);
  const { delayMs } = states.at(-1) as { delayMs: number };
  expect(delayMs).toBeGreaterThan(6_000);
  expect(delayMs).toBeLessThan(7_000 + 250);
});

test('where timers come all at once, chance chooses once more', async () => {
  const { clock, model, states } = await inRoom({ random: () => 0.25 });
  await clock.passing(6_000);
  model.cut();
  clock.holdUp(60_000);
  expect(states.at(-1)?.name, 'not in the moment in which all others do').toBe('waiting');
  expect(model.openSockets).toEqual([]);
  await clock.passing(1_500);
  expect(states.at(-1)?.name).toBe('joined');
  await clock.passing(6_000);
  model.cut();
  clock.holdUp(60_000);
  clock.holdUp(60_000);
  expect(model.openSockets.length, 'but not for ever').toBe(1);
});

test('twelve hidden tabs with one tick a minute keep their sockets for a quarter of an hour', async () => {
  const clock = new TestClock();
  const tabs = Array.from({ length: 12 }, () => prepared({}, clock, new Model(clock)));
  for (const { client } of tabs) void client.start();
  await clock.passing(1_000);
  // The clock's timers are the model's, too; so answers come late, which is the harder case.
  clock.alignedTo = 60_000;
  await clock.passing(15 * 60_000);
  clock.alignedTo = 1;
  await clock.passing(1_000);
  for (const { model, client } of tabs) {
    expect(model.closings).toEqual([]);
    expect(model.sockets.length).toBe(1);
    expect(model.pings.length).toBeGreaterThan(5);
    expect(client.state.name).toBe('joined');
  }
});

test('a laptop that slept on a path that is gone knows within 5 s, and takes its session over', async () => {
  const { clock, model, client, states } = await inRoom();
  await clock.passing(10_000);
  clock.sleep(20 * 60_000);
  model.swallow();
  const before = model.session?.id;
  await clock.passing(5_000);
  expect(states.at(-1)).toEqual({ name: 'joined', resumed: true });
  expect(model.session?.id).toBe(before);
  expect(model.closings, 'the old socket is left to be resumed').toEqual([4100]);
  expect(client.state.name).toBe('joined');
});

test('a healthy connection survives sleep, a page that is held up, and a clock that is set', async () => {
  const { clock, model } = await inRoom();
  for (let round = 0; round < 5; round += 1) {
    clock.sleep(3_600_000);
    await clock.passing(5_000);
    clock.holdUp(40_000);
    await clock.passing(5_000);
    // Somebody sets the clock by ten years, and back.
    clock.sleep(315_360_000_000);
    await clock.passing(5_000);
    clock.sleep(-315_360_000_000);
    await clock.passing(5_000);
  }
  expect(model.sockets.length).toBe(1);
  expect(model.closings).toEqual([]);
});

test('an attempt that is stuck when the network comes back is made anew, and what it may have resumed is left to be resumed', async () => {
  const { clock, model, states } = await inRoom();
  await clock.passing(10_000);
  const { id } = model.session!;
  model.cut();
  await until('the resume is on its way', clock, () => model.joins.length === 2);
  // It has arrived, but nothing comes back any more.
  model.swallow();
  await clock.passing(1_000);
  tells('online');
  expect(model.sockets.length, 'it is too young to be stuck').toBe(2);
  await clock.passing(3_000);
  tells('online');
  expect(model.sockets.length).toBe(3);
  await clock.passing(200);
  expect(states.at(-1)).toEqual({ name: 'joined', resumed: true });
  expect(model.session?.id).toBe(id);
  expect(model.closings).toEqual([4100]);
});

test('a socket that was given up may still speak: nobody listens, and close() closes it, too', async () => {
  const { clock, model, client } = await inRoom();
  await clock.passing(10_000);
  const [former] = model.sockets;
  const heard: unknown[] = [];
  client.on('signal', ({ data }) => heard.push(data));
  model.swallow();
  model.refuses = true;
  tells('online');
  await until('a new socket is tried', clock, () => model.sockets.length === 2);
  former!.onmessage?.({ data: JSON.stringify({ type: 'signal', from: 'a'.repeat(32), kind: 'app', data: 'late' }) } as never);
  expect(heard).toEqual([]);
  expect(former!.open, 'the session is not closed before it is taken over').toBe(true);
  void client.close();
  expect(model.openSockets).toEqual([]);
  expect(model.closings).toContain(1000);
});

test('where some of what was on its way is lost, requests without an answer say so, and both counts start anew', async () => {
  const { clock, model, client, states } = await inRoom();
  const first = [1, 2, 3].map((n) => outcome(client.signal('*', 'app', n)));
  await clock.passing(6_000);
  expect(await Promise.all(first)).toEqual(['done', 'done', 'done']);
  const unanswered = outcome(client.signal('*', 'app', 4));
  await clock.passing(30);
  model.send({ type: 'signal', from: 'a'.repeat(32), kind: 'app', data: 'lost' });
  model.loseBuffers();
  model.cut();
  const waiting = outcome(client.signal('*', 'app', 5));
  await clock.passing(20_000);
  expect(states.at(-1)).toEqual({ name: 'joined', resumed: false });
  expect(await unanswered, 'it was handled, and what was said about it is lost').toBe('reply_lost');
  expect(await waiting).toBe('done');
  expect(model.signals).toEqual([1, 2, 3, 4, 5]);
  expect(model.violations).toEqual([]);
});

test('silence is noticed without any news, within two of the server’s timeouts', async () => {
  const { clock, model, states } = await inRoom();
  model.swallow();
  await clock.passing(100_000);
  expect(states.some((state) => state.name === 'waiting' && state.reason === 'silent')).toBe(true);
  expect(states.at(-1)?.name).toBe('joined');
});
