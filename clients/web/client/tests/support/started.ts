// A client against the model, in a time of its own.

import { SignalingClient } from '../../src/signaling/client.ts';
import type { SignalingOptions } from '../../src/signaling/options.ts';
import type { State } from '../../src/signaling/state.ts';
import { TestClock } from '../../src/testing/clock.ts';
import { Model } from './model.ts';

export interface Started {
  clock: TestClock;
  model: Model;
  client: SignalingClient;
  /** All that it was in, in order. */
  states: State[];
  /** Codes of the event `error`. */
  errors: string[];
}

/** A client that was not started yet, in front of a model that `prepare` may change. */
export function prepared(options: Partial<SignalingOptions> = {}, clock = new TestClock(), model = new Model(clock)): Started {
  const client = new SignalingClient({
    url: 'wss://sb.example/ws',
    room: 'blue',
    WebSocket: model.WebSocket,
    clock,
    random: () => 0.5,
    ...options,
  });
  const started: Started = { clock, model, client, states: [], errors: [] };
  client.on('state', (state) => started.states.push(state));
  client.on('error', ({ code }) => started.errors.push(code));
  return started;
}

/** A client that is in the room. */
export async function inRoom(options: Partial<SignalingOptions> = {}): Promise<Started> {
  const started = prepared(options);
  const joined = started.client.start();
  await started.clock.passing(200);
  await joined;
  return started;
}

/** What a promise comes to: its value, or its error's code. */
export const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value ?? 'done',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

/** Lets time pass until `probe` is true, for at most a minute of it. */
export async function until(what: string, clock: TestClock, probe: () => boolean): Promise<void> {
  for (let waited = 0; !probe(); waited += 10) {
    if (waited > 60_000) throw new Error(`within a minute not: ${what}`);
    await clock.passing(10);
  }
}
