// Panels: what Grafana wants to be told about each kind, so that a dashboard says only what is its own.

const PROMETHEUS = { type: 'prometheus', uid: '${datasource}' };

const letters = 'ABCDEFGHIJ';

const targets = (queries, { instant = false, format = 'time_series' } = {}) => queries.map(([expr, legend = ''], index) => ({
  refId: letters[index],
  datasource: PROMETHEUS,
  expr,
  legendFormat: legend || '__auto',
  editorMode: 'code',
  format,
  instant,
  range: !instant,
}));

const panel = (type, { title, description, unit, thresholds, w, h, decimals, min, max, mappings = [], noValue, custom, mode = 'thresholds', overrides = [] }, more) => ({
  type,
  title,
  description,
  datasource: PROMETHEUS,
  gridPos: { w, h },
  fieldConfig: {
    defaults: {
      unit,
      color: { mode },
      thresholds: { mode: 'absolute', steps: thresholds },
      mappings,
      ...(decimals === undefined ? {} : { decimals }),
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      ...(noValue === undefined ? {} : { noValue }),
      ...(custom ? { custom } : {}),
    },
    overrides,
  },
  ...more,
});

/** One figure, now, with its course behind it. */
export const stat = ({ expr, legend, w = 4, h = 4, instant = false, text = 'auto', ...about }) => panel('stat', { w, h, ...about }, {
  targets: targets([[expr, legend]], { instant }),
  options: {
    colorMode: 'value',
    graphMode: instant ? 'none' : 'area',
    justifyMode: 'auto',
    orientation: 'auto',
    percentChangeColorMode: 'standard',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    showPercentChange: false,
    textMode: text,
    wideLayout: true,
  },
});

/** Lines over time. `queries` is a list of [expression, legend]. Thresholds that are reached by design are not drawn. */
export const graph = ({ queries, w = 12, h = 8, stack = false, drawThresholds = true, ...about }) => panel('timeseries', {
  w, h, min: 0, mode: 'palette-classic',
  custom: {
    drawStyle: 'line',
    lineInterpolation: 'linear',
    lineWidth: 1,
    fillOpacity: stack ? 30 : 10,
    gradientMode: 'none',
    showPoints: 'never',
    spanNulls: false,
    stacking: { mode: stack ? 'normal' : 'none', group: 'A' },
    thresholdsStyle: { mode: drawThresholds && about.thresholds.length > 1 ? 'dashed' : 'off' },
    axisPlacement: 'auto',
    scaleDistribution: { type: 'linear' },
  },
  ...about,
}, {
  targets: targets(queries),
  options: {
    legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
});

/** A histogram over time; `expr` keeps the label `le`. */
export const heatmap = ({ expr, w = 12, h = 8, axis, ...about }) => panel('heatmap', { w, h, ...about, custom: { scaleDistribution: { type: 'linear' } } }, {
  targets: targets([[expr, '{{le}}']], { format: 'heatmap' }),
  options: {
    calculate: false,
    cellGap: 1,
    color: { mode: 'scheme', scheme: 'Oranges', exponent: 0.5, fill: 'dark-orange', reverse: false, steps: 64 },
    exemplars: { color: 'rgba(255,0,255,0.7)' },
    filterValues: { le: 1e-9 },
    legend: { show: true },
    rowsFrame: { layout: 'auto' },
    showValue: 'never',
    tooltip: { mode: 'single', showColorScale: false, yHistogram: true },
    yAxis: { axisPlacement: 'left', reverse: false, unit: axis },
  },
});

/** A state over time, in words and colours. */
export const states = ({ queries, w = 12, h = 6, ...about }) => panel('state-timeline', { w, h, ...about, custom: { fillOpacity: 70, lineWidth: 0 } }, {
  targets: targets(queries),
  options: {
    alignValue: 'left',
    legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: true },
    mergeValues: true,
    rowHeight: 0.9,
    showValue: 'auto',
    tooltip: { mode: 'single', sort: 'none' },
  },
});

/** Figures beside each other, as bars. */
export const bars = ({ queries, w = 12, h = 8, ...about }) => panel('bargauge', { w, h, min: 0, ...about }, {
  targets: targets(queries, { instant: true }),
  options: {
    displayMode: 'basic',
    legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: false },
    maxVizHeight: 300,
    minVizHeight: 16,
    minVizWidth: 8,
    namePlacement: 'auto',
    orientation: 'horizontal',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    showUnfilled: true,
    sizing: 'auto',
    valueMode: 'color',
  },
});

/** The labels of the series there are now. `columns` maps a label to its heading, in order; `Value` is the value. */
export const table = ({ expr, columns, w = 12, h = 6, ...about }) => panel('table', {
  w, h, ...about, custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: false, inspect: false },
}, {
  targets: targets([[expr]], { instant: true, format: 'table' }),
  options: { cellHeight: 'sm', frameIndex: 0, showHeader: true, sortBy: [] },
  transformations: [
    { id: 'filterFieldsByName', options: { include: { names: Object.keys(columns) } } },
    {
      id: 'organize',
      options: {
        excludeByName: {},
        indexByName: Object.fromEntries(Object.keys(columns).map((name, index) => [name, index])),
        renameByName: columns,
      },
    },
  ],
});

/** A heading; what follows it belongs to it. */
export const row = (title) => ({ type: 'row', title, collapsed: false, panels: [], gridPos: { w: 24, h: 1 } });
