// What all dashboards share: variables, annotations, links between them, and the flow of panels from left to right.

const PROMETHEUS = { type: 'prometheus', uid: '${datasource}' };
const COLUMNS = 24;
const TAG = 'switchboard';

/** The servers that are looked at. In every expression, so that no other program's series gets in. */
export const S = 'instance=~"$instance"';

const VARIABLES = [
  {
    name: 'datasource', label: 'Prometheus', type: 'datasource', description: 'Where the metrics are.',
    query: 'prometheus', refresh: 1, regex: '', hide: 0, includeAll: false, multi: false, options: [], skipUrlSync: false,
    current: { selected: false, text: 'Prometheus', value: 'prometheus' },
  },
  {
    name: 'instance', label: 'Server', type: 'query', description: 'Which servers; all by default.', datasource: PROMETHEUS,
    query: { qryType: 1, query: 'label_values(switchboard_build_info, instance)', refId: 'instances' },
    refresh: 2, regex: '', sort: 1, hide: 0, includeAll: true, allValue: '.+', multi: true, options: [], skipUrlSync: false,
    current: { selected: true, text: ['All'], value: ['$__all'] },
  },
  {
    name: 'interval', label: 'Rates over', type: 'interval', query: '1m,2m,5m,15m,30m,1h,6h',
    description: 'Time over which rates are taken. Auto: a two hundredth of what is shown, a minute at least.',
    refresh: 2, hide: 0, auto: true, auto_count: 200, auto_min: '1m', skipUrlSync: false, options: [],
    current: { selected: true, text: 'auto', value: '$__auto_interval_interval' },
  },
];

const annotation = (name, iconColor, expr, more) => ({
  name, iconColor, expr, datasource: PROMETHEUS, enable: true, hide: false, step: '30s', tagKeys: 'severity', ...more,
});

const ANNOTATIONS = [
  {
    builtIn: 1, datasource: { type: 'grafana', uid: '-- Grafana --' }, enable: true, hide: true,
    iconColor: 'rgba(0, 211, 255, 1)', name: 'Annotations & Alerts', type: 'dashboard',
  },
  // An alert without a server of its own (a Watchdog aside) is everybody's.
  annotation('Critical alerts', 'red', `ALERTS{alertstate="firing",severity="critical",instance=~"$instance|"}`, {
    titleFormat: '{{alertname}}', textFormat: '{{instance}}',
  }),
  annotation('Warnings', 'orange', `ALERTS{alertstate="firing",severity="warning",instance=~"$instance|"}`, {
    titleFormat: '{{alertname}}', textFormat: '{{instance}}',
  }),
  annotation('Starts', 'blue', `switchboard_start_time_seconds{${S}} * 1000`, {
    titleFormat: 'Server started', textFormat: '{{instance}}', useValueForTime: 'on', tagKeys: 'instance',
  }),
];

/** A way out of Grafana. ../render.sh puts the installation's addresses in for those of this machine. */
const way = (title, tooltip, url) => ({
  asDropdown: false, icon: 'external link', includeVars: false, keepTime: false, tags: [], targetBlank: true, title, tooltip, type: 'link', url,
});

const LINKS = [
  {
    asDropdown: false, icon: 'external link', includeVars: true, keepTime: true, tags: [TAG], targetBlank: false,
    title: 'Switchboard', tooltip: 'The other dashboards, for the same servers and time', type: 'dashboards', url: '',
  },
  way('Alerts', 'What Prometheus thinks of each alert', 'http://localhost:9090/alerts'),
  way('Silences', 'What Alertmanager sends, and silences', 'http://localhost:9093/'),
  way('Live page', 'The server’s own page, when Grafana is what is broken', 'http://localhost:9464/'),
];

/** Gives each panel its place and number: left to right, a row's panels below its heading. */
function place(panels) {
  let [x, y, lowest] = [0, 0, 0];
  return panels.map((panel, index) => {
    const { w, h } = panel.gridPos;
    if (panel.type === 'row' || x + w > COLUMNS) [x, y] = [0, lowest];
    const placed = { id: index + 1, ...panel, gridPos: { x, y, w, h } };
    x += w;
    lowest = Math.max(lowest, y + h);
    return placed;
  });
}

/** A dashboard in Grafana's JSON model. `variables` and `annotations` replace the usual ones. */
export const dashboard = ({ uid, title, description, panels, from = 'now-1h', variables = VARIABLES, annotations = ANNOTATIONS }) => ({
  uid,
  title,
  description,
  tags: [TAG],
  id: null,
  schemaVersion: 41,
  version: 1,
  editable: false,
  graphTooltip: 1,
  refresh: '10s',
  time: { from, to: 'now' },
  timepicker: {},
  timezone: 'browser',
  weekStart: '',
  fiscalYearStartMonth: 0,
  links: LINKS,
  annotations: { list: annotations },
  templating: { list: variables },
  panels: place(panels),
});
