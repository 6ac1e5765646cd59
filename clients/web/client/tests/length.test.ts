// No source of the client side is longer than can be kept in mind.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const MOST_LINES = 400;
const ROOT = new URL('../../', import.meta.url);
/** What is generated or installed. */
const NOT_WRITTEN = /(^|\/)(node_modules|dist)\/|\.generated\.ts$|^demo\/client\.js$/;
/** Those that still have to be taken apart: none may become longer, and none may be added. */
const TOO_LONG: { [file: string]: number } = {
  'client/tests/support/rtc.ts': 670,
};

test(`a file has at most ${MOST_LINES} lines`, () => {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|tsx|js|mjs)$/.test(file) && !NOT_WRITTEN.test(file))
    .map((file) => [file, readFileSync(new URL(file, ROOT), 'utf8').split('\n').length - 1] as const);
  expect(files.length, 'files that are looked at').toBeGreaterThan(80);
  const longer = files.filter(([file, lines]) => lines > (TOO_LONG[file] ?? MOST_LINES));
  expect(longer).toEqual([]);
  const excused = files.filter(([file, lines]) => file in TOO_LONG && lines > MOST_LINES).map(([file]) => file);
  expect(excused.sort(), 'what is short enough needs no excuse').toEqual(Object.keys(TOO_LONG).sort());
});
