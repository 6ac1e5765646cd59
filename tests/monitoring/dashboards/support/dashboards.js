// The dashboards as Grafana reads them, and what the tests ask of them.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../../../e2e/support/server.js';

const DIRECTORY = join(REPOSITORY, 'monitoring/grafana/dashboards');

/** Every dashboard with its file's name. */
export const dashboards = readdirSync(DIRECTORY).filter((name) => name.endsWith('.json')).sort()
  .map((file) => ({ file, ...JSON.parse(readFileSync(join(DIRECTORY, file), 'utf8')) }));

/** A dashboard's panels without the rows' headings. */
export const panelsOf = (dashboard) => dashboard.panels.filter(({ type }) => type !== 'row');

const isPrometheus = ({ datasource }) => datasource.type === 'prometheus';

/** Every question to Prometheus: panels' queries, and annotations'. */
export const expressions = dashboards.flatMap((dashboard) => [
  ...panelsOf(dashboard).flatMap((panel) => panel.targets.filter(isPrometheus)
    .map(({ expr, instant }) => ({ of: `${dashboard.title} / ${panel.title}`, expr, instant }))),
  ...dashboard.annotations.list.filter((one) => one.expr && isPrometheus(one))
    .map(({ name, expr }) => ({ of: `${dashboard.title} / annotation ${name}`, expr, instant: false })),
]);
