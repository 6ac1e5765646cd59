// The log's files beside standard output, from the real server.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { startServer } from '../../e2e/support/server.js';
import { until } from '../../e2e/support/until.js';
import { startLoad } from './support/load.js';

const DAY_MS = 86_400_000;
const day = (ago) => new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10);

test('every line is in the day’s file; old files are compressed, then removed', { timeout: 60_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'switchboard-log-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const old = (name) => {
    writeFileSync(join(directory, name), `{"event":"old","in":"${name}"}\n`);
    utimesSync(join(directory, name), 0, 0); // only the name counts
  };
  [`switchboard-${day(3)}.jsonl`, `switchboard-${day(20)}.jsonl`, `switchboard-errors-${day(20)}.jsonl`, `switchboard-errors-${day(40)}.jsonl`].forEach(old);

  const server = await startServer(t, { SWITCHBOARD__LOG__DIR: directory });
  await startLoad(t, server.url);
  const events = (name) => readFileSync(join(directory, name), 'utf8').trim().split('\n').map((line) => JSON.parse(line).event);
  await until('the day’s file tells of the load', () => {
    const seen = events(`switchboard-${day(0)}.jsonl`);
    return ['server_started', 'peer_joined', 'room_opened', 'connection_closed'].every((event) => seen.includes(event));
  });
  const expected = [
    `switchboard-${day(0)}.jsonl`, `switchboard-${day(3)}.jsonl.gz`, `switchboard-errors-${day(0)}.jsonl`, `switchboard-errors-${day(20)}.jsonl.gz`,
  ].sort();
  await until('the old files are tidied', () => readdirSync(directory).sort().join() === expected.join());
  const packed = gunzipSync(readFileSync(join(directory, `switchboard-${day(3)}.jsonl.gz`))).toString();
  assert.equal(JSON.parse(packed).in, `switchboard-${day(3)}.jsonl`);

  server.terminate();
  await server.exit();
  assert.equal(events(`switchboard-${day(0)}.jsonl`).at(-1), 'server_stopped', 'the last line is written, too');
});
