// Which tests of the signaling run in front of the server in memory, which in front of the real one, and why not all in front of both.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** In front of both: what either does, the other does. */
const BOTH: { [file: string]: string } = {
  'server.test.ts': 'joins, seats, identities and errors; what cuts paths, kills processes or drains has the real one alone',
  'testing.test.ts': 'documented frames, taken and refused, and whole plays, of which everybody hears the same from either',
  'readme.test.ts': 'each example with the server that it is about',
  'cookbook.test.ts': 'recipes over connections in memory; the one about tokens asks whether the real one takes them',
};
const MEMORY_ONLY: { [file: string]: string } = {
  'rules.test.ts': 'looks at each frame, and has the server answer what it would not',
  'rules.property.test.ts': 'thousands of histories, in a time of their own',
  'coming-back.test.ts': 'pauses of minutes and months, in a time of its own',
  'tokens.test.ts': 'tokens that end in an hour, in a time of its own',
  'trouble.test.ts': 'a server that breaks the rules, which the real one does not',
  'fixtures.test.ts': 'frames that the real one sends once in a while are sent at will; testing.test.ts sends them to both',
  'react.test.ts': 'hooks, for which any server will do',
};
const REAL_ONLY: { [file: string]: string } = {
  'browser.test.ts': 'sockets of a browser, which need one that listens',
  'hidden.test.ts': 'sockets of a browser, which need one that listens',
  'questions.test.ts': 'what docs/protocol.md promises of the real one: its timeouts, close codes and pace',
  'telemetry.test.ts': 'what the real one counts of reports',
};
/** Of the mesh, media, documents: no matter of the signaling's server. */
const NEITHER = ['docs', 'length', 'media', 'page', 'parity', 'texts'].map((name) => `${name}.test.ts`);

const MEMORY = /support\/(model|started|worlds|memory-rooms)\.ts|\bTestServer\b/;
const REAL = /support\/(real|worlds)\.ts|\bstartServer\b/;

test('each file of tests is where it is said to be', () => {
  const found: { [list: string]: string[] } = { both: [], memory: [], real: [], neither: [], unknown: [] };
  for (const file of readdirSync(new URL('.', import.meta.url)).filter((name) => name.endsWith('.test.ts'))) {
    const imports = readFileSync(new URL(file, import.meta.url), 'utf8');
    const [memory, real] = [MEMORY.test(imports), REAL.test(imports)];
    const list = NEITHER.includes(file) ? 'neither' : memory && real ? 'both' : memory ? 'memory' : real ? 'real' : 'unknown';
    found[list]?.push(file);
  }
  expect(found).toEqual({
    both: Object.keys(BOTH).sort(),
    memory: Object.keys(MEMORY_ONLY).sort(),
    real: Object.keys(REAL_ONLY).sort(),
    neither: NEITHER.sort(),
    unknown: [],
  });
});
