// How full the servers are, what fills them, and when they will be. For weeks, not for minutes.

import { S, dashboard } from './dashboard.mjs';
import { graph, row, stat } from './panels.mjs';
import { LIMITS, NEUTRAL, rising } from './thresholds.mjs';

const limit = (name) => `on (instance, job) switchboard_limit{${S},name="${name}"}`;
const SHARES = [
  [`switchboard_connections{${S}} / ${limit('max_connections')}`, '{{instance}} connections'],
  [`switchboard_rooms{${S}} / ${limit('rooms')}`, '{{instance}} rooms'],
  [`process_resident_memory_bytes{${S}} / switchboard_process_memory_limit_bytes{${S}}`, '{{instance}} memory'],
  [`switchboard_memory_used_bytes{${S}} / ${limit('memory_bytes')}`, '{{instance}} memory for clients'],
  [`rate(process_cpu_seconds_total{${S}}[$interval]) / switchboard_process_cpu_limit_cores{${S}}`, '{{instance}} CPU'],
  [`process_open_fds{${S}} / process_max_fds{${S}}`, '{{instance}} file descriptors'],
];
const peak = (expr) => `max_over_time((${expr})[$__range:1m])`;

export default dashboard({
  uid: 'switchboard-capacity',
  title: 'Switchboard / Capacity planning',
  description: 'How full the servers are, what fills them, and when they will be. Look at weeks, not at minutes; docs/capacity.md says what to conclude.',
  from: 'now-7d',
  panels: [
    row('Peaks in the time shown'),
    stat({ title: 'Connections', expr: peak(`max(${SHARES[0][0]})`), unit: 'percentunit', decimals: 1, thresholds: rising(LIMITS.shareOfLimit), instant: true, description: 'The fullest server’s, of its server.max_connections.' }),
    stat({ title: 'Rooms', expr: peak(`max(${SHARES[1][0]})`), unit: 'percentunit', decimals: 1, thresholds: rising(LIMITS.shareOfLimit), instant: true, description: 'The fullest server’s, of its limits.rooms.' }),
    stat({ title: 'Memory', expr: peak(`max(${SHARES[2][0]})`), unit: 'percentunit', decimals: 1, thresholds: rising(LIMITS.memory), instant: true, description: 'The fullest server’s, of what it may use.' }),
    stat({ title: 'CPU', expr: peak('max(rate(process_cpu_seconds_total{' + S + '}[5m]) / switchboard_process_cpu_limit_cores{' + S + '})'), unit: 'percentunit', decimals: 1, thresholds: rising(LIMITS.cpu), instant: true, description: 'The busiest server’s over 5 minutes, of the cores it may use.' }),
    stat({ title: 'Connections, all servers', expr: peak(`sum(switchboard_connections{${S}})`), unit: 'none', thresholds: NEUTRAL, instant: true, description: 'The most at one time.' }),
    stat({ title: 'Messages, all servers', expr: peak(`sum(rate(switchboard_messages_total{${S},direction="in"}[5m]))`), unit: 'mps', decimals: 1, thresholds: rising(LIMITS.messagesPerSecond), instant: true, description: 'From clients, a second, over the busiest 5 minutes.' }),

    row('How full'),
    graph({
      title: 'Share of each limit', unit: 'percentunit', thresholds: rising(LIMITS.shareOfLimit), w: 24, queries: SHARES,
      description: 'Whichever comes first to the top is what to raise or to add servers for.',
    }),
    graph({
      title: 'Connections and their limit', unit: 'none', thresholds: NEUTRAL,
      queries: [[`sum(switchboard_connections{${S}})`, 'open'], [`sum(switchboard_limit{${S},name="max_connections"})`, 'limit']],
      description: 'All servers shown together. One of N servers must be able to go: plan for the limit of N − 1.',
    }),
    graph({
      title: 'Without the largest server', unit: 'percentunit', thresholds: rising(LIMITS.shareOfLimit),
      queries: [[`sum(switchboard_connections{${S}}) / ((sum(switchboard_limit{${S},name="max_connections"}) - max(switchboard_limit{${S},name="max_connections"})) > 0)`, 'of what is left']],
      description: 'How full the others would be with its clients on them. Empty with a single server: nothing would be left.',
    }),

    row('Where it goes'),
    graph({
      title: 'Connections in a week', unit: 'none', thresholds: NEUTRAL,
      queries: [[`sum(switchboard_connections{${S}})`, 'now'], [`sum(predict_linear(switchboard_connections{${S}}[1d], 7 * 86400)) > 0`, 'as the last day goes on']],
      description: 'A straight line through the last day, a week ahead. Good for growth, useless across a launch.',
    }),
    graph({
      title: 'Against last week', unit: 'none', thresholds: NEUTRAL,
      queries: [[`sum(switchboard_connections{${S}})`, 'this week'], [`sum(switchboard_connections{${S}} offset 7d)`, 'a week before']],
      description: 'The same hour a week before; that line is empty until there is a week of samples.',
    }),

    row('What things cost'),
    graph({
      title: 'Memory per connection', unit: 'bytes', thresholds: NEUTRAL,
      queries: [[`process_resident_memory_bytes{${S}} / (switchboard_connections{${S}} > 0)`, '{{instance}}']],
      description: 'All memory through all connections: falls towards the true cost as connections grow. Empty with no connection.',
    }),
    graph({
      title: 'CPU per thousand messages', unit: 's', thresholds: NEUTRAL,
      queries: [[`1000 * sum by (instance) (rate(process_cpu_seconds_total{${S}}[$interval])) / (sum by (instance) (rate(switchboard_messages_total{${S}}[$interval])) > 0)`, '{{instance}}']],
      description: 'Core seconds per thousand messages in and out. Rises when machines are shared, or messages grow. Empty with no message.',
    }),
    graph({
      title: 'Bytes per message', unit: 'bytes', thresholds: NEUTRAL,
      queries: [[`sum by (direction) (rate(switchboard_message_bytes_total{${S}}[$interval])) / (sum by (direction) (rate(switchboard_messages_total{${S}}[$interval])) > 0)`, '{{direction}}']],
      description: 'Offers and answers have 2 to 10 kB, candidates 200 bytes.',
    }),
    graph({
      title: 'Network', unit: 'bps', thresholds: NEUTRAL,
      queries: [[`8 * sum by (direction) (rate(switchboard_message_bytes_total{${S}}[$interval]))`, '{{direction}}']],
      description: 'Bits a second of messages. Media never comes here.',
    }),
    graph({
      title: 'Messages per join', unit: 'none', decimals: 1, thresholds: NEUTRAL,
      queries: [[`sum(rate(switchboard_messages_total{${S},direction="in"}[$interval])) / (sum(rate(switchboard_joins_total{${S}}[$interval])) > 0)`, 'from clients']],
      description: 'What a stay costs in messages: grows with the square of room sizes. Empty while nobody joins.',
    }),
    graph({
      title: 'Samples that Prometheus keeps', unit: 'bytes', thresholds: rising([8e9, 10e9]), drawThresholds: false,
      queries: [['prometheus_tsdb_storage_blocks_bytes', 'blocks'], ['prometheus_tsdb_retention_limit_bytes', 'limit']],
      description: 'On disk; it is kept below 10 GB and for 30 days, whichever comes first. Needs Prometheus to scrape itself.',
    }),
  ],
});
