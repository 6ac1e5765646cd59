// monitoring/monitor.sh beside a running server, and beside none.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { WebSocket } from 'ws';
import { Child } from '../../e2e/support/child.js';
import { REPOSITORY, startServer } from '../../e2e/support/server.js';
import { until } from '../../e2e/support/until.js';
import { freePort } from '../../e2e/support/port.js';
import { run } from './support/tools.js';

const MONITOR = join(REPOSITORY, 'monitoring/monitor.sh');
const at = ({ url, opsUrl }) => ['--url', url, '--ops-url', opsUrl];
const monitor = (...args) => run(MONITOR, args, { cwd: tmpdir() });

test('test: 0 when all is well, 1 with the reasons when it is not', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t);
  await until('the server is ready', async () => (await fetch(`${server.url}readyz`)).ok);
  const well = monitor('test', ...at(server));
  assert.equal(well.status, 0, well.text);
  for (const line of [/alive +ok/, /ready +ready/, /health +healthy/, /connections +0/, /memory +\d+(\.\d)? MiB/, /all well/]) assert.match(well.stdout, line);
  assert.doesNotMatch(well.stdout, /\x1b/u, 'no colours where there is no terminal');

  await server.crash();
  const dead = monitor('test', ...at(server));
  assert.equal(dead.status, 1);
  assert.match(dead.stdout, /alive: no answer/);
  assert.match(dead.stdout, /metrics: .*status 000/);
});

test('test: a server that does not take new clients is not well', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t, { SWITCHBOARD__SERVER__READY_DELAY_MS: '60000' });
  const starting = monitor('test', ...at(server));
  assert.equal(starting.status, 1);
  assert.match(starting.stdout, /ready: starting/);
});

test('live: figures change, errors of the log appear, and nothing is left behind', { timeout: 60_000 }, async (t) => {
  const log = mkdtempSync(join(tmpdir(), 'switchboard-log-'));
  t.after(() => rmSync(log, { recursive: true, force: true }));
  const server = await startServer(t, { SWITCHBOARD__LOG__DIR: log, LOG_LEVEL: 'debug' });
  const child = new Child(MONITOR, ['--interval', '1', '--log', log, ...at(server)]);
  t.after(() => child.kill());
  await child.line('the first look', (line) => /connections +0/.test(line));

  const socket = new WebSocket(`${server.url.replace('http', 'ws')}ws`);
  t.after(() => socket.terminate());
  let mistakes = 0;
  // The reader of the log begins with what comes after it; until it is there, mistakes go on.
  socket.on('message', () => { mistakes += 1; setTimeout(() => socket.readyState === WebSocket.OPEN && socket.send('not json'), 50); });
  await child.line('a connection, and that it is one more', (line) => /connections +1 +\+1/.test(line));
  await child.line('messages a second', (line) => /messages +[1-9][\d.]* \/s/.test(line));
  await child.line('an error of the log', (line) => /! 20.* low .*frame refused.*invalid_message/.test(line));
  assert.ok(mistakes > 0);

  child.signal('SIGTERM');
  assert.equal(await child.exit(), 0);
  const left = run('pgrep', ['-f', `tail.*${log}`]);
  assert.equal(left.stdout, '', 'the reader of the log is gone');
});

test('--rounds ends it, and what is wrong with its arguments is said', { timeout: 60_000 }, async (t) => {
  const server = await startServer(t);
  const once = monitor('--rounds', '1', ...at(server));
  assert.equal(once.status, 0);
  assert.match(once.stdout, /no log to read errors from/);
  for (const [args, word] of [
    [['--interval', '0'], /whole seconds/], [['--log'], /needs a value/], [['dance'], /unknown argument: dance/],
    [['--rounds', '1', '--log', '/nowhere/at/all'], /cannot read the log/],
  ]) {
    const wrong = monitor(...args);
    assert.equal(wrong.status, 2, args.join(' '));
    assert.match(wrong.stderr, word);
  }
  assert.match(monitor('--help').stdout, /usage: monitor\.sh/);
});

test('a missing program is named; other programs’ metrics are not taken for the server’s', { timeout: 60_000 }, async (t) => {
  const bare = run('/bin/bash', [MONITOR, 'test'], { env: { PATH: mkdtempSync(join(tmpdir(), 'switchboard-bare-')) } });
  assert.equal(bare.status, 2);
  assert.match(bare.stderr, /needs curl awk date/);
  const port = await freePort();
  const stranger = spawn(process.execPath, ['-e', `require('http').createServer((_, answer) => answer.end('up 1\\n')).listen(${port}, '127.0.0.1')`]);
  t.after(() => stranger.kill());
  await until('the stranger answers', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok);
  const wrong = monitor('test', '--url', `http://127.0.0.1:${port}`, '--ops-url', `http://127.0.0.1:${port}`);
  assert.equal(wrong.status, 1);
  assert.match(wrong.stdout, /did not answer with the server's metrics/);
});
