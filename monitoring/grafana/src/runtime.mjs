// The process and the machine under it.

import { S, dashboard } from './dashboard.mjs';
import { graph, row, stat } from './panels.mjs';
import { LIMITS, NEUTRAL, NEVER, SELDOM, falling, rising } from './thresholds.mjs';

const perServer = (expr) => [expr, '{{instance}}'];
/** Of the process behind a server, and of no other program that Prometheus scrapes. */
const cpu = `rate(process_cpu_seconds_total{${S}}[$interval])`;

export default dashboard({
  uid: 'switchboard-runtime',
  title: 'Switchboard / Runtime and node',
  description: 'The process and the machine under it.',
  panels: [
    row('Now'),
    stat({ title: 'CPU', expr: `max(${cpu} / switchboard_process_cpu_limit_cores{${S}})`, unit: 'percentunit', decimals: 1, thresholds: rising(LIMITS.cpu), description: 'Of the cores that the busiest server may use (cgroup, else the machine).' }),
    stat({ title: 'Memory', expr: `max(process_resident_memory_bytes{${S}} / switchboard_process_memory_limit_bytes{${S}})`, unit: 'percentunit', decimals: 1, thresholds: rising(LIMITS.memory), description: 'Of the memory that the fullest server may use (cgroup, else the machine).' }),
    stat({ title: 'File descriptors', expr: `max(process_open_fds{${S}} / process_max_fds{${S}})`, unit: 'percentunit', decimals: 1, thresholds: rising(LIMITS.descriptors), description: 'Of those that the server with most of them may open. Each connection takes one.' }),
    stat({ title: 'Latest tick', expr: `max(switchboard_arbiter_tick_delay_max_seconds{${S}})`, unit: 's', thresholds: rising([0.5, 2]), description: 'The latest that any thread’s tick came within the last minute: how long its connections waited for it.' }),
    stat({ title: 'Silent thread', expr: `max(switchboard_arbiter_report_age_seconds{${S}})`, unit: 's', thresholds: rising(LIMITS.reportAge), description: 'Time since the report of the thread that has been silent longest; they report about once a second. Beyond the red value it hangs.' }),
    stat({ title: 'Supervisor', expr: `max(time() - switchboard_heartbeat_timestamp_seconds{${S}})`, unit: 's', thresholds: rising([15, 30]), description: 'Time since the supervisor’s last report. It stands still when the supervisor does.' }),

    row('Process'),
    graph({
      title: 'CPU in use', unit: 'none', decimals: 2, thresholds: NEUTRAL,
      queries: [[cpu, '{{instance}} cores'], [`switchboard_process_cpu_limit_cores{${S}}`, '{{instance}} may use']],
      description: 'Cores, beside those that the process may use. Relaying is spread over threads, a room lives on one.',
    }),
    graph({
      title: 'Memory', unit: 'bytes', thresholds: NEUTRAL,
      queries: [perServer(`process_resident_memory_bytes{${S}}`)],
      description: 'Resident. Grows with connections and with what waits for slow readers; the allocator gives it back with delay.',
    }),
    graph({
      title: 'Held for clients', unit: 'bytes', thresholds: NEUTRAL,
      queries: [
        perServer(`switchboard_memory_used_bytes{${S}}`),
        [`switchboard_memory_tcp_bytes{${S}}`, '{{instance}} of it the kernel’s'],
        [`switchboard_limit{${S},name="memory_bytes"}`, '{{instance}} may use'],
      ],
      description: 'What the allocator and the kernel’s TCP use beyond what they did at the start, beside limits.memory_bytes. From 80 % of that on newcomers are refused.',
    }),
    graph({
      title: 'Held for clients, by kind', unit: 'bytes', thresholds: NEUTRAL,
      queries: [[`sum by (kind) (switchboard_held_bytes{${S}})`, '{{kind}}']],
      description: 'What it is: partial_frames and http_heads are messages and requests that have not ended, outboxes slow readers, resume_buffers peers that do not acknowledge, bans what is remembered of moderated rooms, kernel_tcp what the kernel keeps of either direction. A frame that waits for several is in it for each.',
    }),
    graph({
      title: 'File descriptors', unit: 'none', thresholds: NEUTRAL,
      queries: [perServer(`process_open_fds{${S}}`)],
      description: 'Open. One for each connection, and some for the house.',
    }),
    graph({
      title: 'Threads', unit: 'none', thresholds: NEUTRAL,
      queries: [[`process_threads{${S}}`, '{{instance}} all'], [`switchboard_arbiters{${S}}`, '{{instance}} serve connections']],
      description: 'The number that serves connections is server.workers, and stays.',
    }),
    graph({
      title: 'Address space', unit: 'bytes', thresholds: NEUTRAL,
      queries: [perServer(`process_virtual_memory_bytes{${S}}`)],
      description: 'Virtual memory: reserved, not used. Only a steady climb means something.',
    }),

    row('Threads and telemetry'),
    graph({
      title: 'Late ticks', unit: 's', thresholds: rising([0.5, 2]),
      queries: [[`histogram_quantile(0.99, sum by (le, instance) (rate(switchboard_arbiter_tick_delay_seconds_bucket{${S}}[$interval])))`, '{{instance}} p99'],
        [`switchboard_arbiter_tick_delay_max_seconds{${S}}`, '{{instance}} latest of a minute']],
      description: 'How late threads got to their tick: what connections wait when something holds the thread, or the machine is too small.',
    }),
    graph({
      title: 'Ticks late enough to be logged', unit: 'cpm', thresholds: rising([1, null]), drawThresholds: false,
      queries: [perServer(`rate(switchboard_late_ticks_total{${S}}[$interval]) * 60`)],
      description: 'A minute. The log says how late each was (tick_late).',
    }),
    graph({
      title: 'Busy rounds', unit: 'ops', thresholds: NEUTRAL,
      queries: [perServer(`rate(switchboard_busy_rounds_total{${S}}[$interval])`)],
      description: 'A second. More than none: clients send more than threads have time for, and those that send most wait for their turn.',
    }),
    graph({
      title: 'Log lines dropped', unit: 'cpm', thresholds: rising([1, null]), drawThresholds: false,
      queries: [perServer(`rate(switchboard_log_lines_dropped_total{${S}}[$interval]) * 60`)],
      description: 'A minute: standard output was read too slowly, or a log file could not be written.',
    }),
    graph({
      title: 'Log lines gathered', unit: 'cpm', thresholds: NEUTRAL,
      queries: [perServer(`rate(switchboard_log_lines_gathered_total{${S}}[$interval]) * 60`)],
      description: 'A minute: not written one by one, because one like it was just before. The line that tells of them says how many. Many: somebody repeats himself.',
    }),
    graph({
      title: 'Reports to the metrics actor', unit: 'cps', thresholds: NEUTRAL,
      queries: [[`rate(switchboard_records_merged_total{${S}}[$interval])`, '{{instance}} merged'], [`rate(switchboard_records_refused_total{${S}}[$interval])`, '{{instance}} refused']],
      description: 'About one a second and thread. Refused ones come with a later report; many mean that the metrics actor is starved.',
    }),
    graph({
      title: 'Time to build a scrape', unit: 's', thresholds: rising([0.1, 1]), drawThresholds: false,
      queries: [perServer(`switchboard_scrape_duration_seconds{${S}}`)],
      description: 'Of the scrape before. The metrics actor has its own thread: relaying does not wait for it.',
    }),

    row('Starts and stops'),
    stat({ title: 'Up for', expr: `min(time() - switchboard_start_time_seconds{${S}})`, unit: 's', thresholds: falling([300, 60]), description: 'Of the server that started last.' }),
    stat({ title: 'Restarts', expr: `sum(changes(switchboard_start_time_seconds{${S}}[$__range]))`, unit: 'none', thresholds: SELDOM, description: 'In the time shown, under the same name; rollouts included.' }),
    stat({
      title: 'Last shutdown took', expr: `max(switchboard_last_shutdown_duration_seconds{${S}})`, unit: 's', thresholds: rising([25, 30]), noValue: 'unknown',
      description: 'The longest of the servers’ previous runs. Unknown after a first start, and after a crash.',
    }),
    stat({ title: 'Not ready', expr: `count(switchboard_ready{${S}} == 0) or vector(0)`, unit: 'none', thresholds: NEVER, description: 'Servers that are scraped and do not take new clients: starting, draining or saturated.' }),
    stat({ title: 'Draining', expr: `sum(switchboard_draining{${S}})`, unit: 'none', thresholds: SELDOM, description: 'Servers that were told to end.' }),
    stat({ title: 'Health checks', expr: `sum(rate(switchboard_http_requests_total{${S},route=~"/(health|healthz|readyz)"}[$interval])) * 60`, unit: 'cpm', decimals: 0, thresholds: NEUTRAL, description: 'Probes a minute, by whoever probes. None: nobody would notice a server that is not ready.' }),

    row('Machine (needs node_exporter)'),
    graph({
      title: 'CPU busy', unit: 'percentunit', max: 1, thresholds: rising(LIMITS.cpu),
      queries: [['1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$interval]))', '{{instance}}']],
      description: 'Of the whole machine, whoever uses it. Empty without node_exporter.',
    }),
    graph({
      title: 'Memory available', unit: 'percentunit', max: 1, thresholds: falling([0.2, 0.05]), drawThresholds: false,
      queries: [['node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes', '{{instance}}']],
      description: 'Of the whole machine. Empty without node_exporter.',
    }),
    graph({
      title: 'Disk free', unit: 'percentunit', max: 1, thresholds: falling(LIMITS.diskFree), drawThresholds: false,
      queries: [['node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"} / node_filesystem_size_bytes', '{{instance}} {{mountpoint}}']],
      description: 'By file system. The log’s files and Prometheus’ samples are what grows. Empty without node_exporter.',
    }),
    graph({
      title: 'TCP retransmissions', unit: 'percentunit', thresholds: rising([0.01, 0.05]),
      queries: [['rate(node_netstat_Tcp_RetransSegs[$interval]) / rate(node_netstat_Tcp_OutSegs[$interval])', '{{instance}}']],
      description: 'Segments sent again, of those sent: how bad the networks to the clients are. Empty without node_exporter.',
    }),
  ],
});
