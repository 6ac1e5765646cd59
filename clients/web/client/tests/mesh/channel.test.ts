import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BUFFER_HIGH_BYTES, BUFFER_LOW_BYTES, Channel, type ChannelOptions } from '../../src/mesh/channel.ts';
import { CHUNK_BYTES, encode, FRAME_BYTES, frameOf } from '../../src/mesh/channel-framing.ts';
import { QUEUE_MESSAGES } from '../../src/mesh/channel-queue.ts';
import { OPEN_REQUESTS } from '../../src/mesh/channel-requests.ts';
import { FakeClock } from '../support/clock.ts';
import { type ChannelInit, channelPair, type FakeDataChannel, goodPath, type Path } from '../support/rtc-channel.ts';
import { outcome } from '../support/started.ts';

/** Two ends in a time of their own; `heard` is what the second was told. */
function pair(init: ChannelInit = {}, options: ChannelOptions = {}, more: Partial<Path> = {}) {
  const clock = new FakeClock();
  const path = goodPath(clock, more);
  const ends = channelPair(path, init);
  const [ada, grace] = ends.map((end) => new Channel(end, { clock, ...options })) as [Channel, Channel];
  const heard: unknown[] = [];
  grace.on('message', ({ data }) => heard.push(plain(data)));
  const errors: string[] = [];
  const closed: string[] = [];
  for (const [name, channel] of [['ada', ada] as const, ['grace', grace] as const]) {
    channel.on('error', ({ code }) => errors.push(`${name}: ${code}`));
    channel.on('close', ({ error }) => closed.push(`${name}: ${error.code}`));
  }
  return { clock, path, ends, ada, grace, heard, errors, closed };
}
/** Whether a promise has come to anything yet. */
function watched(promise: Promise<unknown>): { done: boolean } {
  const state = { done: false };
  const mark = () => {
    state.done = true;
  };
  promise.then(mark, mark);
  return state;
}
/** Bytes as a text, which is faster to compare. */
const plain = (data: unknown) => (data instanceof Uint8Array ? `bytes ${Buffer.from(data).toString('latin1')}` : data);
const some = (length: number, first = 0) => Uint8Array.from({ length }, (_, at) => (at * 31 + first) % 256);

test('JSON and bytes of any kind arrive as they were when they were sent', async () => {
  const { clock, ada, heard, errors } = pair();
  const list: unknown[] = [1];
  const bytes = some(3);
  const sent = [
    ada.send(list),
    ada.send('text'),
    ada.send(null),
    ada.send({ deep: [{ er: true }] }),
    ada.send(bytes),
    ada.send(some(4).buffer),
    ada.send(new DataView(some(9).buffer, 2, 5)),
    ada.send(new Blob([some(40_000)])),
    ada.send('after the Blob'),
  ];
  list.push(2);
  bytes.fill(0);
  // A Blob is read by the machine, in its own time.
  await new Promise((resolve) => setImmediate(resolve));
  await clock.passing(500);
  await Promise.all(sent);
  expect(heard).toEqual([
    [1],
    'text',
    null,
    { deep: [{ er: true }] },
    plain(some(3)),
    plain(some(4)),
    plain(some(9).subarray(2, 7)),
    plain(some(40_000)),
    'after the Blob',
  ]);
  expect(errors).toEqual([]);
});

test('who waits for send is as fast as the path, and the browser never holds more than it shall', async () => {
  const { clock, ada, ends, heard } = pair({}, {}, { bytesPerMs: 1_000 });
  const before = clock.steady();
  const done = (async () => {
    for (let n = 0; n < 20; n += 1) await ada.send(some(100_000, n));
  })();
  const state = watched(done);
  await clock.passing(1_500);
  expect(state.done, 'two million bytes at a million a second').toBe(false);
  await clock.passing(600);
  await done;
  expect(clock.steady() - before).toBeGreaterThan(1_900);
  expect(ends[0].mostBuffered).toBeLessThan(BUFFER_HIGH_BYTES + FRAME_BYTES);
  await clock.passing(200);
  expect(heard).toHaveLength(20);
});

test('a message is called sent when the buffer is low, not before', async () => {
  const { clock, path, ada, ends } = pair();
  path.up = false;
  const small = watched(ada.send('small'));
  const large = watched(ada.send(some(BUFFER_LOW_BYTES + 1)));
  await clock.passing(100);
  expect([small.done, large.done]).toEqual([true, false]);
  expect(ends[0].bufferedAmount).toBeGreaterThan(BUFFER_LOW_BYTES);
  path.up = true;
  await clock.passing(100);
  expect(large.done).toBe(true);
});

test('what is sent before it is open waits', async () => {
  const clock = new FakeClock();
  const ends = channelPair(goodPath(clock));
  ends[0].readyState = 'connecting';
  const [ada, grace] = ends.map((end) => new Channel(end, { clock })) as [Channel, Channel];
  const heard: unknown[] = [];
  grace.on('message', ({ data }) => heard.push(data));
  const opened: string[] = [];
  ada.on('open', () => opened.push(ada.state));
  const early = watched(ada.send('early'));
  expect(ada.state).toBe('connecting');
  await clock.passing(100);
  expect([early.done, heard]).toEqual([false, []]);
  ends[0].open();
  await clock.passing(100);
  expect([early.done, heard, opened]).toEqual([true, ['early'], ['open']]);
});

test.each(['here', 'at the other end'])('when it is closed %s, everything that waits is told', async (where) => {
  const { clock, path, ada, grace, closed, errors } = pair();
  grace.onRequest(() => new Promise(() => {}));
  const unanswered = outcome(ada.request('?'));
  await clock.passing(100);
  path.up = false;
  const handed = outcome(ada.send(some(BUFFER_HIGH_BYTES)));
  const waiting = outcome(ada.send('waits'));
  const blob = outcome(ada.send(new Blob(['is read'])));
  const asked = outcome(ada.request('?'));
  await clock.passing(10);
  (where === 'here' ? ada : grace).close();
  await clock.passing(100);
  const all = await Promise.all([handed, waiting, blob, asked, unanswered]);
  expect(new Set(all)).toEqual(new Set(['closed']));
  expect(await outcome(ada.send('late'))).toBe('closed');
  expect(await outcome(ada.request('late'))).toBe('closed');
  expect(closed.sort()).toEqual(['ada: closed', 'grace: closed']);
  expect([ada.state, grace.state, errors]).toEqual(['closed', 'closed', []]);
  expect(clock.timers).toBe(0);
});

test('what cannot be sent is refused with a code, and costs nothing else', async () => {
  const { clock, path, ada, heard, closed } = pair({}, { largestBytes: 50_000, queueBytes: 100_000 });
  const circle: unknown[] = [];
  circle.push(circle);
  for (const data of [circle, 1n, undefined, () => 1]) expect(await outcome(ada.send(data))).toBe('invalid_message');
  for (const data of [some(50_010), new Blob([some(50_010)]), 'x'.repeat(50_010)]) {
    expect(await outcome(ada.send(data))).toBe('message_too_large');
  }
  path.up = false;
  for (let n = 0; n < 7; n += 1) void ada.send(some(49_000));
  expect(await outcome(ada.send(some(49_000)))).toBe('queue_full');
  path.up = true;
  await clock.passing(1_000);
  path.up = false;
  for (let n = 0; n < 6; n += 1) void ada.send(some(49_000));
  for (let n = 0; n < QUEUE_MESSAGES; n += 1) void ada.send('');
  expect(await outcome(ada.send('one more'))).toBe('queue_full');
  path.up = true;
  await clock.passing(1_000);
  expect(await outcome(ada.send('good again'))).toBe('done');
  await clock.passing(100);
  expect(heard.at(-1)).toBe('good again');
  expect(closed).toEqual([]);
});

test('a Blob that cannot be read holds nobody up', async () => {
  const { clock, ada, heard } = pair();
  const gone = Object.assign(new Blob(['a file']), {
    arrayBuffer: () => Promise.reject(new DOMException('', 'NotFoundError')),
  });
  const refused = outcome(ada.send(gone));
  void ada.send('after it');
  await clock.passing(100);
  expect(await refused).toBe('invalid_message');
  expect(heard).toEqual(['after it']);
});

test('in an ordered channel messages keep their order; otherwise a short one overtakes a long one', async () => {
  for (const [ordered, expected] of [
    [true, ['long', 'short']],
    [false, ['short', 'long']],
  ] as const) {
    const { clock, ada, heard } = pair({ ordered }, {}, { bytesPerMs: 1_000 });
    void ada.send(some(2_000_000));
    await clock.passing(50);
    void ada.send('short');
    await clock.passing(3_000);
    expect(heard.map((data) => (data === 'short' ? 'short' : 'long'))).toEqual(expected);
  }
});

test('a long message gets through while short ones never end', async () => {
  const { clock, ada, heard } = pair({ ordered: false }, {}, { bytesPerMs: 1_000 });
  let long = false;
  void ada.send(some(1_000_000)).then(() => {
    long = true;
  });
  for (let ms = 0; ms < 3_000; ms += 1) {
    while (ada.bufferedBytes < 2_000_000) void ada.send('x'.repeat(10_000));
    await clock.passing(1);
  }
  expect(long).toBe(true);
  expect(heard.length).toBeGreaterThan(100);
});

test('where messages may be lost, one has to fit a frame, and parts of others are none', async () => {
  for (const init of [{ maxRetransmits: 0 }, { maxPacketLifeTime: 100 }]) {
    const { clock, ada, grace, ends, heard, errors } = pair({ ordered: false, ...init });
    expect(await outcome(ada.send(some(FRAME_BYTES)))).toBe('message_too_large');
    void ada.send(some(FRAME_BYTES - 1));
    await clock.passing(100);
    expect(heard).toEqual([plain(some(FRAME_BYTES - 1))]);
    ends[0].send(frameOf(new Uint8Array(40_000), 1, 0) as Uint8Array<ArrayBuffer>);
    await clock.passing(100);
    expect([grace.state, errors]).toEqual(['closed', ['grace: peer_error']]);
  }
});

test('a request is answered with what the handler says: JSON, bytes, or nothing', async () => {
  const { clock, ada, grace } = pair();
  grace.onRequest(async (data) => (data === 'bytes' ? some(30_000) : data === 'nothing' ? undefined : { is: plain(data) }));
  const asked = [{ x: 1 }, 'bytes', 'nothing', some(20_000)].map((data) => ada.request(data).then(plain));
  await clock.passing(500);
  expect(await Promise.all(asked)).toEqual([{ is: { x: 1 } }, plain(some(30_000)), null, { is: plain(some(20_000)) }]);
  expect(clock.timers).toBe(0);
});

test('a request that gets no answer fails with a code', async () => {
  const { clock, ada, grace, errors, heard } = pair();
  const ask = async (data: unknown, options = {}, before: () => void = () => {}) => {
    const asked = outcome(ada.request(data, options));
    before();
    await clock.passing(11_000);
    return asked;
  };
  expect(await ask('nobody answers here')).toBe('no_handler');
  const end = grace.onRequest((data) => {
    if (data === 'fail') throw new Error('a secret of the handler');
    return data === 'circle' ? { toJSON: () => 1n } : new Promise(() => {});
  });
  expect(await ask('fail')).toBe('handler_failed');
  expect(await ask('circle')).toBe('handler_failed');
  expect(errors.splice(0)).toEqual(['grace: handler_failed', 'grace: invalid_message']);
  expect(await ask('wait')).toBe('timeout');
  expect(await ask('wait', { timeoutMs: 500 })).toBe('timeout');
  const controller = new AbortController();
  expect(await ask('wait', { signal: controller.signal }, () => controller.abort())).toBe('aborted');
  expect(await ask('wait', { signal: controller.signal })).toBe('aborted');
  expect(await ask(1n)).toBe('invalid_message');
  end();
  expect(await ask('again')).toBe('no_handler');
  expect([errors, heard, clock.timers]).toEqual([[], [], 0]);
});

test('requests are bounded in number, here and at the peer', async () => {
  const { clock, ada, grace } = pair();
  const answers: (() => void)[] = [];
  grace.onRequest(() => new Promise<void>((resolve) => answers.push(resolve)));
  const asked = Array.from({ length: OPEN_REQUESTS }, (_, n) => outcome(ada.request(n)));
  expect(await outcome(ada.request('one more'))).toBe('too_many_requests');
  await clock.passing(11_000);
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['timeout']));
  // Here they are given up; there they are still being answered.
  const late = outcome(ada.request('late'));
  await clock.passing(100);
  expect(await late).toBe('too_many_requests');
  for (const answer of answers.splice(0)) answer();
  await clock.passing(100);
  const good = ada.request('good');
  await clock.passing(100);
  answers[0]?.();
  await clock.passing(100);
  expect(await good).toBe(null);
});

test('a browser that takes no message is told; one that is only full is given it later', async () => {
  const failing = pair();
  failing.ends[0].send = () => {
    throw new TypeError('no');
  };
  expect(await outcome(failing.ada.send('x'))).toBe('channel_failed');
  expect(failing.errors).toEqual(['ada: channel_failed']);
  const full = pair();
  const { send } = full.ends[0];
  full.path.up = false;
  void full.ada.send(some(BUFFER_LOW_BYTES + 1));
  full.ends[0].send = () => {
    throw new DOMException('full', 'OperationError');
  };
  const later = outcome(full.ada.send('later'));
  full.ends[0].send = send;
  full.path.up = true;
  await full.clock.passing(100);
  expect(await later).toBe('done');
  expect(full.heard.at(-1)).toBe('later');
});

type Step = { size: number; kind: 'send' | 'request'; wait: number };
const step: fc.Arbitrary<Step> = fc.record({
  size: fc.oneof(fc.nat(200), fc.nat(4 * CHUNK_BYTES)),
  kind: fc.constantFrom('send', 'request'),
  wait: fc.nat(30),
});

test('whatever is sent arrives once, and in order where order is kept; every request gets its own reply', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), fc.integer(), async (steps, ordered, seed) => {
      let state = seed;
      const random = () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
        return state / 0x80000000;
      };
      const { clock, path, ada, grace, heard, errors } = pair({ ordered }, {}, { random, jitterMs: 200, bytesPerMs: 500 });
      grace.onRequest((data) => (data as number[])[0]);
      const requests: Promise<unknown>[] = [];
      const numbers: number[] = [];
      const sends: Promise<void>[] = [];
      for (const [n, { size, kind, wait }] of steps.entries()) {
        const data = [n, 'x'.repeat(size)];
        if (kind === 'send') sends.push(ada.send(data));
        else requests.push(ada.request(data).then((reply) => numbers.push(reply as number) && expect(reply).toBe(n)));
        if (wait % 7 === 0) path.up = !path.up;
        await clock.passing(wait);
      }
      path.up = true;
      await clock.passing(9_000);
      await Promise.all([...sends, ...requests]);
      const sent = steps.flatMap(({ kind }, n) => (kind === 'send' ? [n] : []));
      const got = heard.map((data) => (data as number[])[0] as number);
      expect(ordered ? got : got.sort((a, b) => a - b)).toEqual(sent);
      expect(heard.every((data) => (data as [number, string])[1].length === steps[(data as [number])[0]]?.size)).toBe(true);
      expect([errors, clock.timers, ada.bufferedBytes]).toEqual([[], 0, 0]);
    }),
    { numRuns: 40 },
  );
});

const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.constantFrom('a text', new Blob(['x']), null, undefined, 7, {}),
  fc.tuple(fc.nat(255), fc.nat(2 ** 32 - 1), fc.string()).map(([kind, number, text]) => {
    const frame = new Uint8Array(5 + text.length);
    frame[0] = kind;
    new DataView(frame.buffer).setUint32(1, number);
    for (let at = 0; at < text.length; at += 1) frame[5 + at] = text.charCodeAt(at);
    return frame;
  }),
  fc
    .tuple(fc.constantFrom('request' as const, 'reply' as const, 'refusal' as const), fc.nat(5), fc.jsonValue())
    .map(([purpose, number, data]) => encode({ purpose, number, data })),
  fc.constant(encode({ purpose: 'message', number: 0, data: 'fine' })),
  fc.nat(10).map((number) => frameOf(new Uint8Array(40_000), number, number % 3)),
);

test('whatever a peer sends, nothing is thrown, and at worst the channel is closed with one error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { maxLength: 40 }), async (frames) => {
      const clock = new FakeClock();
      const [end, other] = channelPair(goodPath(clock)) as [FakeDataChannel, FakeDataChannel];
      other.binaryType = 'arraybuffer';
      const channel = new Channel(end, { clock });
      channel.onRequest(() => 'reply');
      const errors: string[] = [];
      const closed: string[] = [];
      channel.on('error', ({ code }) => errors.push(code));
      channel.on('close', ({ error }) => closed.push(error.code));
      const asked = outcome(channel.request('?'));
      for (const frame of frames) end.fire('message', { data: frame instanceof Uint8Array ? frame.slice().buffer : frame });
      await clock.passing(11_000);
      await asked;
      expect(errors).toEqual(closed);
      expect([[], ['peer_error']]).toContainEqual(errors);
      expect(channel.state).toBe(errors.length ? 'closed' : 'open');
      expect(clock.timers).toBe(0);
    }),
    { numRuns: 200 },
  );
});
