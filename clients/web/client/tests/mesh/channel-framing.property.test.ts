// Any message comes out as it went in, in whatever order its frames come; and whatever a peer sends, it costs no more than is allowed.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChannelError } from '../../src/mesh/channel-error.ts';
import {
  Assembler,
  CHUNK_BYTES,
  decode,
  encode,
  FRAME_BYTES,
  frameOf,
  framesFor,
  type Message,
  UNFINISHED_MESSAGES,
} from '../../src/mesh/channel-framing.ts';

const LARGEST = 300_000;
/** Around where frames begin and end. */
const size = fc.oneof(
  fc.nat(64),
  fc.nat(LARGEST - 5),
  fc.tuple(fc.nat(4), fc.integer({ min: -20, max: 20 })).map(([n, more]) => Math.max(0, n * CHUNK_BYTES + more)),
  fc.integer({ min: FRAME_BYTES - 20, max: FRAME_BYTES + 20 }),
);
const bytes = fc
  .tuple(size, fc.nat(255))
  .map(([length, first]) => Uint8Array.from({ length }, (_, at) => (at * 7 + first) % 256));
const number = fc.nat(2 ** 32 - 1);
const data = fc.oneof(fc.jsonValue(), bytes);
const message: fc.Arbitrary<Message> = fc.oneof(
  data.map((data) => ({ purpose: 'message' as const, number: 0, data })),
  fc.record({ purpose: fc.constantFrom('request' as const, 'reply' as const, 'refusal' as const), number, data }),
);
const framesOf = (whole: Uint8Array, number: number) =>
  Array.from({ length: framesFor(whole.length) }, (_, index) => frameOf(whole, number, index));

/** What JSON makes of it: -0 is 0. */
const asJson = (value: unknown) => JSON.parse(JSON.stringify(value));

test('a message is decoded as it was encoded', () => {
  fc.assert(
    fc.property(message, (message) => {
      const { data, ...head } = message;
      const { data: out, ...headOut } = decode(encode(message));
      expect(headOut).toEqual(head);
      // Byte by byte is what `toEqual` is slow at.
      if (data instanceof Uint8Array) expect(Buffer.compare(data, out as Uint8Array)).toBe(0);
      else expect(out).toEqual(asJson(data));
    }),
  );
});

test('messages are put together from their frames in any order, and nothing of them is kept', () => {
  fc.assert(
    fc.property(
      fc.array(
        bytes.filter(({ length }) => length > 0),
        { maxLength: 8 },
      ),
      fc.func(fc.double({ min: 0, max: 1, noNaN: true })),
      (parts, rank) => {
        const messages = parts.map((part) => encode({ purpose: 'message', number: 0, data: part }));
        const frames = messages.flatMap((whole, n) =>
          framesOf(whole, n).map((frame, index) => ({ frame, rank: rank(n, index) })),
        );
        frames.sort((a, b) => a.rank - b.rank);
        const assembler = new Assembler(LARGEST, true);
        const out: Uint8Array[] = [];
        for (const { frame } of frames) {
          expect(frame.length).toBeLessThanOrEqual(FRAME_BYTES);
          const whole = assembler.take(frame);
          if (whole) out.push(whole.slice());
        }
        const sorted = (list: Uint8Array[]) => list.map((one) => Buffer.from(one).toString('latin1')).sort();
        expect(sorted(out)).toEqual(sorted(messages));
        expect(assembler.held).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

/** A chunk with a head as somebody may write it who knows the form and means no good. */
const chunk = fc
  .record({
    number: fc.nat(600),
    length: fc.oneof(fc.nat(2 * LARGEST), number, fc.constantFrom(0, FRAME_BYTES, FRAME_BYTES + 1, LARGEST, 2 ** 32 - 1)),
    index: fc.oneof(fc.nat(20), number),
    size: fc.oneof(fc.constant(CHUNK_BYTES), fc.nat(CHUNK_BYTES + 20)),
  })
  .map(({ number, length, index, size }) => {
    const frame = new Uint8Array(13 + size);
    frame[0] = 0x80;
    const fields = new DataView(frame.buffer);
    fields.setUint32(1, number);
    fields.setUint32(5, length);
    fields.setUint32(9, index);
    return frame;
  });
/** One that is good for itself: parts of many messages that never end. */
const goodChunk = fc
  .tuple(fc.nat(2 * UNFINISHED_MESSAGES), fc.integer({ min: FRAME_BYTES + 1, max: LARGEST }), fc.nat(20))
  .map(([number, length, index]) => frameOf(new Uint8Array(length), number, index % framesFor(length)));

test('whatever comes, it is a message or an error with a name, and no more is held than may be', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(chunk, goodChunk, goodChunk, fc.uint8Array({ maxLength: 40 })), { maxLength: 100 }),
      fc.boolean(),
      (frames, chunked) => {
        const assembler = new Assembler(LARGEST, chunked);
        for (const frame of frames) {
          try {
            const whole = assembler.take(frame);
            expect(whole?.length ?? 0).toBeLessThanOrEqual(LARGEST);
            if (whole) decode(whole);
          } catch (error) {
            expect(error).toBeInstanceOf(ChannelError);
            expect((error as ChannelError).code).toBe('peer_error');
            return;
          }
          expect(assembler.held).toBeLessThanOrEqual(chunked ? assembler.mostHeld : 0);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('parts of messages that never end are refused when as many, or as many bytes, are held as may be', () => {
  /** How many bytes were held, and parts taken, when it was refused. */
  const refusedWith = (length: number, from: number, to: number) => {
    const assembler = new Assembler(LARGEST, true);
    const whole = new Uint8Array(length);
    for (let parts = 0, message = 0; ; message += 1) {
      for (let index = from; index < to; index += 1, parts += 1) {
        const { held } = assembler;
        try {
          assembler.take(frameOf(whole, message, index));
        } catch {
          expect(assembler.held).toBe(held);
          return { held, parts, most: assembler.mostHeld };
        }
      }
      if (message > UNFINISHED_MESSAGES) throw new Error('never refused');
    }
  };
  expect(refusedWith(FRAME_BYTES + 1, 1, 2).parts, 'last parts of a few bytes').toBe(UNFINISHED_MESSAGES);
  const { held, most } = refusedWith(LARGEST, 0, framesFor(LARGEST) - 1);
  expect(held).toBeLessThanOrEqual(most);
  expect(held).toBeGreaterThan(most - CHUNK_BYTES);
});

test('what contradicts itself is refused', () => {
  const whole = new Uint8Array(2 * CHUNK_BYTES);
  const longer = new Uint8Array(2 * CHUNK_BYTES + 1);
  const refused = (largest: number, ...frames: Uint8Array[]) => {
    const assembler = new Assembler(largest, true);
    for (const frame of frames.slice(0, -1)) assembler.take(frame);
    expect(() => assembler.take(frames.at(-1) as Uint8Array)).toThrow(ChannelError);
  };
  refused(LARGEST, frameOf(whole, 1, 0), frameOf(whole, 1, 0));
  refused(LARGEST, frameOf(whole, 1, 0), frameOf(longer, 1, 1));
  refused(whole.length - 1, frameOf(whole, 1, 0));
  refused(10, new Uint8Array(11));
  refused(LARGEST, frameOf(whole, 1, 0).subarray(0, 100));
  refused(LARGEST, frameOf(whole, 1, 0).subarray(0, 10));
  refused(LARGEST, new Uint8Array(FRAME_BYTES + 1));
});

test('bytes come in a buffer of their own', () => {
  const { data } = decode(encode({ purpose: 'message', number: 0, data: new Uint8Array([1, 2, 3]) }));
  expect((data as Uint8Array).buffer.byteLength).toBe(3);
});
