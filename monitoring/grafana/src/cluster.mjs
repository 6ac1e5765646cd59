// Whether nodes reach Redis, and what rooms that span them cost. Empty where every server is alone.

import { S, dashboard } from './dashboard.mjs';
import { graph, row, stat, states } from './panels.mjs';
import { LIMITS, NEUTRAL, NEVER, SELDOM, falling, rising } from './thresholds.mjs';

const rate = (series, by) => `sum by (${by}) (rate(${series}{${S}}[$interval]))`;
const quantile = (q, series, by = 'le') => `histogram_quantile(${q}, sum by (${by}) (rate(${series}_bucket{${S}}[$interval])))`;
const COMMANDS = 'switchboard_redis_command_seconds';

export default dashboard({
  uid: 'switchboard-cluster',
  title: 'Switchboard / Cluster and Redis',
  description: 'Whether nodes reach Redis, how fast it answers, and what rooms that span nodes cost. Empty where every server is alone (cluster.redis_url).',
  panels: [
    row('Now'),
    stat({
      title: 'Nodes that reach Redis', expr: `sum(switchboard_redis_up{${S}})`, unit: 'none', thresholds: falling([1, 1]), w: 8, noValue: 'no cluster',
      description: 'Fewer than are deployed: on the others nobody joins (alert RedisDown).',
    }),
    stat({
      title: 'Answers, p95', expr: quantile(0.95, COMMANDS), unit: 's', thresholds: rising(LIMITS.redisP95), w: 8, noValue: 'no cluster',
      description: 'How long Redis takes to answer, from written to read. So much longer takes a join, or a signal to another node. The colours are those of RedisSlow.',
    }),
    stat({
      title: 'Waiting commands', expr: `sum(switchboard_redis_waiting_commands{${S}})`, unit: 'none', thresholds: NEUTRAL, w: 8,
      description: 'Without an answer yet. Grows while Redis is away or slow; signals fail after cluster.waiting_ms.',
    }),

    row('Redis, as nodes see it'),
    states({
      title: 'Redis reached', unit: 'none', thresholds: falling([1, 1]), w: 12,
      queries: [[`switchboard_redis_up{${S}}`, '{{instance}}']],
      mappings: [{ type: 'value', options: { 0: { text: 'away', color: 'red', index: 0 }, 1: { text: 'reached', color: 'green', index: 1 } } }],
      description: 'One node that does not reach it: the way there. All of them: Redis.',
    }),
    graph({
      title: 'Connections to Redis', unit: 'cpm', thresholds: SELDOM, h: 6,
      queries: [[`60 * ${rate('switchboard_redis_connections_total', 'instance, result')}`, '{{instance}} {{result}}']],
      description: 'Made, lost and failed, a minute. Each lost one makes the node compare all of its rooms with Redis.',
    }),
    graph({
      title: 'Latency by command, p95', unit: 's', thresholds: rising(LIMITS.redisP95),
      queries: [[quantile(0.95, COMMANDS, 'le, operation'), '{{operation}}']],
      description: 'Joins carry a picture of the room, so they take longest. One kind that is slow alone is a large room.',
    }),
    graph({
      title: 'Latency by node, p95', unit: 's', thresholds: rising(LIMITS.redisP95),
      queries: [[quantile(0.95, COMMANDS, 'le, instance'), '{{instance}}']],
      description: 'One node that is slow alone: its network, or its own threads.',
    }),
    graph({
      title: 'Commands', unit: 'cps', thresholds: NEUTRAL, stack: true,
      queries: [[rate('switchboard_redis_commands_total', 'operation'), '{{operation}}']],
      description: 'What nodes ask of Redis, by kind. Signals here are those whose sender and receiver are on different nodes: a balancer that keeps rooms together makes them few.',
    }),
    graph({
      title: 'Commands that failed', unit: 'cps', thresholds: NEVER,
      queries: [[`sum by (operation, status) (rate(switchboard_redis_commands_total{${S},status!="ok"}[$interval]))`, '{{operation}} {{status}}']],
      description: 'Refused is an answer (a full room, a ban); failed is an error of Redis; lost, a connection that ended before the answer.',
    }),
    graph({
      title: 'Bytes that wait', unit: 'bytes', thresholds: NEUTRAL,
      queries: [[`switchboard_redis_waiting_bytes{${S}}`, '{{instance}}']],
      description: 'Signals for peers of other nodes; at most cluster.waiting_bytes, then their senders are told.',
    }),

    row('Rooms that span nodes'),
    graph({
      title: 'Copies of rooms', unit: 'none', thresholds: NEUTRAL,
      queries: [[`switchboard_cluster_rooms{${S}}`, '{{instance}}']],
      description: 'Rooms that a node follows, since somebody of it is there. The sum beyond the number of rooms is what spans nodes.',
    }),
    graph({
      title: 'Entries that were missed', unit: 'cpm', thresholds: SELDOM,
      queries: [[`60 * ${rate('switchboard_cluster_holes_total', 'instance')}`, '{{instance}} holes filled'], [`60 * ${rate('switchboard_cluster_resyncs_total', 'instance, reason')}`, '{{instance}} {{reason}}'], [`60 * ${rate('switchboard_cluster_malformed_total', 'instance')}`, '{{instance}} malformed']],
      description: 'A hole is filled from what Redis keeps, and nobody notices. A resync is more than that: clients of the room resume, and are told that something may be missing.',
    }),
    graph({
      title: 'Data lost, nodes that died', unit: 'cpm', thresholds: SELDOM,
      queries: [[`60 * ${rate('switchboard_cluster_generations_total', 'instance')}`, '{{instance}} data lost'], [`60 * ${rate('switchboard_cluster_dead_nodes_total', 'instance')}`, '{{instance}} ended a node']],
      description: 'Redis lost data, or an older copy took over: nodes say what they have, and for cluster.node_timeout_ms nobody joins. Or a node was silent for that long, and its peers have left.',
    }),

    row('Redis itself (redis_exporter)'),
    graph({
      title: 'CPU of Redis', unit: 'percentunit', thresholds: rising(LIMITS.cpu),
      queries: [['rate(redis_cpu_sys_seconds_total[$interval]) + rate(redis_cpu_user_seconds_total[$interval])', '{{instance}}']],
      description: 'Of one core, which is all that it uses for commands. Empty without a redis_exporter.',
    }),
    graph({
      title: 'Memory of Redis', unit: 'bytes', thresholds: NEUTRAL,
      queries: [['redis_memory_used_bytes', '{{instance}} used'], ['redis_memory_max_bytes > 0', '{{instance}} maxmemory']],
      description: 'At maxmemory it refuses what changes a room. docs/cluster.md says how much it needs. Empty without a redis_exporter.',
    }),
    graph({
      title: 'Clients of Redis', unit: 'none', thresholds: NEUTRAL,
      queries: [['redis_connected_clients', '{{instance}}']],
      description: 'A few for each node, and whoever else is there. Empty without a redis_exporter.',
    }),
    graph({
      title: 'Keys thrown away', unit: 'cpm', thresholds: NEVER,
      queries: [['60 * rate(redis_evicted_keys_total[$interval])', '{{instance}}']],
      description: 'Evicted for lack of memory: must be 0 (maxmemory-policy noeviction), since seats and rooms are among them. Empty without a redis_exporter.',
    }),
  ],
});
