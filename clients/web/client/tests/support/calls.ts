// Two pages with a call between them, and what must hold of it after any trouble: the RTCPeerConnections are the same, nothing of what was
// sent is missing or there twice, and they can be negotiated further.

import type { Browser } from 'playwright-core';
import { expect } from 'vitest';
import { connected, enter, serveRooms, type Through, type Visitor } from './room-pages.ts';

/** How often each trouble comes. In CI a few times; 30 and more by hand. */
export const ROUNDS = Number(process.env['MESH_ROUNDS'] ?? 3);
export const TIMEOUT_MS = 60_000 + ROUNDS * 20_000;

export interface Call {
  people: [Visitor, Visitor];
  /** Rounds so far. */
  rounds: number;
}

/** Ada and Grace, each in a browser of her own choice, whose server is behind `urls`. `through`: by which ways they reach each other. */
export async function call(browsers: [Browser, Browser], urls: [string, string], through?: Through): Promise<Call> {
  const pages = await serveRooms(undefined, through);
  const ada = await enter(browsers[0], pages, urls[0], 'Ada');
  const grace = await enter(browsers[1], pages, urls[1], 'Grace');
  const people: [Visitor, Visitor] = [ada, grace];
  await connected(people);
  // One after the other: where offers of two makes of browser cross in the beginning, Chromium cannot always take the other's.
  for (const [nth, { page }] of people.entries()) {
    await page.evaluate('sound()');
    await people[1 - nth]?.page.waitForFunction(`tracks === 1 && made[0].signalingState === 'stable'`);
    await page.waitForFunction(`made[0].signalingState === 'stable'`);
  }
  return { people, rounds: 0 };
}

/** Both are in the room and know each other to be there. */
const reunited = ({ people }: Call): Promise<unknown> =>
  Promise.all(
    people.map(({ page }) =>
      page.waitForFunction(`room.state.name === 'joined' && room.peers.length === 1 && room.peers[0].presence === 'here'`),
    ),
  );

/** What became of a round's signals of the kind `app`: `resumed`: all came, `told`: all, but for those whose sender was told otherwise. */
export type Signals = 'resumed' | 'told';

/**
 * What was signaled in one round: nothing came twice or out of order, all came whose sender was told so, and none is missing of which nobody
 * was told.
 */
async function signaled([from, to]: readonly [Visitor, Visitor], kind: Signals): Promise<void> {
  const outcomes = (await from.page.evaluate('stopSignaling()')) as string[];
  const done = outcomes.flatMap((outcome, at) => (outcome === 'done' ? [at + 1] : []));
  await to.page.waitForFunction(`${JSON.stringify(done)}.every((number) => signals.includes(number))`);
  const came = (await to.page.evaluate('signals')) as number[];
  expect(came, 'in order, and each once').toEqual([...new Set(came)].sort((a, b) => a - b));
  const lost = outcomes.filter((outcome, at) => outcome !== 'done' && !came.includes(at + 1));
  const failures = [...new Set(outcomes.filter((outcome) => outcome !== 'done'))];
  expect(failures.filter((code) => kind === 'resumed' || !SESSION_OVER.includes(code))).toEqual([]);
  expect(came.length + lost.length).toBe(outcomes.length);
  expect(came.length, `what ${from.name} signals to ${to.name}`).toBeGreaterThan(5);
}

/** What a sender may be told whose session, or whose peer's, does not go on. */
const SESSION_OVER = ['session_lost', 'peer_not_found'];

/** `trouble` comes while numbers go both ways; afterwards all is as it was, and goes on. */
export async function round(call: Call, kind: Signals, trouble: () => Promise<unknown>): Promise<void> {
  const { people } = call;
  const [ada, grace] = people;
  for (const { page } of people) await page.evaluate('signals.length = 0');
  for (const { page } of people) await page.evaluate('signal()');
  // First both are ready to hear: what came before that would be missing.
  for (const { page } of people) await page.evaluate('globalThis.numbers = {}');
  for (const { page } of people) await page.evaluate('count()');
  for (const { page } of people) await page.waitForFunction('Object.values(numbers)[0]?.length > 5 && signals.length > 5');
  await trouble();
  await reunited(call);
  await Promise.all([signaled([ada, grace], kind), signaled([grace, ada], kind)]);
  const sent: number[] = [];
  for (const { page } of people) sent.push((await page.evaluate('stopCounting()')) as number);
  for (const [nth, { page }] of people.entries()) {
    const expected = Array.from({ length: sent[1 - nth] as number }, (_, index) => index + 1);
    await page.waitForFunction(`Object.values(numbers)[0].length >= ${expected.length}`);
    expect(await page.evaluate('numbers'), 'no number is missing, and none came twice').toEqual({
      [(people[1 - nth] as Visitor).name]: expected,
    });
  }
  call.rounds += 1;
  await people[call.rounds % 2]?.page.evaluate('sound()');
  const tracks = 1 + Math.ceil(call.rounds / 2);
  await people[(call.rounds + 1) % 2]?.page.waitForFunction(`tracks === ${tracks}`);
  await connected(people);
  for (const { page, complaints } of people) {
    await page.waitForFunction(`made[0].signalingState === 'stable'`);
    expect(await page.evaluate('made.length'), 'RTCPeerConnections that were ever made').toBe(1);
    expect(await page.evaluate('room.peers[0].connection === made[0]')).toBe(true);
    expect(await page.evaluate('troubles')).toEqual([]);
    expect(complaints).toEqual([]);
  }
}
