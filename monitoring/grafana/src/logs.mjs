// The log, where the compose profile `logging` (Alloy and Loki) gathers it.

import { dashboard } from './dashboard.mjs';
import { NEUTRAL, rising } from './thresholds.mjs';

const LOKI = { type: 'loki', uid: '${loki}' };
/** All lines of the servers and rooms looked for; the text is looked for in the raw line. */
const LINES = '{job="switchboard",level=~"$level"} |= `$text`';

const query = (expr, legend, more = {}) => ({
  refId: 'A', datasource: LOKI, expr, legendFormat: legend, editorMode: 'code', queryType: 'range', ...more,
});

const graph = ({ title, description, thresholds, targets }) => ({
  type: 'timeseries', title, description, datasource: LOKI, gridPos: { w: 12, h: 7 }, targets,
  fieldConfig: {
    defaults: {
      unit: 'short', min: 0, color: { mode: 'palette-classic' }, mappings: [], thresholds: { mode: 'absolute', steps: thresholds },
      custom: { drawStyle: 'bars', fillOpacity: 60, lineWidth: 1, stacking: { mode: 'normal', group: 'A' }, showPoints: 'never', thresholdsStyle: { mode: 'off' } },
    },
    overrides: [],
  },
  options: {
    legend: { calcs: ['sum'], displayMode: 'table', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
});

const lines = ({ title, description, expr, h = 10 }) => ({
  type: 'logs', title, description, datasource: LOKI, gridPos: { w: 24, h }, targets: [query(expr, '')],
  fieldConfig: { defaults: { unit: 'short', mappings: [], thresholds: { mode: 'absolute', steps: NEUTRAL } }, overrides: [] },
  options: {
    dedupStrategy: 'none', enableLogDetails: true, prettifyLogMessage: false, showCommonLabels: false, showLabels: false,
    showLogContextToggle: true, showTime: true, sortOrder: 'Descending', wrapLogMessage: true,
  },
});

const VARIABLES = [
  {
    name: 'loki', label: 'Loki', type: 'datasource', description: 'Where the log is.', query: 'loki', refresh: 1, regex: '', hide: 0,
    includeAll: false, multi: false, options: [], skipUrlSync: false, current: { selected: false, text: 'Loki', value: 'switchboard-loki' },
  },
  {
    name: 'level', label: 'Level', type: 'custom', description: 'Which levels; all by default.', query: 'critical,error,warning,info,debug,trace',
    hide: 0, includeAll: true, allValue: '.+', multi: true, options: [], skipUrlSync: false,
    current: { selected: true, text: ['All'], value: ['$__all'] },
  },
  {
    name: 'text', label: 'Contains', type: 'textbox', description: 'A text in the line: an event, a room, a session id, a request id.',
    query: '', hide: 0, options: [], skipUrlSync: false, current: { selected: false, text: '', value: '' },
  },
];

const ANNOTATIONS = [
  {
    builtIn: 1, datasource: { type: 'grafana', uid: '-- Grafana --' }, enable: true, hide: true,
    iconColor: 'rgba(0, 211, 255, 1)', name: 'Annotations & Alerts', type: 'dashboard',
  },
  {
    name: 'Starts', datasource: LOKI, enable: true, hide: false, iconColor: 'blue', expr: '{job="switchboard"} |= `server_started`',
    titleFormat: 'Server started', textFormat: '', tagKeys: 'version',
  },
];

export default dashboard({
  uid: 'switchboard-logs',
  title: 'Switchboard / Logs',
  description: 'The log, where the compose profile `logging` gathers it. docs/logging.md has the fields and events.',
  variables: VARIABLES,
  annotations: ANNOTATIONS,
  panels: [
    graph({
      title: 'Lines by level', thresholds: NEUTRAL, description: 'Lines that match the choice above.',
      targets: [query(`sum by (level) (count_over_time(${LINES} [$__auto]))`, '{{level}}')],
    }),
    graph({
      title: 'Lines by event', thresholds: NEUTRAL, description: 'The same lines by what they tell.',
      targets: [query(`sum by (event) (count_over_time(${LINES} | json event [$__auto]))`, '{{event}}')],
    }),
    graph({
      title: 'Errors by fingerprint', thresholds: rising([1, null]), description: 'Lines that tell of an error, by its kind. Clients’ mistakes are logged at debug.',
      targets: [query('sum by (code, fingerprint) (count_over_time({job="switchboard"} | json code, fingerprint | fingerprint != `` [$__auto]))', '{{code}} {{fingerprint}}')],
    }),
    graph({
      title: 'Why connections ended', thresholds: NEUTRAL, description: 'By reason, as connection_closed tells it.',
      targets: [query('sum by (reason) (count_over_time({job="switchboard"} |= `connection_closed` | json reason [$__auto]))', '{{reason}}')],
    }),
    lines({ title: 'Errors', expr: '{job="switchboard",level=~"error|critical"}', description: 'What failed at the server’s end.', h: 8 }),
    lines({ title: 'All lines', expr: LINES, description: 'What matches the choice above. Put a session id into “Contains” to follow one client.', h: 14 }),
  ],
});
