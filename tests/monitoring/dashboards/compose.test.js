// The containers: their files against the schemas and checkers that can be had, and against what was promised of them.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { REPOSITORY } from '../../e2e/support/server.js';
import { run, tool, yaml } from './support/tools.js';

const read = (path) => readFileSync(join(REPOSITORY, path), 'utf8');

test('the compose file is one, and the Dockerfile has no known fault', () => {
  const compose = run(tool('check-jsonschema'), ['--builtin-schema', 'vendor.compose-spec', 'docker-compose.yml']);
  assert.equal(compose.status, 0, compose.text);
  const dockerfile = run(tool('hadolint'), ['Dockerfile']);
  assert.equal(dockerfile.text, '');
});

test('compose resolves it, every profile and the demo included', () => {
  const config = (...args) => run('docker-compose', [...args, 'config']);
  const all = config('--profile', 'demo', '--profile', 'logging');
  assert.equal(all.status, 0, all.text);
  const demo = config('--env-file', 'monitoring/compose/demo.env');
  assert.equal(demo.status, 0, demo.text);
  assert.match(demo.stdout, /alertmanager\.demo\.env/);
});

test('every service is pinned, bounded, watched and without privileges', () => {
  const { services, networks } = yaml('docker-compose.yml');
  for (const [name, service] of Object.entries(services)) {
    if (!service.build) assert.match(service.image, /:v?\d+\.\d+\.\d+$/, `${name}: no exact version`);
    if (!service.build) assert.match(service.user, /^[1-9]\d*:\d+$/, `${name}: runs as root`);
    assert.ok(service.mem_limit && service.pids_limit, `${name}: without bounds`);
    assert.ok(service.healthcheck.test.length > 1, `${name}: nobody looks whether it is well`);
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ['ALL'], name);
    for (const port of service.ports ?? []) {
      assert.ok(port === '8080:8080' || port.startsWith('127.0.0.1:'), `${name}: ${port} is open to everybody`);
    }
    for (const [source] of (service.volumes ?? []).map((volume) => volume.split(':')).filter(([from]) => from.startsWith('./'))) {
      // What other files of the stack, or prepare.sh, make.
      assert.ok(existsSync(join(REPOSITORY, source)) || /secrets|alertmanager/.test(source), `${name}: there is no ${source}`);
    }
  }
  assert.match(read('Dockerfile'), /^USER [1-9]/m, 'the server runs as root');
  assert.equal(networks.monitoring.internal, true);
  assert.deepEqual([services.prometheus, services.grafana, services.alertmanager].map(({ mem_limit: limit }) => limit), ['512m', '256m', '128m']);
  assert.ok(['--storage.tsdb.retention.time=30d', '--storage.tsdb.retention.size=10GB'].every((flag) => services.prometheus.command.includes(flag)));
});

test('the server is given the time that it takes to drain', () => {
  const deadline = Number(/^drain_deadline_ms = (\d+)$/m.exec(read('config/default.toml'))[1]);
  const grace = Number(/^(\d+)s$/.exec(yaml('docker-compose.yml').services.switchboard.stop_grace_period)[1]);
  assert.ok(grace * 1000 > deadline, `${grace} s for a drain of up to ${deadline} ms`);
});

test('the demo’s settings are the real ones’ names', () => {
  const names = (path) => [...read(path).matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name).sort();
  assert.deepEqual(names('monitoring/compose/alertmanager.demo.env'), names('monitoring/alertmanager/alertmanager.env'));
});

test('the demo’s settings make a configuration that Alertmanager takes', (t) => {
  const made = mkdtempSync(join(tmpdir(), 'switchboard-alertmanager-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  const rendered = run('monitoring/alertmanager/render.sh', [made, 'monitoring/compose/alertmanager.demo.env']);
  assert.equal(rendered.status, 0, rendered.text);
  const verdict = run('amtool', ['check-config', join(made, 'alertmanager.yml')]);
  assert.equal(verdict.status, 0, verdict.text);
  assert.match(readFileSync(join(made, 'alertmanager.yml'), 'utf8'), /smtp_smarthost: 'mail:1025'/);
});

test('what is provisioned points to what is there', () => {
  const { services } = yaml('docker-compose.yml');
  const sources = yaml('monitoring/grafana/provisioning/datasources/prometheus.yml').datasources;
  for (const { url } of sources) assert.ok(services[new URL(url).hostname], url);
  const { path } = yaml('monitoring/grafana/provisioning/dashboards/switchboard.yml').providers[0].options;
  assert.ok(services.grafana.volumes.some((volume) => volume === `./monitoring/grafana/dashboards:${path}:ro`), path);
  const dashboards = readdirSync(join(REPOSITORY, 'monitoring/grafana/dashboards')).map((name) => JSON.parse(read(`monitoring/grafana/dashboards/${name}`)));
  const variables = dashboards.flatMap(({ templating }) => templating.list).filter(({ type }) => type === 'datasource');
  for (const { current } of variables) assert.ok(sources.some(({ uid }) => uid === current.value), current.value);
});

test('the log is read where the server writes it, and kept as long', () => {
  const { switchboard, alloy } = yaml('docker-compose.yml').services;
  const directory = switchboard.environment.SWITCHBOARD__LOG__DIR;
  const [, target] = switchboard.volumes[0].split(':');
  assert.ok(directory.startsWith(`${target}/`), 'the log is on the volume');
  const [, group] = /useradd .*--gid (\d+)/.exec(read('Dockerfile'));
  assert.deepEqual(alloy.group_add, [group], 'whoever reads it is in the server’s group');
  assert.ok(alloy.volumes.includes(`${switchboard.volumes[0].split(':')[0]}:${target}:ro`));
  assert.ok(read('monitoring/alloy/config.alloy').includes(`"${directory}/switchboard-[0-9]*.jsonl"`));
  const days = (key) => Number(new RegExp(`^${key} = (\\d+)$`, 'm').exec(read('config/default.toml'))[1]);
  const { limits_config: limits } = yaml('monitoring/loki/loki.yml');
  assert.equal(limits.retention_period, `${days('keep_days') * 24}h`);
  assert.equal(limits.retention_stream[0].period, `${days('keep_error_days') * 24}h`);
});

test('shell scripts have no known fault', () => {
  const scripts = run('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'monitoring/*.sh', 'monitoring/**/*.sh']).stdout.trim().split('\n');
  assert.ok(scripts.length >= 2);
  const verdict = run('shellcheck', scripts);
  assert.equal(verdict.status, 0, verdict.text);
});

test('secrets are made once, at random, and are nobody else’s', (t) => {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-secrets-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  cpSync(join(REPOSITORY, 'monitoring/secrets/prepare.sh'), join(home, 'prepare.sh'));
  const prepare = () => run(join(home, 'prepare.sh'), []);
  const password = () => readFileSync(join(home, 'grafana/admin_password'), 'utf8');
  assert.equal(prepare().status, 0);
  const first = password();
  assert.match(first, /^[A-Za-z0-9]{24}$/);
  assert.equal(statSync(home).mode & 0o777, 0o700);
  assert.equal(prepare().status, 0);
  assert.equal(password(), first);
});
