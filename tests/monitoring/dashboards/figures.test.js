// What the live page computes, without a browser.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ceiling, pathOf } from '../../../clients/web/ops/chart.js';
import { buckets, parse, total } from '../../../clients/web/ops/exposition.js';
import { figures, quantile } from '../../../clients/web/ops/figures.js';
import { span, status } from '../../../clients/web/ops/texts.js';

const TEXT = `# HELP a_total Words with "quotes" and {braces}.
# TYPE a_total counter
a_total{code="x",note="a \\"b\\", c\\\\d\\ne"} 3
a_total{code="y"} 4
b 1.5e3
h_bucket{le="0.1"} 1
h_bucket{le="+Inf"} 2
`;

test('the text format is read, with whatever labels hold', () => {
  const families = parse(TEXT);
  assert.deepEqual(families.get('a_total')[0], { labels: { code: 'x', note: 'a "b", c\\d\ne' }, value: 3 });
  assert.equal(total(families, 'a_total'), 7);
  assert.equal(total(families, 'a_total', { code: 'y' }), 4);
  assert.equal(total(families, 'b'), 1500);
  assert.equal(total(families, 'a_total', { code: 'z' }), null);
  assert.equal(total(families, 'nothing'), null);
  assert.deepEqual(buckets(families, 'h'), [[0.1, 1], [Infinity, 2]]);
});

test('a quantile is interpolated as Prometheus does it, of what came in between', () => {
  const before = [[1, 10], [2, 10], [Infinity, 10]];
  assert.equal(quantile(0.5, before, [[1, 10], [2, 20], [Infinity, 20]]), 1.5);
  assert.equal(quantile(0.5, before, [[1, 14], [2, 14], [Infinity, 14]]), 0.5);
  assert.equal(quantile(0.99, before, [[1, 10], [2, 10], [Infinity, 14]]), 2, 'beyond the last bound: that bound');
  assert.equal(quantile(0.5, before, before), null, 'nothing came');
});

const scrape = (at, lines) => ({ at, families: parse(lines) });
const counts = (incoming, errors) => `switchboard_messages_total{direction="in",type="join"} ${incoming}
switchboard_messages_total{direction="out",type="joined"} 0
switchboard_errors_total{severity="low"} ${errors}
switchboard_errors_total{severity="high"} 0
switchboard_errors_total{severity="critical"} 0
`;

test('rates are of the last scrape but one, errors of the last minute', () => {
  const scrapes = [0, 5, 10, 15].map((second) => scrape(second * 1000, counts(second ** 2, second)));
  const now = figures(scrapes);
  assert.equal(now.messagesIn, (225 - 100) / 5);
  assert.equal(now.messagesOut, 0);
  assert.equal(now.errors, 60);
  assert.equal(now.severe, 0);
});

test('what cannot be known is not made up', () => {
  assert.equal(figures([scrape(0, counts(5, 5))]).messagesIn, null, 'one scrape is no rate');
  const restarted = [scrape(0, counts(100, 9)), scrape(5000, counts(1, 0))];
  assert.equal(figures(restarted).messagesIn, null, 'a counter that fell began anew');
  assert.equal(figures(restarted).errors, null);
  assert.equal(figures([scrape(0, '')]).connections, null);
});

test('a chart has a round top, gaps for what is not known, and the newest at its end', () => {
  assert.deepEqual([0, 0.3, 1, 1.01, 49, 51, 100, 101].map(ceiling), [1, 0.5, 1, 2, 50, 100, 100, 200]);
  const points = [[0, 0], [10, null], [20, 10]].map(([at, value]) => ({ at, value }));
  assert.equal(pathOf(points, { from: 0, to: 20, top: 10 }), 'M0.0 69.0h0.1M300.0 3.0h0.1');
});

test('the state in words', () => {
  assert.deepEqual([0, 59, 61, 3600, 90_061, 172_800].map(span), ['0 s', '59 s', '1 min 1 s', '1 h', '1 d 1 h', '2 d']);
  assert.deepEqual(status({ status: 'healthy' }, { ready: true }), ['good', 'Healthy']);
  assert.deepEqual(status({ status: 'healthy' }, { ready: false }), ['wait', 'healthy, not ready for new clients']);
  assert.equal(status({ status: 'degraded' }, { draining: true })[0], 'wait');
  assert.equal(status({ status: 'unhealthy' }, null)[0], 'bad');
});
