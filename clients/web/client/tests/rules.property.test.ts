// Whatever happens to the connection: what is said arrives at most once and in order, and exactly once as long as the session
// lives; afterwards everything is quiet.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SignalingClient } from '../src/signaling/client.ts';
import type { SignalingError } from '../src/signaling/error.ts';
import { TestClock } from '../src/testing/clock.ts';
import { Model, refusal } from './support/model.ts';
import { tells } from './support/page.ts';

type Event =
  | {
      is: 'signal' | 'update' | 'badUpdate' | 'post' | 'cut' | 'swallow' | 'restart' | 'lossyCut' | 'online' | 'other' | 'ping';
    }
  | { is: 'pass' | 'sleep' | 'holdUp'; ms: number }
  | { is: 'refuse' | 'blackHole'; on: boolean };

const is = <T extends Event['is']>(name: T) => fc.constant({ is: name } as Event);
const event = (withLosses: boolean) =>
  fc.oneof(
    { weight: 6, arbitrary: is('signal') },
    { weight: 6, arbitrary: is('post') },
    { weight: 1, arbitrary: is('update') },
    { weight: 1, arbitrary: is('badUpdate') },
    { weight: 1, arbitrary: is('ping') },
    { weight: 4, arbitrary: fc.record({ is: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 100 }) }) },
    { weight: 3, arbitrary: fc.record({ is: fc.constant('pass' as const), ms: fc.integer({ min: 100, max: 12_000 }) }) },
    { weight: 2, arbitrary: is('cut') },
    { weight: 1, arbitrary: fc.record({ is: fc.constant('holdUp' as const), ms: fc.integer({ min: 1_000, max: 5_000 }) }) },
    { weight: 1, arbitrary: is('other') },
    { weight: 1, arbitrary: is('online') },
    ...(withLosses
      ? ([
          { weight: 1, arbitrary: is('restart') },
          { weight: 2, arbitrary: is('lossyCut') },
          { weight: 1, arbitrary: is('swallow') },
          {
            weight: 1,
            arbitrary: fc.record({ is: fc.constant('sleep' as const), ms: fc.integer({ min: 1_000, max: 90_000 }) }),
          },
          { weight: 1, arbitrary: fc.record({ is: fc.constant('refuse' as const), on: fc.boolean() }) },
          { weight: 1, arbitrary: fc.record({ is: fc.constant('blackHole' as const), on: fc.boolean() }) },
        ] as const)
      : []),
  );

class Play {
  clock = new TestClock();
  model = new Model(this.clock);
  said = 0;
  posted = 0;
  heard: number[] = [];
  outcomes = new Map<number, 'handled' | string>();
  unsettled = 0;
  client: SignalingClient;
  nudges: ((type: string) => void) | undefined;

  constructor(chance: () => number) {
    this.client = new SignalingClient({
      url: 'wss://sb.example/ws',
      room: 'blue',
      WebSocket: this.model.WebSocket,
      clock: this.clock,
      random: chance,
    });
    this.model.judge = ({ meta }) => (meta?.bad ? refusal('invalid_message', 'INVALID_MESSAGE', false) : undefined);
    this.client.on('signal', ({ data }) => this.heard.push(data as number));
    void this.client.start();
  }

  settled(promise: Promise<unknown>, number?: number): void {
    this.unsettled += 1;
    const note = (outcome: string) => {
      this.unsettled -= 1;
      if (number !== undefined) this.outcomes.set(number, outcome);
    };
    promise.then(
      () => note('handled'),
      (error: SignalingError) => note(error.code),
    );
  }

  async happens(event: Event): Promise<void> {
    switch (event.is) {
      case 'signal': {
        this.said += 1;
        this.settled(this.client.signal('*', 'app', this.said), this.said);
        break;
      }
      case 'update':
        this.settled(this.client.update({ n: this.said }));
        break;
      case 'badUpdate':
        this.settled(this.client.update({ bad: true }));
        break;
      case 'ping':
        this.settled(this.client.ping());
        break;
      case 'post':
        if (this.model.session) {
          this.posted += 1;
          this.model.send({ type: 'signal', from: 'a'.repeat(32), kind: 'app', data: this.posted });
        }
        break;
      case 'lossyCut':
        // What is on its way at that moment is kept nowhere.
        await this.happens({ is: 'post' });
        this.model.loseBuffers();
        this.model.cut();
        break;
      case 'pass':
        this.clock.pass(event.ms);
        break;
      case 'sleep':
        this.clock.sleep(event.ms);
        break;
      case 'holdUp':
        this.clock.holdUp(event.ms);
        break;
      case 'refuse':
        this.model.refuses = event.on;
        break;
      case 'blackHole':
        this.model.swallows = event.on;
        break;
      case 'online':
      case 'other':
        tells(event.is === 'online' ? 'online' : 'pageshow');
        break;
      default:
        this.model[event.is]();
    }
    for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
  }

  /** The network is well again, and some time passes. */
  async heals(): Promise<void> {
    this.model.refuses = this.model.swallows = false;
    await this.clock.passing(150_000);
    await this.clock.passing(10_000);
  }

  check(): void {
    const { model } = this;
    expect(model.violations).toEqual([]);
    expect(this.client.state.name).toBe('joined');
    expect(model.connected).toBe(true);
    expect(model.openSockets.length).toBe(1);
    expect(model.closedForGood, 'closed with 1000').toBe(0);
    expect(this.unsettled, 'requests without an end').toBe(0);
    expect(model.session?.buffer.length, 'not acknowledged').toBe(0);
    const signals = model.signals as number[];
    expect(signals, 'in order, and none twice').toEqual([...new Set(signals)].sort((a, b) => a - b));
    expect(this.heard).toEqual([...new Set(this.heard)].sort((a, b) => a - b));
    for (const [number, outcome] of this.outcomes) {
      if (outcome === 'handled' || outcome === 'reply_lost') expect(signals, outcome).toContain(number);
      if (outcome === 'queue_full') expect(signals, outcome).not.toContain(number);
    }
    if (model.losses > 0) return;
    const all = (last: number) => Array.from({ length: last }, (_, at) => at + 1);
    expect(signals, 'nothing lost').toEqual(all(this.said));
    expect(this.heard, 'nothing lost on the way back').toEqual(all(this.posted));
  }

  async closes(): Promise<void> {
    const closed = this.client.close();
    await this.clock.passing(4_000);
    await closed;
    expect(this.model.openSockets).toEqual([]);
    expect(this.model.connected).toBe(false);
    expect(this.clock.timers).toBe(0);
    expect(this.client.state.name).toBe('closed');
  }
}

/** Were found by chance once. */
const FOUND: [Event[], number[]][] = [
  // A page that is held up in the middle of its join asks whether the server is there; then it gives the attempt up.
  [[{ is: 'pass', ms: 18 }, { is: 'pass', ms: 22 }, { is: 'holdUp', ms: 3_001 }, { is: 'other' }, { is: 'post' }], [0]],
  // And with a join that is refused.
  [[{ is: 'badUpdate' }, { is: 'pass', ms: 40 }, { is: 'holdUp', ms: 3_001 }], [0]],
];

const played = (withLosses: boolean, runs: number) =>
  fc.assert(
    fc.asyncProperty(
      fc.array(event(withLosses) as fc.Arbitrary<Event>, { maxLength: 60 }),
      fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 8 }),
      async (events, chances) => {
        let drawn = 0;
        const play = new Play(() => chances[drawn++ % chances.length] as number);
        for (const event of events) await play.happens(event);
        await play.heals();
        play.check();
        await play.closes();
      },
    ),
    { numRuns: runs, examples: withLosses ? FOUND : [] },
  );

test('cuts alone lose nothing, in either direction', () => played(false, 150));
test('after restarts, black holes, sleep and lost buffers, nothing comes twice or out of order', () => played(true, 300));
