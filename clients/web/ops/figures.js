// From scrapes to the figures that the page shows. No DOM, no clock: a scrape is { at: ms, families }, the newest last.

import { buckets, total } from './exposition.js';

/** Counts that are few a minute, and CPU time, which is counted in whole seconds, are looked at over this long. */
const LONG_MS = 60_000;

/** The newest scrape that is at least `ms` older than the last one, or the oldest there is. */
function earlier(scrapes, ms) {
  const last = scrapes.at(-1);
  const old = scrapes.slice(0, -1).filter(({ at }) => last.at - at >= ms - 500);
  return old.at(-1) ?? (scrapes.length > 1 ? scrapes[0] : null);
}

/** How much a counter grew per second; `null` when that cannot be said (one scrape, or a restart between two). */
function rate(scrapes, ms, name, labels) {
  const [before, after] = [earlier(scrapes, ms), scrapes.at(-1)];
  if (!before) return null;
  const grown = total(after.families, name, labels) - total(before.families, name, labels);
  return grown < 0 ? null : (grown * 1000) / (after.at - before.at);
}

/** The upper bound under which the share `q` of what came in between lies, interpolated as Prometheus does it. */
export function quantile(q, before, after) {
  const counts = after.map(([bound, count], at) => [bound, count - (before[at]?.[1] ?? 0)]);
  const all = counts.at(-1)?.[1] ?? 0;
  if (!(all > 0)) return null;
  const rank = q * all;
  const at = counts.findIndex(([, count]) => count >= rank);
  const [lower, under] = at > 0 ? counts[at - 1] : [0, 0];
  const [upper, upTo] = counts[at];
  if (upper === Infinity) return lower;
  return lower + ((upper - lower) * (rank - under)) / (upTo - under);
}

const HANDLING = 'switchboard_message_handling_seconds';

function handling(scrapes) {
  const before = earlier(scrapes, LONG_MS);
  return before && quantile(0.95, buckets(before.families, HANDLING), buckets(scrapes.at(-1).families, HANDLING));
}

const SEVERE = ['high', 'critical'];

/** Everything the page draws, from the scrapes so far. `null` is "not known". */
export function figures(scrapes) {
  const now = scrapes.at(-1).families;
  const errors = (severity) => rate(scrapes, LONG_MS, 'switchboard_errors_total', severity && { severity });
  const perMinute = (perSecond) => (perSecond === null ? null : perSecond * 60);
  const severe = SEVERE.map(errors);
  return {
    connections: total(now, 'switchboard_connections'),
    joined: total(now, 'switchboard_joined_connections'),
    maxConnections: total(now, 'switchboard_limit', { name: 'max_connections' }),
    rooms: total(now, 'switchboard_rooms'),
    peers: total(now, 'switchboard_peers'),
    messagesIn: rate(scrapes, 0, 'switchboard_messages_total', { direction: 'in' }),
    messagesOut: rate(scrapes, 0, 'switchboard_messages_total', { direction: 'out' }),
    errors: perMinute(errors()),
    severe: severe.includes(null) ? null : perMinute(severe[0] + severe[1]),
    joins: total(now, 'switchboard_joins_per_minute'),
    leaves: total(now, 'switchboard_leaves_per_minute'),
    memory: total(now, 'process_resident_memory_bytes'),
    memoryLimit: total(now, 'switchboard_process_memory_limit_bytes'),
    held: total(now, 'switchboard_memory_used_bytes'),
    heldLimit: total(now, 'switchboard_limit', { name: 'memory_bytes' }),
    memoryStep: total(now, 'switchboard_memory_step'),
    cpu: rate(scrapes, LONG_MS, 'process_cpu_seconds_total'),
    cpuLimit: total(now, 'switchboard_process_cpu_limit_cores'),
    handling: handling(scrapes),
    started: total(now, 'switchboard_start_time_seconds'),
    ready: total(now, 'switchboard_ready') === 1,
    draining: total(now, 'switchboard_draining') === 1,
  };
}
