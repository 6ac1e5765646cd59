// Every question of every panel and annotation, put to a real Prometheus that watches a real server under a mixed load.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import test from 'node:test';
import { Child } from '../../e2e/support/child.js';
import { freePort as freeUdpPort } from '../../e2e/support/nat.js';
import { freePort } from '../../e2e/support/port.js';
import { startRedis } from '../../e2e/support/redis.js';
import { startServer } from '../../e2e/support/server.js';
import { until } from '../../e2e/support/until.js';
import { expressions } from './support/dashboards.js';
import { startLoad } from './support/load.js';
import { join } from './support/member.js';
import { startPrometheus } from './support/prometheus.js';

/** What is empty here, and why. Everything else must answer. */
const EMPTY = new Map([
  ['Switchboard / Runtime and node / CPU busy', 'needs node_exporter'],
  ['Switchboard / Runtime and node / Memory available', 'needs node_exporter'],
  ['Switchboard / Runtime and node / Disk free', 'needs node_exporter'],
  ['Switchboard / Runtime and node / TCP retransmissions', 'needs node_exporter'],
]);
const isEmptyHere = ({ of, expr }) => EMPTY.has(of) || /offset 7d/.test(expr); // there is no sample of a week ago

/** What Grafana puts in for the variables. Short, since the server was started just now. */
const filled = (expr) => expr
  .replaceAll('[$__range:1m]', '[1m:1s]')
  .replaceAll('$__range', '1m').replaceAll('$interval', '1m').replaceAll('"$instance"', '".+"').replaceAll('"$instance|"', '".+|"');

/** A server that was shut down in order before, so that it knows how long that took. */
async function startAgain(t, settings) {
  const state = mkdtempSync(path(tmpdir(), 'switchboard-state-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const kept = { ...settings, SWITCHBOARD__STATE__DIR: state };
  const first = await startServer(t, kept);
  first.terminate();
  assert.equal(await first.exit(), 0);
  return startServer(t, kept);
}

/** What the ops listener speaks TLS with. */
function makeCertificate(home) {
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path(home, name));
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert,
    '-days', '30', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1',
  ], { stdio: 'pipe' });
  return { cert, key };
}

/** A receiver of webhooks, which takes everything. */
async function startReceiver(t) {
  const receiver = createServer((request, answer) => request.resume().on('end', () => answer.end()));
  await new Promise((resolve, reject) => receiver.on('error', reject).listen(0, '127.0.0.1', resolve));
  t.after(() => receiver.close());
  return `http://127.0.0.1:${receiver.address().port}/`;
}

/** Two nodes with a Redis, a room that spans them, and what Debian has to watch a Redis by; how they are scraped. */
async function startCluster(t) {
  const redis = await startRedis(t);
  const node = (name) => startServer(t, {
    SWITCHBOARD__CLUSTER__REDIS_URL: redis.url, SWITCHBOARD__SERVER__NODE: name,
    // So long does the first of them wait for what others may have to say.
    SWITCHBOARD__CLUSTER__NODE_TIMEOUT_MS: '2000', SWITCHBOARD__CLUSTER__REDIS_TIMEOUT_MS: '1000',
  });
  const nodes = await Promise.all(['one', 'two'].map(node));
  const exporter = `127.0.0.1:${await freePort()}`;
  const child = new Child('prometheus-redis-exporter', [`-web.listen-address=${exporter}`, `-redis.addr=${redis.url}`]);
  t.after(() => child.kill());
  for (const { url } of nodes) await until('Redis is ready for joins', async () => (await fetch(`${url}health/redis`)).ok);
  await startLoad(t, nodes[0].url);
  const [here, there] = [await join(t, nodes[0].url, 'across'), await join(t, nodes[1].url, 'across')];
  here.say({ type: 'signal', to: there.id, kind: 'app', data: 1 });
  await there.hears('signal');
  return [
    { job_name: 'nodes', static_configs: [{ targets: nodes.map(({ ops }) => ops) }] },
    { job_name: 'redis', static_configs: [{ targets: [exporter] }] },
  ];
}

const isNumber = ({ value: [, value] }) => !['NaN', '+Inf', '-Inf'].includes(value);

test('every panel shows data', { timeout: 180_000 }, async (t) => {
  const home = mkdtempSync(path(tmpdir(), 'switchboard-panels-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const { cert, key } = makeCertificate(home);
  const secret = path(home, 'webhooks.secret');
  writeFileSync(secret, `whsec_${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 });
  const server = await startAgain(t, {
    SWITCHBOARD__OPS__TLS_CERT_FILE: cert, SWITCHBOARD__OPS__TLS_KEY_FILE: key,
    SWITCHBOARD__WEBHOOKS__URL: await startReceiver(t), SWITCHBOARD__WEBHOOKS__SECRET_FILE: secret,
    SWITCHBOARD__HTTP__ALLOWED_ORIGINS: 'https://here.example',
    // It asks itself.
    SWITCHBOARD__STUN__PORT: `${await freeUdpPort()}`, SWITCHBOARD__STUN__HOST: '127.0.0.1', SWITCHBOARD__ICE__CHECK_INTERVAL_MS: '500',
  });
  const prometheus = await startPrometheus(t, server.ops, cert, await startCluster(t));
  await startLoad(t, server.url);
  let missing = expressions.filter((one) => !isEmptyHere(one));
  assert.ok(missing.length > 100, `${missing.length} expressions`);
  await until('every expression has an answer', async () => {
    const answers = await Promise.all(missing.map(async (one) => [one, await prometheus.query(filled(one.expr))]));
    missing = answers.filter(([, result]) => !result.some(isNumber)).map(([one]) => one);
    if (missing.length) throw new Error(missing.map(({ of, expr }) => `${of}: ${filled(expr)}`).join('\n'));
    return true;
  }, 90_000);
  for (const one of expressions.filter(isEmptyHere)) {
    // Empty is right; an error would not be. And what has data after all does not belong on the list.
    assert.deepEqual(await prometheus.query(filled(one.expr)), [], one.of);
  }
});
