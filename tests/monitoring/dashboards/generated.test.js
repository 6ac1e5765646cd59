// What every dashboard and panel must have, whatever it shows; no program needed.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { drifted } from '../../../monitoring/grafana/src/generate.mjs';
import { LIMITS } from '../../../monitoring/grafana/src/thresholds.mjs';
import { REPOSITORY } from '../../e2e/support/server.js';
import { dashboards, expressions, panelsOf } from './support/dashboards.js';

const read = (path) => readFileSync(join(REPOSITORY, path), 'utf8');

test('the files are what their sources say', () => {
  assert.deepEqual(drifted(), []);
});

test('every panel says what it shows, in which unit, and from where on it is bad', () => {
  assert.ok(dashboards.flatMap(panelsOf).length >= 20);
  for (const dashboard of dashboards) {
    assert.ok(dashboard.description.endsWith('.'), dashboard.file);
    for (const panel of panelsOf(dashboard)) {
      const where = `${dashboard.file}: ${panel.title}`;
      const { unit, thresholds } = panel.fieldConfig.defaults;
      assert.match(panel.description, /^[A-Z0-9].{10,}\.$/su, where);
      assert.ok(unit, where);
      assert.equal(thresholds.steps[0].value, null, `${where}: the first threshold is the base`);
      const steps = thresholds.steps.slice(1).map(({ value }) => value);
      assert.deepEqual(steps, [...steps].sort((a, b) => a - b), `${where}: thresholds ascend`);
      assert.ok(panel.targets.length > 0 && panel.targets.every(({ expr }) => expr), where);
    }
  }
});

test('titles, numbers and places are unique, and panels lie side by side', () => {
  const names = dashboards.map(({ uid, title }) => `${uid} ${title}`);
  assert.equal(new Set(names).size, names.length);
  for (const { file, panels } of dashboards) {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, file);
    const taken = new Set();
    for (const { title, gridPos: { x, y, w, h } } of panels) {
      assert.ok(x + w <= 24, `${file}: ${title} is beyond the edge`);
      for (let place = 0; place < w * h; place += 1) {
        const cell = `${x + (place % w)},${y + Math.floor(place / w)}`;
        assert.ok(!taken.has(cell), `${file}: ${title} lies on another panel`);
        taken.add(cell);
      }
    }
  }
});

test('metrics are asked from the chosen source, of the chosen servers, over the chosen time', () => {
  for (const dashboard of dashboards.filter(({ uid }) => uid !== 'switchboard-logs')) {
    assert.deepEqual(dashboard.templating.list.map(({ name }) => name), ['datasource', 'instance', 'interval'], dashboard.file);
    assert.ok(dashboard.annotations.list.some(({ expr }) => expr?.startsWith('ALERTS{')), `${dashboard.file} shows no alerts`);
    for (const panel of panelsOf(dashboard)) assert.equal(panel.datasource.uid, '${datasource}', panel.title);
  }
  for (const { of, expr } of expressions) {
    // Every selector of a series that other programs may have, too, names the servers.
    for (const [selector] of expr.matchAll(/\b(?:switchboard|process)_\w+(?:\{[^}]*\})?/g)) {
      assert.match(selector, /instance=~"\$instance"/, `${of}: ${selector}`);
    }
    assert.doesNotMatch(expr, /\brate\([^[]*\[(?!\$interval|5m)/, `${of}: a rate over a time of its own`);
  }
});

test('every series is in the catalogue', () => {
  const catalogue = new Set([...read('docs/metrics.md').matchAll(/^\| `(\w+)` \| (counter|gauge|histogram)/gm)].flatMap(([, name, kind]) => (
    kind === 'histogram' ? ['_bucket', '_sum', '_count'].map((part) => name + part) : [name])));
  const used = new Set(expressions.flatMap(({ expr }) => [...expr.matchAll(/\b(?:switchboard|process)_\w+/g)].map(([name]) => name)));
  assert.ok(used.size > 40);
  assert.deepEqual([...used].filter((name) => !catalogue.has(name)), []);
});

/** Which alert's threshold each colour stands for: alert, limit. */
const ALERTS = {
  connections: ['ConnectionsHigh|ConnectionsCritical', 'connections'],
  shareOfLimit: ['ConnectionsNearLimit', 'ratio_of_limit'],
  rooms: ['RoomsHigh', 'rooms'],
  fracturedRooms: ['FracturedMesh', 'ratio_of_rooms'],
  errorRatio: ['ErrorRatio', 'ratio_of_messages'],
  clientErrorsPerMinute: ['ClientErrorsHigh', 'errors_per_minute'],
  roomFullPerMinute: ['RoomCapacityExceeded', 'rejections_per_minute'],
  reconnectsPerMinute: ['ReconnectionsElevated|ReconnectionStorm', 'attempts_per_minute'],
  messagesPerSecond: ['WebSocketFlood', 'messages_per_second'],
  handlingP95: ['HighLatency', 'p95_seconds'],
  handlingP99: ['HighLatency', 'p99_seconds'],
  cpu: ['HighCpu', 'ratio_of_cores'],
  memory: ['HighMemory', 'ratio_of_memory'],
  descriptors: ['FileDescriptorsLow', 'ratio_of_descriptors'],
  diskFree: ['DiskSpaceLow', 'ratio_free'],
  certificateDays: ['CertificateExpiresSoon', 'days_left'],
  reportAge: ['ThreadStalled', 'seconds'],
  redisP95: ['RedisSlow', 'p95_seconds'],
};

const THRESHOLDS = 'monitoring/prometheus/rules/thresholds.yml';

test('colours are those of the alerts', () => {
  const rule = /labels: \{alert: (\w+), severity: (\w+), limit: (\w+)\}\n\s+expr: vector\(([\d.]+)\)/g;
  const rules = [...read(THRESHOLDS).matchAll(rule)];
  const find = (alert, severity, limit) => {
    const found = rules.find((one) => new RegExp(`^(${alert})$`).test(one[1]) && one[2] === severity && one[3] === limit);
    return found ? Number(found[4]) : null;
  };
  for (const [name, [alert, limit]] of Object.entries(ALERTS)) {
    assert.deepEqual(LIMITS[name], ['warning', 'critical'].map((severity) => find(alert, severity, limit)), `${name}: ${alert} ${limit}`);
  }
  const perMinute = [find('HighErrorRate', 'warning', 'errors_per_minute'), find('ErrorBurst', 'critical', 'errors_per_second') * 60];
  assert.deepEqual(LIMITS.errorsPerMinute, perMinute);
});
