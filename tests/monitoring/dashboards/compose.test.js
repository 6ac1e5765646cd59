// The containers: their files against the schemas and checkers that can be had, and against what was promised of them.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { REPOSITORY } from '../../e2e/support/server.js';
import { run, tool, yaml } from './support/tools.js';

const read = (path) => readFileSync(join(REPOSITORY, path), 'utf8');

/** A folder of the test's own. */
const folder = (t, name) => {
  const home = mkdtempSync(join(tmpdir(), `switchboard-${name}-`));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return home;
};

/** A published port; compose writes those without an address as an object. */
const portOf = (port) => (typeof port === 'string' ? port : `${port.published}:${port.target}`);

/** What compose makes of several files of `--env-file`: of each variable the last value. */
const together = (...files) => files.join('\n');

/** The composition as compose resolves it with this `.env`, whatever the tester's own environment holds. */
function resolved(t, settings = '') {
  const home = folder(t, 'compose');
  writeFileSync(join(home, 'env'), settings);
  const args = ['--env-file', join(home, 'env'), '--profile', 'demo', '--profile', 'logging', '--profile', 'turn', 'config'];
  const config = run('docker-compose', args, { env: { PATH: process.env.PATH, HOME: home } });
  assert.equal(config.status, 0, config.text);
  writeFileSync(join(home, 'config.yml'), config.stdout);
  return yaml(join(home, 'config.yml'));
}

test('the compose file is one, and the Dockerfile has no known fault', () => {
  const compose = run(tool('check-jsonschema'), ['--builtin-schema', 'vendor.compose-spec', 'docker-compose.yml']);
  assert.equal(compose.status, 0, compose.text);
  const dockerfile = run(tool('hadolint'), ['Dockerfile']);
  assert.equal(dockerfile.text, '');
});

test('compose resolves it, every profile and the demo included', () => {
  const config = (...args) => run('docker-compose', [...args, 'config']);
  const all = config('--profile', 'demo', '--profile', 'logging', '--profile', 'turn');
  assert.equal(all.status, 0, all.text);
  const demo = config('--env-file', 'monitoring/compose/demo.env');
  assert.equal(demo.status, 0, demo.text);
  assert.match(demo.stdout, /alertmanager\.demo\.env/);
});

test('every service is pinned, bounded, watched and without privileges', (t) => {
  const { services, networks } = yaml('docker-compose.yml');
  const { services: started } = resolved(t);
  for (const [name, service] of Object.entries(services)) {
    if (!service.build) assert.match(service.image, /:v?\d+\.\d+\.\d+$/, `${name}: no exact version`);
    if (!service.build) assert.match(service.user, /^[1-9]\d*:\d+$/, `${name}: runs as root`);
    assert.ok(service.mem_limit && service.pids_limit, `${name}: without bounds`);
    assert.ok(service.healthcheck.test.length > 1, `${name}: nobody looks whether it is well`);
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ['ALL'], name);
    for (const port of (started[name].ports ?? []).map(portOf)) {
      assert.ok(/^8080:8080(\/tcp)?$/.test(port) || port.startsWith('127.0.0.1:'), `${name}: ${port} is open to everybody`);
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

test('who tells peers their addresses sees them, and runs in the host’s network alone', (t) => {
  const { services } = resolved(t);
  const inHost = Object.entries(services).filter(([, service]) => service.network_mode === 'host').map(([name]) => name);
  assert.deepEqual(inHost.sort(), ['stun', 'turn']);
  const { stun, switchboard } = services;
  assert.deepEqual([stun.command, stun.restart, stun.image], [['stun'], switchboard.restart, switchboard.image]);
  assert.deepEqual(stun.healthcheck.test, ['CMD', 'switchboard', 'stun', '--probe']);
  const [of, server] = [stun.environment, switchboard.environment];
  assert.deepEqual([of.SWITCHBOARD__STUN__PORT, server.SWITCHBOARD__STUN__PORT, server.SWITCHBOARD__STUN__SERVE], ['3478', '3478', 'false']);
  assert.equal(stun.restart, 'unless-stopped', 'one that has no port waits, and one that is gone after a restart of the machine is nobody’s');
  const off = resolved(t, 'SWITCHBOARD__STUN__PORT=0\n').services;
  assert.deepEqual([off.stun, off.switchboard].map(({ environment }) => environment.SWITCHBOARD__STUN__PORT), ['0', '0']);
});

test('the TURN server takes the place of the STUN responder, and knows the secret that the server makes credentials with', (t) => {
  const { services } = yaml('docker-compose.yml');
  const { turn, switchboard } = services;
  assert.deepEqual(turn.profiles, ['turn']);
  const [source, target] = turn.volumes.find((volume) => volume.includes('secrets')).split(':');
  assert.ok(switchboard.volumes.includes(`${source}:${target}:ro`), 'both have the same file');
  const [config, secret] = turn.command;
  const [mount, inside] = turn.volumes.find((volume) => volume.includes('config/coturn')).split(':');
  assert.ok(existsSync(join(REPOSITORY, config.replace(inside, mount))) && existsSync(join(REPOSITORY, turn.entrypoint[0].replace(inside, mount))));
  const [, example] = /^# SWITCHBOARD__ICE__SERVERS=(.*secret_file.*)$/m.exec(read('.env.example'));
  const [{ urls, secret_file: file }] = JSON.parse(example);
  assert.deepEqual([secret, file], [`${target}/secret`, `${target}/secret`]);
  const port = /^listening-port=(\d+)$/m.exec(read('config/coturn/turnserver.conf'))[1];
  for (const url of urls) assert.match(url, new RegExp(`:${port}(\\?|$)`), url);
  assert.ok(turn.healthcheck.test.includes(port));
  const own = 'COMPOSE_PROFILES=logging\nSWITCHBOARD__STUN__PORT=3479\nTURN_EXTERNAL_IP=203.0.113.7/10.0.0.5\nMAX_CONNECTIONS=321\n';
  const both = together(own, read('monitoring/compose/turn.env'));
  const started = resolved(t, both).services;
  assert.deepEqual([started.stun, started.switchboard].map(({ environment }) => environment.SWITCHBOARD__STUN__PORT), ['0', '0']);
  assert.deepEqual([started.switchboard.environment.MAX_CONNECTIONS, started.turn.environment.TURN_EXTERNAL_IP], ['321', '203.0.113.7/10.0.0.5']);
  assert.equal([...both.matchAll(/^COMPOSE_PROFILES=(.*)$/gm)].at(-1)[1], 'turn', 'the profiles of .env are off');
  for (const path of ['monitoring/compose/turn.env', 'docs/operations.md']) assert.match(read(path), /COMPOSE_PROFILES=turn,logging docker compose/, path);
  assert.match(read('.env.example'), /turn\.env, whose COMPOSE_PROFILES takes the place of this one/);
});

test('coturn is started with each secret of the file, which no argument shows, and not without one', (t) => {
  const home = folder(t, 'coturn');
  mkdirSync(join(home, 'bin'));
  writeFileSync(join(home, 'bin/turnserver'), '#!/bin/sh\necho "$*"\nls -l "$2"\ncat "$2"\n', { mode: 0o755 });
  const start = (secrets, address = '') => {
    writeFileSync(join(home, 'secret'), secrets);
    const env = { PATH: `${join(home, 'bin')}:${process.env.PATH}`, TMPDIR: home, TURN_EXTERNAL_IP: address };
    return run('config/coturn/start.sh', ['config/coturn/turnserver.conf', join(home, 'secret')], { env });
  };
  const started = start('  first-of-two\r\n\nsecond-of-two', '203.0.113.7/10.0.0.5');
  assert.equal(started.status, 0, started.text);
  const [args, mode, ...config] = started.stdout.split('\n');
  assert.match(args, /^-c \S+$/);
  assert.match(mode, /^-rw------- /);
  const added = ['static-auth-secret=first-of-two', 'static-auth-secret=second-of-two', 'external-ip=203.0.113.7/10.0.0.5'];
  assert.equal(config.join('\n'), `${read('config/coturn/turnserver.conf')}${added.join('\n')}\n`);
  assert.doesNotMatch(start('only').stdout, /external-ip=\d/);
  for (const empty of ['', '\n \n']) assert.match(start(empty).stderr, /there is no secret/);
});

test('the server is given the time that it takes to drain', (t) => {
  const deadline = Number(/^drain_deadline_ms = (\d+)$/m.exec(read('config/default.toml'))[1]);
  const grace = Number(/^(\d+)s$/.exec(resolved(t).services.switchboard.stop_grace_period)[1]);
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
  assert.ok(services.grafana.command[0].includes(`render.sh ${path} &&`), path);
  for (const what of ['render.sh', 'dashboards']) {
    assert.ok(services.grafana.volumes.includes(`./monitoring/grafana/${what}:/etc/switchboard/${what}:ro`), what);
  }
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
  const scripts = run('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'monitoring/*.sh', 'monitoring/**/*.sh', 'config/coturn/*.sh']).stdout.trim().split('\n');
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
  const turn = readFileSync(join(home, 'turn/secret'), 'utf8');
  assert.match(turn, /^[A-Za-z0-9]{48}\n$/);
  assert.equal(statSync(join(home, 'turn/secret')).mode & 0o777, 0o644);
  assert.equal(prepare().status, 0);
  assert.deepEqual([password(), readFileSync(join(home, 'turn/secret'), 'utf8')], [first, turn]);
});

test('who watches waits for nobody', (t) => {
  for (const [name, { depends_on: on }] of Object.entries(yaml('docker-compose.yml').services)) assert.equal(on, undefined, name);
  // And comes up although the server cannot be built: `make up` asks for them first.
  const home = folder(t, 'make');
  mkdirSync(join(home, 'bin'));
  writeFileSync(join(home, 'bin/docker'), `#!/bin/sh\necho "$SWITCHBOARD_REVISION: $*" >> ${home}/asked\ncase "$*" in *--build*) exit 1;; esac\n`, { mode: 0o755 });
  mkdirSync(join(home, 'monitoring/secrets'), { recursive: true });
  for (const path of ['Makefile', 'monitoring/secrets/prepare.sh']) cpSync(join(REPOSITORY, path), join(home, path));
  const up = run('make', ['-C', home, 'up', 'REVISION=abc1234'], { env: { PATH: `${home}/bin:${process.env.PATH}` } });
  assert.notEqual(up.status, 0, 'a build that fails is told');
  const [watchers, all] = readFileSync(join(home, 'asked'), 'utf8').trim().split('\n');
  for (const name of ['prometheus', 'alertmanager', 'grafana']) assert.match(watchers, new RegExp(` ${name}\\b`));
  assert.match(all, /^abc1234: compose up --build --detach$/);
});

test('what an operator wants to set has one place, and what is not set is the server’s own default', (t) => {
  const text = `MAX_CONNECTIONS=321
LOG_LEVEL=debug
SWITCHBOARD__HTTP__ALLOWED_ORIGINS=https://a.example,https://b.example
SWITCHBOARD__HTTP__TRUSTED_PROXIES=172.16.0.0/12
SWITCHBOARD__ICE__SERVERS=[{"urls":["stun:stun.example.org:3478"]}]
PUBLIC_PORT=80
GRAFANA_PORT=4000
MEMORY_LIMIT=2g
OPEN_FILES=65536
STOP_GRACE_PERIOD=90s
SWITCHBOARD_REVISION=abc1234
GRAFANA_URL=https://ops.example.org/grafana/
PROMETHEUS_URL=https://ops.example.org/prometheus/
INSTALLATION=Acme
`;
  const { services: { switchboard, grafana, prometheus, alertmanager } } = resolved(t, text);
  const lines = Object.fromEntries(text.trim().split('\n').map((line) => line.split(/=(.*)/s)));
  for (const name of Object.keys(lines).filter((one) => /^(SWITCHBOARD__|MAX_|LOG_)/.test(one))) assert.equal(switchboard.environment[name], lines[name], name);
  assert.match(portOf(switchboard.ports[0]), /^80:8080/);
  assert.match(portOf(grafana.ports[0]), /^127\.0\.0\.1:4000:3000/);
  assert.deepEqual([switchboard.mem_limit, switchboard.ulimits.nofile], ['2g', 65536]);
  assert.match(switchboard.stop_grace_period, /^(90s|1m30s)$/);
  assert.equal(switchboard.build.args.SWITCHBOARD_REVISION, 'abc1234');
  assert.equal(grafana.environment.GF_SERVER_ROOT_URL, lines.GRAFANA_URL);
  assert.ok(prometheus.command.includes(`--web.external-url=${lines.PROMETHEUS_URL}`));
  assert.deepEqual([alertmanager.environment.INSTALLATION, grafana.environment.INSTALLATION], ['Acme', 'Acme']);
  const unset = resolved(t).services.switchboard.environment;
  for (const name of ['MAX_CONNECTIONS', 'LOG_LEVEL', 'SWITCHBOARD__ICE__SERVERS']) assert.ok(unset[name] == null, `${name}: ${unset[name]}`);
});

// Where the container listens, and where it keeps its state.
const FIXED = ['SERVER__HOST', 'SERVER__PORT', 'OPS__PORT', 'STATE__DIR'].map((key) => `SWITCHBOARD__${key}`);

test('every key of the configuration reaches the server from .env', () => {
  const compose = read('docker-compose.yml');
  const reached = new Set([...compose.matchAll(/^      ([A-Z][A-Z_]+):/gm)].map(([, name]) => name));
  const keys = [...read('docs/configuration.md').matchAll(/^- Variable: (.*)$/gm)].map(([, names]) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  assert.ok(keys.length >= 70, `${keys.length}`);
  const lost = keys.filter((names) => !names.some((name) => reached.has(name) || FIXED.includes(name)));
  assert.deepEqual(lost, []);
});

test('.env.example names what differs from place to place, nothing that is not taken, and no value that is not so', () => {
  const compose = read('docker-compose.yml');
  const passed = [...compose.matchAll(/^      ([A-Z][A-Z_]+):$/gm)].map(([, name]) => name);
  const filled = [...compose.matchAll(/\$\{([A-Z_]+):-/g)].map(([, name]) => name);
  const named = [...read('.env.example').matchAll(/^# ([A-Z][A-Z_]+)=(.*)$/gm)];
  const taken = new Set([...passed, ...filled, 'COMPOSE_PROFILES']);
  assert.deepEqual(named.map(([, name]) => name).filter((name) => !taken.has(name)), []);
  const unnamed = filled.filter((name) => !named.some(([, one]) => one === name));
  assert.deepEqual(unnamed, [], 'what only the composition has is told nowhere else');
  const pages = read('docs/configuration.md');
  for (const name of [...passed, ...filled.filter((one) => one.startsWith('SWITCHBOARD__'))]) assert.match(pages, new RegExp(`^- Variable: .*\`${name}\``, 'm'), `the server has no ${name}`);
  const defaults = Object.fromEntries([...pages.matchAll(/^- Default: `([^`]*)`[^]*?^- Variable: (.*)$/gm)]
    .flatMap(([, value, names]) => [...names.matchAll(/`(\w+)`/g)].map(([, name]) => [name, value])));
  for (const [, name, value] of named.filter(([, one, text]) => /^\d+$/.test(text) && passed.includes(one))) assert.equal(value, defaults[name], name);
});

test('mounted files can be read by the containers after a clone under umask 077', (t) => {
  const home = folder(t, 'clone');
  const clone = run('/bin/sh', ['-c', `umask 077 && git clone --quiet ${REPOSITORY} ${home}/here`]);
  assert.equal(clone.status, 0, clone.text);
  // As the working tree has it, which may be newer than the last commit.
  cpSync(join(REPOSITORY, 'monitoring/secrets/prepare.sh'), join(home, 'here/monitoring/secrets/prepare.sh'));
  const mounts = Object.values(yaml('docker-compose.yml').services).flatMap(({ volumes }) => volumes ?? [])
    .map((volume) => /^(?:\$\{\w+:-)?(\.\/[^:}]+)/.exec(volume)?.[1]).filter((path) => path && !path.includes('secrets'));
  assert.ok(mounts.length >= 7, mounts.join(' '));
  const closed = () => run('find', [...mounts, '!', '-perm', '-o=r', '-print'], { cwd: join(home, 'here') }).stdout;
  assert.notEqual(closed(), '', 'the clone is closed to others before');
  const prepared = run('/bin/sh', ['-c', 'umask 077 && monitoring/secrets/prepare.sh'], { cwd: join(home, 'here') });
  assert.equal(prepared.status, 0, prepared.text);
  assert.equal(closed(), '');
  for (const name of ['grafana/admin_password', 'alertmanager/smtp_password']) {
    assert.equal(statSync(join(home, 'here/monitoring/secrets', name)).mode & 0o777, 0o644, name);
  }
  assert.equal(statSync(join(home, 'here/monitoring/secrets')).mode & 0o777, 0o700);
  assert.equal(statSync(join(home, 'here/monitoring/alertmanager/render.sh')).mode & 0o777, 0o755);
});

test('what editors leave around a secret is taken off, and what cannot be one is refused in words', (t) => {
  const home = folder(t, 'secrets');
  cpSync(join(REPOSITORY, 'monitoring/secrets/prepare.sh'), join(home, 'prepare.sh'));
  const prepare = () => run(join(home, 'prepare.sh'), []);
  assert.equal(prepare().status, 0);
  const file = (name) => join(home, name);
  for (const text of ['secret\n', 'secret\r\n', '\ufeffsecret\r\n', 'secret\n\n', 'secret']) {
    for (const name of ['grafana/admin_password', 'alertmanager/smtp_password', 'alertmanager/slack_url']) writeFileSync(file(name), text);
    assert.equal(prepare().status, 0, JSON.stringify(text));
    for (const name of ['grafana/admin_password', 'alertmanager/smtp_password', 'alertmanager/slack_url']) {
      assert.equal(readFileSync(file(name), 'utf8'), 'secret', JSON.stringify(text));
    }
  }
  for (const [text, words] of [['one\ntwo\n', /more than one line/], [Buffer.from('\ufeffpw', 'utf16le'), /UTF-16/], ['', /is empty/], ['\n', /is empty/]]) {
    writeFileSync(file('grafana/admin_password'), text);
    const refused = prepare();
    assert.equal(refused.status, 1, refused.text);
    assert.match(refused.stderr, words);
    assert.doesNotMatch(refused.text, /two/, 'a secret is not shown');
  }
});

test('dashboards link to where this installation is, and carry its name', (t) => {
  const made = folder(t, 'dashboards');
  const render = (settings) => run('monitoring/grafana/render.sh', [made], { env: { PATH: process.env.PATH, ...settings } });
  const links = () => JSON.parse(readFileSync(join(made, 'overview.json'), 'utf8')).links.map(({ url }) => url).filter(Boolean);
  assert.equal(render({}).status, 0);
  assert.deepEqual(links(), ['http://localhost:9090/alerts', 'http://localhost:9093/', 'http://localhost:9464/']);
  const settings = { INSTALLATION: 'A & B | C', PROMETHEUS_URL: 'https://ops.example.org/p', ALERTMANAGER_URL: 'https://ops.example.org/a/', LIVE_PAGE_URL: 'https://INSTANCE/' };
  assert.equal(render(settings).status, 0);
  assert.deepEqual(links(), ['https://ops.example.org/p/alerts', 'https://ops.example.org/a/', 'https://${instance}/']);
  for (const name of readdirSync(made)) assert.match(JSON.parse(readFileSync(join(made, name), 'utf8')).title, /^A & B \| C \/ /, name);
  for (const wrong of [{ PROMETHEUS_URL: 'ops.example.org' }, { LIVE_PAGE_URL: 'https://a"b/' }, { INSTALLATION: 'a"b' }]) {
    const refused = render(wrong);
    assert.equal(refused.status, 1, JSON.stringify(wrong));
    assert.match(refused.stderr, new RegExp(Object.keys(wrong)[0]));
  }
});
