// From where on a figure is coloured: orange means look, red means act. The numbers are those of the alerts
// (../../prometheus/rules/thresholds.yml, explained in docs/alerts.md), so that a red panel and a critical alert are one
// thing; a test compares them. Change both.

/** [orange, red]; `null` where the alerts have none. */
export const LIMITS = {
  connections: [100, 200],
  shareOfLimit: [0.8, 0.95],
  rooms: [20, null],
  fracturedRooms: [0.05, null],
  errorsPerMinute: [10, 600],
  clientErrorsPerMinute: [10, null],
  errorRatio: [0.01, 0.05],
  roomFullPerMinute: [5, null],
  reconnectsPerMinute: [20, 50],
  messagesPerSecond: [null, 1000],
  handlingP95: [0.5, 2],
  handlingP99: [2, 3],
  cpu: [0.7, 0.9],
  memory: [0.8, 0.95],
  descriptors: [0.8, null],
  diskFree: [0.2, null],
  certificateDays: [14, 3],
  reportAge: [null, 10],
  redisP95: [0.1, 0.5],
};

const step = (color, value) => ({ color, value });

/** Good below, worse above. */
export const rising = ([warn, bad]) => [
  step('green', null), ...(warn === null ? [] : [step('orange', warn)]), ...(bad === null ? [] : [step('red', bad)]),
];

/** Good above, worse below: red under `bad`, orange under `warn`. */
export const falling = ([warn, bad]) => (bad === null
  ? [step('orange', null), step('green', warn)]
  : [step('red', null), step('orange', bad), step('green', warn)]);

/** What should not happen at all. */
export const NEVER = rising([null, 1]);
/** What is worth a look when it happens. */
export const SELDOM = rising([1, null]);
/** No value of it is good or bad in itself. */
export const NEUTRAL = [step('green', null)];
