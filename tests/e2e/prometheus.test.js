// A real Prometheus, with the configuration this repository ships, watches a running server.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { Child } from './support/child.js';
import { scenario } from './support/scenario.js';
import { REPOSITORY, startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

const SHIPPED = join(REPOSITORY, 'monitoring/prometheus/prometheus.yml');
const SHIPPED_TARGET = 'switchboard:9464';
const ROOM = 'golden-beacon-300';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const promtool = (args, input) => execFileSync('promtool', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

/** `text` with the only `from` in it replaced; a second one, or none, means that this test is out of date. */
function replaceOnly(text, from, to) {
  assert.equal(text.split(from).length, 2, `${SHIPPED} should contain ${from} once`);
  return text.replace(from, to);
}

/** The shipped configuration, aimed at `target` and in more of a hurry. */
function configFor(target) {
  let text = replaceOnly(readFileSync(SHIPPED, 'utf8'), SHIPPED_TARGET, target);
  for (const setting of ['scrape_interval', 'scrape_timeout']) {
    const [line] = text.match(new RegExp(`${setting}: \\S+`)) ?? assert.fail(`${SHIPPED} sets no ${setting}`);
    text = replaceOnly(text, line, `${setting}: 500ms`);
  }
  return text;
}

/** Starts Prometheus for the test `t`; returns a function that asks it for the value of an expression. */
async function startPrometheus(t, target) {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-prometheus-'));
  const config = join(home, 'prometheus.yml');
  writeFileSync(config, configFor(target));
  const child = new Child('prometheus', [`--config.file=${config}`, `--storage.tsdb.path=${join(home, 'data')}`,
    '--web.listen-address=127.0.0.1:0']);
  t.after(async () => {
    await child.kill();
    rmSync(home, { recursive: true, force: true });
  });
  const address = await child.line('Prometheus says where it listens', (line) => /"Listening on" address=(\S+)/.exec(line)?.[1]);
  return async (expression) => {
    const answer = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { status, data, error } = await answer.json();
    if (status !== 'success') throw new Error(error);
    return data.result.map(({ value }) => Number(value[1]));
  };
}

const reaches = (query, expression, expected) =>
  until(`${expression} is ${expected}`, async () => (await query(expression))[0] === expected);

scenario('Prometheus scrapes the server and answers questions about it', async (t) => {
  const server = await startServer(t);
  const query = await startPrometheus(t, server.ops);
  await reaches(query, 'up{job="switchboard"}', 1);
  await reaches(query, 'sum(switchboard_connections)', 0);

  const ada = await Visitor.arrive(t, browser, server.url);
  await ada.joined(ROOM, 'Ada');
  const grace = await Visitor.arrive(t, browser, server.url);
  await grace.joined(ROOM, 'Grace');
  await reaches(query, 'sum(switchboard_connections)', 2);
  await reaches(query, 'sum(switchboard_rooms)', 1);

  await grace.press('Leave');
  await reaches(query, 'sum(switchboard_connections)', 1);
  await ada.press('Leave');
  await reaches(query, 'sum(switchboard_connections)', 0);
  await reaches(query, 'sum(switchboard_rooms)', 0);

  await server.crash();
  await reaches(query, 'up{job="switchboard"}', 0);
});

scenario('promtool finds nothing to complain about in the metrics of a used server', async (t) => {
  const server = await startServer(t);
  const ada = await Visitor.arrive(t, browser, server.url);
  await ada.joined(ROOM, 'Ada');
  await ada.press('Leave');
  const answer = await fetch(`${server.opsUrl}metrics`);
  assert.equal(answer.status, 200);
  const text = await answer.text();
  assert.match(text, /^switchboard_/m);
  assert.equal(promtool(['check', 'metrics'], text), '');
});

scenario('promtool accepts the shipped configuration', () => {
  assert.match(promtool(['check', 'config', SHIPPED]), /SUCCESS/);
});
