// Is everything well, and if not, where to look.

import { S, dashboard } from './dashboard.mjs';
import { graph, row, stat, states, table } from './panels.mjs';
import { LIMITS, NEUTRAL, NEVER, falling, rising } from './thresholds.mjs';

const quantile = (q) => `histogram_quantile(${q}, sum by (le) (rate(switchboard_message_handling_seconds_bucket{${S}}[$interval])))`;

const limit = (name) => `on (instance, job) switchboard_limit{${S},name="${name}"}`;
// Named, because `or` takes two series with the same labels for one.
const SHARES = Object.entries({
  connections: `switchboard_connections{${S}} / ${limit('max_connections')}`,
  rooms: `switchboard_rooms{${S}} / ${limit('rooms')}`,
  memory: `process_resident_memory_bytes{${S}} / switchboard_process_memory_limit_bytes{${S}}`,
  descriptors: `process_open_fds{${S}} / process_max_fds{${S}}`,
});

export default dashboard({
  uid: 'switchboard-overview',
  title: 'Switchboard / Overview',
  description: 'Is everything well, and if not, where to look. Colours are those of the alerts.',
  panels: [
    row('Now'),
    stat({
      title: 'Servers ready', expr: `sum(switchboard_ready{${S}})`, unit: 'none', thresholds: falling([1, 1]), w: 3,
      description: 'Servers that take new clients (/readyz answers 200). Fewer than are deployed: one is starting, draining, saturated or gone.',
    }),
    stat({
      title: 'Connections', expr: `sum(switchboard_connections{${S}})`, unit: 'none', thresholds: rising(LIMITS.connections), w: 3,
      description: 'Open WebSocket connections of all servers shown. The colours are the absolute alert values, meant for one server of the expected size.',
    }),
    stat({
      title: 'Rooms', expr: `sum(switchboard_rooms{${S}})`, unit: 'none', thresholds: rising(LIMITS.rooms), w: 3,
      description: 'Rooms with at least one peer.',
    }),
    stat({
      title: 'Messages', expr: `sum(rate(switchboard_messages_total{${S},direction="in"}[$interval]))`, unit: 'mps', thresholds: rising(LIMITS.messagesPerSecond), w: 3,
      description: 'Messages from clients, a second. Beyond the red value the alert WebSocketFlood speaks of a flood.',
    }),
    stat({
      title: 'Own errors', expr: `sum(rate(switchboard_errors_total{${S},class="SERVER",code!="server_draining"}[$interval])) * 60`, unit: 'cpm', decimals: 1, thresholds: rising(LIMITS.errorsPerMinute), w: 3,
      description: 'Errors a minute of the server’s own making. Those of clients are below, by class.',
    }),
    stat({
      title: 'Handling, p95', expr: quantile(0.95), unit: 's', thresholds: rising(LIMITS.handlingP95), w: 3, noValue: 'no relays',
      description: '95 of 100 relayed messages go from read to the receiver’s queue in less. Empty while nothing is relayed: 1 message in 16 is measured.',
    }),
    stat({
      title: 'Firing alerts', expr: `count(ALERTS{alertstate="firing",alertname!="Watchdog"}) or vector(0)`, unit: 'none', thresholds: NEVER, w: 3,
      description: 'Alerts that fire now, of this Prometheus; the Watchdog, which always does, aside.',
    }),
    stat({
      title: 'Worst share of a limit', unit: 'percentunit', thresholds: rising(LIMITS.shareOfLimit), w: 3,
      expr: `max(${SHARES.map(([of, expr]) => `label_replace(${expr}, "of", "${of}", "", "")`).join(' or ')})`,
      description: 'The fullest of connections, rooms, memory and file descriptors on any server. Which it is: see Capacity planning.',
    }),

    row('Traffic'),
    graph({
      title: 'Connections', unit: 'none', thresholds: rising(LIMITS.connections), drawThresholds: false,
      queries: [[`switchboard_connections{${S}}`, '{{instance}} open'], [`switchboard_joined_connections{${S}}`, '{{instance}} in a room']],
      description: 'Open connections, and those of them in a room. A gap between the two that stays: clients connect and do not join.',
    }),
    graph({
      title: 'Messages', unit: 'mps', thresholds: rising(LIMITS.messagesPerSecond),
      queries: [[`sum by (direction) (rate(switchboard_messages_total{${S}}[$interval]))`, '{{direction}}']],
      description: 'Messages from clients (in) and to them (out), a second. Out is more than in: broadcasts and news of peers multiply.',
    }),
    graph({
      title: 'Message handling', unit: 's', thresholds: rising(LIMITS.handlingP95),
      queries: [[quantile(0.5), 'p50'], [quantile(0.95), 'p95'], [quantile(0.99), 'p99']],
      description: 'From a message’s read to its place in the receiver’s queue, of the 1 in 16 that is measured.',
    }),
    graph({
      title: 'Errors by class', unit: 'cpm', thresholds: rising(LIMITS.clientErrorsPerMinute), stack: true,
      queries: [[`sum by (class) (rate(switchboard_errors_total{${S}}[$interval])) * 60`, '{{class}}']],
      description: 'Errors a minute. SERVER is the server’s own fault, everything else a client’s or a cap that did its work.',
    }),
    graph({
      title: 'Churn', unit: 'cpm', thresholds: NEUTRAL,
      queries: [[`sum(switchboard_joins_per_minute{${S}})`, 'joins'], [`sum(switchboard_leaves_per_minute{${S}})`, 'leaves']],
      description: 'Joins and leaves within the last minute. Both high with few rooms: clients fall out and come back.',
    }),
    graph({
      title: 'Reconnections', unit: 'cpm', thresholds: rising(LIMITS.reconnectsPerMinute),
      queries: [[`sum by (result) (rate(switchboard_reconnection_attempts_total{${S}}[$interval])) * 60`, '{{result}}']],
      description: 'Joins by clients that had lost their connection, a minute, by result.',
    }),

    row('Servers'),
    states({
      title: 'Server state', unit: 'none', thresholds: falling([1, 1]), w: 12,
      queries: [[`switchboard_ready{${S}} + 2 * switchboard_draining{${S}}`, '{{instance}}']],
      mappings: [{
        type: 'value',
        options: {
          0: { text: 'not ready', color: 'orange', index: 0 }, 1: { text: 'ready', color: 'green', index: 1 },
          2: { text: 'draining', color: 'blue', index: 2 }, 3: { text: 'draining', color: 'blue', index: 3 },
        },
      }],
      description: 'Not ready: starting or saturated. A gap: not scraped, so it was gone or out of reach.',
    }),
    table({
      title: 'Versions', unit: 's', thresholds: NEUTRAL, w: 12, noValue: 'no server',
      expr: `time() - switchboard_start_time_seconds{${S}} + on (instance, job) group_left (node, version, revision, rustc) (switchboard_build_info{${S}} * 0)`,
      columns: { instance: 'Server', node: 'Name', version: 'Version', revision: 'Commit', rustc: 'Compiler', Value: 'Up for' },
      description: 'What runs where, and since when. More than one version outside of a rollout is a forgotten server.',
    }),
    table({
      title: 'Firing alerts', unit: 'none', thresholds: NEVER, w: 24, noValue: 'none',
      expr: `ALERTS{alertstate="firing",alertname!="Watchdog"}`,
      columns: { severity: 'Severity', alertname: 'Alert', instance: 'Server' },
      description: 'What fires now. Each alert has a runbook of its name.',
    }),
  ],
});
