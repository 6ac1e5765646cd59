// Grafana's own types, applied to the dashboards by the TypeScript compiler: a misspelt option or a value that Grafana does
// not know fails. Three things are not in the types and are declared here: queries (each data source has its own), fields of
// annotations that belong to the data source, and `auto` of interval variables.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { dashboards } from './support/dashboards.js';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const PANELS = {
  stat: 'Stat', timeseries: 'TimeSeries', heatmap: 'Heatmap', 'state-timeline': 'StateTimeline', bargauge: 'BarGauge', table: 'Table', logs: 'Logs',
};
const HAS_FIELDS = ['timeseries', 'heatmap', 'state-timeline', 'table'];

const alias = (type) => type.replace('-', '');
const pathOf = (type) => `@grafana/schema/dist/esm/raw/composable/${alias(type)}/panelcfg/x/${PANELS[type]}PanelCfg_types.gen`;

const TYPES = `
import type { AnnotationQuery, Dashboard, FieldConfig, Panel, RowPanel, VariableModel } from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
${Object.keys(PANELS).map((type) => `import type * as ${alias(type)} from '${pathOf(type)}';`).join('\n')}

/** T as JSON can hold it: enums are their values. */
type Json<T> = unknown extends T ? T
  : T extends string ? \`\${T}\`
  : T extends number ? (number extends T ? number : \`\${T}\` extends \`\${infer N extends number}\` ? N : never)
  : T extends boolean | null | undefined ? T
  : T extends Array<infer E> ? Array<Json<E>>
  : { [K in keyof T]: Json<T[K]> };

interface Source { type: 'prometheus' | 'loki' | 'grafana'; uid: string }
interface Metrics {
  refId: string; datasource: Source; expr: string; legendFormat: string; editorMode: 'code'; instant: boolean; range: boolean;
  format: 'time_series' | 'table' | 'heatmap';
}
interface Lines { refId: string; datasource: Source; expr: string; legendFormat: string; editorMode: 'code'; queryType: 'range' | 'instant' }
interface Annotation extends Omit<AnnotationQuery, 'target'> {
  expr?: string; step?: string; tagKeys?: string; titleFormat?: string; textFormat?: string; useValueForTime?: 'on';
}
interface Variable extends VariableModel { auto?: boolean; auto_count?: number; auto_min?: string }
type Of<Type extends string, Options, Custom> = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type; options: Options; targets: Array<Metrics | Lines>;
  fieldConfig: { defaults: Omit<FieldConfig, 'custom'> & { custom?: Custom }; overrides: [] };
};
type Known = RowPanel
${Object.keys(PANELS).map((type) => `  | Of<'${type}', ${alias(type)}.Options, ${HAS_FIELDS.includes(type) ? `${alias(type)}.FieldConfig` : 'never'}>`).join('\n')};
type Checked = Json<Omit<Dashboard, 'panels' | 'annotations' | 'templating'> & {
  panels: Known[]; annotations: { list: Annotation[] }; templating: { list: Variable[] };
}>;
`;

/** What the compiler has to say about this text; empty when it is content. */
function compile(text) {
  const directory = join(HERE, 'node_modules/.cache');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'dashboards.ts');
  writeFileSync(file, text);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2022', '--ignoreConfig', file];
  try {
    execFileSync(process.execPath, [join(HERE, 'node_modules/typescript/bin/tsc'), ...options], { encoding: 'utf8' });
    return '';
  } catch (error) {
    return `${error.stdout}${error.stderr}`;
  }
}

const literal = ({ file, ...dashboard }, index) => `/* ${file} */ export const d${index}: Checked = ${JSON.stringify(dashboard, null, 1)};`;

test('the dashboards are of the types that Grafana publishes', () => {
  assert.equal(compile(TYPES + dashboards.map(literal).join('\n')), '');
});

test('a slip would be found', () => {
  for (const slip of [
    (panel) => { panel.fieldConfig.defaults.treshholds = panel.fieldConfig.defaults.thresholds; },
    (panel) => { panel.options.colorMode = 'colour'; },
    (panel) => { panel.type = 'stats'; },
    (panel) => { panel.targets[0].fromat = 'table'; },
  ]) {
    const dashboard = structuredClone(dashboards.find(({ uid }) => uid === 'switchboard-overview'));
    slip(dashboard.panels.find(({ type }) => type === 'stat'));
    assert.match(compile(TYPES + literal(dashboard, 0)), /error TS/, slip.toString());
  }
});
