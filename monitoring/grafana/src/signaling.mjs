// Messages, connections, errors, HTTP: what crosses the server and what goes wrong.

import { S, dashboard } from './dashboard.mjs';
import { graph, heatmap, row, stat } from './panels.mjs';
import { LIMITS, NEUTRAL, NEVER, SELDOM, falling, rising } from './thresholds.mjs';

const rate = (by, series, more = '') => `sum by (${by}) (rate(${series}{${S}${more}}[$interval]))`;
const perMinute = (...about) => `${rate(...about)} * 60`;
const quantile = (q, by, series) => `histogram_quantile(${q}, sum by (${by}) (rate(${series}_bucket{${S}}[$interval])))`;

export default dashboard({
  uid: 'switchboard-signaling',
  title: 'Switchboard / Signaling and errors',
  description: 'Messages, connections, errors and HTTP: what crosses the server and what goes wrong.',
  panels: [
    row('Errors'),
    stat({
      title: 'Own errors per message', unit: 'percentunit', decimals: 2, thresholds: rising(LIMITS.errorRatio), noValue: 'no messages',
      expr: `sum(rate(switchboard_errors_total{${S},class="SERVER",code!="server_draining"}[$interval])) / sum(rate(switchboard_messages_total{${S},direction="in"}[$interval]))`,
      description: 'The server’s own errors relative to messages from clients.',
    }),
    stat({
      title: 'Clients’ errors', unit: 'cpm', decimals: 1, thresholds: rising(LIMITS.clientErrorsPerMinute),
      expr: `sum(rate(switchboard_errors_total{${S},class!~"SERVER|ROOM_FULL",code!="session_not_found"}[$interval])) * 60`,
      description: 'A minute, those that clients and their networks caused. Full rooms and servers, and sessions that are gone, are told elsewhere.',
    }),
    stat({
      title: 'Severe errors', expr: `sum(increase(switchboard_errors_total{${S},severity=~"high|critical"}[$__range]))`, unit: 'none', decimals: 0, thresholds: NEVER,
      description: 'Errors of severity high and critical in the time shown: the server failed at something it promised.',
    }),
    stat({ title: 'Panics', expr: `sum(increase(switchboard_panics_total{${S}}[$__range]))`, unit: 'none', decimals: 0, thresholds: NEVER, description: 'Panics in the time shown. Each is a defect; the log has its backtrace.' }),
    stat({
      title: 'Kinds of errors', expr: `sum(switchboard_error_fingerprints{${S}})`, unit: 'none', thresholds: NEUTRAL,
      description: 'Different kinds of errors since the start of each server. One that grows in quiet times is news: see /errors on the ops listener.',
    }),
    stat({ title: 'Slow messages', expr: `sum(increase(switchboard_slow_messages_total{${S}}[$__range]))`, unit: 'none', decimals: 0, thresholds: SELDOM, description: 'Messages in the time shown whose handling took longer than log.slow_message_ms.' }),
    stat({
      title: 'Slow readers cut', expr: `sum(increase(switchboard_connections_closed_total{${S},reason="slow_consumer"}[$__range]))`, unit: 'none', decimals: 0, thresholds: SELDOM,
      description: 'Connections in the time shown that were cut because their client read too slowly (limits.slow_ms).',
    }),
    graph({
      title: 'Errors by code', unit: 'cpm', thresholds: rising(LIMITS.errorsPerMinute), stack: true,
      queries: [[`sum by (code) (rate(switchboard_errors_total{${S}}[$interval])) * 60 > 0 or sum by (code) (rate(switchboard_errors_total{${S},code="internal"}[$interval])) * 60`, '{{code}}']],
      description: 'Errors a minute by the code that clients were told; internal also at 0.',
    }),
    graph({
      title: 'Errors by severity', unit: 'cpm', thresholds: rising(LIMITS.errorsPerMinute), stack: true,
      queries: [[perMinute('severity', 'switchboard_errors_total'), '{{severity}}']],
      description: 'By how bad they are. low: a client’s mistake or a cap that did its work; medium: a client was cut off or turned away; high, critical: the server’s own.',
    }),

    row('Messages'),
    graph({
      title: 'From clients, by type', unit: 'mps', thresholds: NEUTRAL,
      queries: [[rate('type', 'switchboard_messages_total', ',direction="in"'), '{{type}}']],
      description: 'Messages read, a second. invalid: what could not be read as any message.',
    }),
    graph({
      title: 'To clients, by type', unit: 'mps', thresholds: NEUTRAL,
      queries: [[rate('type', 'switchboard_messages_total', ',direction="out"'), '{{type}}']],
      description: 'Messages put into clients’ queues, a second.',
    }),
    graph({
      title: 'Bytes', unit: 'Bps', thresholds: NEUTRAL,
      queries: [[rate('direction', 'switchboard_message_bytes_total'), '{{direction}}']],
      description: 'Of messages, without TCP, TLS and, inwards, frame heads.',
    }),
    graph({
      title: 'Bytes over WebSockets', unit: 'Bps', thresholds: NEUTRAL,
      queries: [[`sum(switchboard:websocket_received_bytes:rate1m{${S}})`, 'received'], [`sum(switchboard:websocket_sent_bytes:rate1m{${S}})`, 'sent']],
      description: 'All that was read and written, pings and heads of frames included, without TCP and TLS. More received than messages explain: frames that are refused.',
    }),
    graph({
      title: 'Relays that did not arrive', unit: 'cpm', thresholds: rising([10, null]),
      queries: [
        [perMinute('outcome', 'switchboard_relays_total', ',outcome!="delivered"'), '{{outcome}}'],
        [`sum(rate(switchboard_busy_pauses_total{${S}}[$interval])) * 60`, 'senders made to wait'],
      ],
      description: 'Signals a minute that reached nobody. busy: more of the sender’s waited for the receiver than may. receiver_full: a receiver was cut for it. Senders made to wait: how often one was read later because a receiver had no room.',
    }),
    heatmap({
      title: 'Message handling', expr: rate('le', 'switchboard_message_handling_seconds_bucket'), unit: 'cps', axis: 's', thresholds: rising(LIMITS.handlingP95),
      description: 'From read to the receiver’s queue: how many measured messages (colour) took how long (height).',
    }),
    graph({
      title: 'Message handling, by server', unit: 's', thresholds: rising(LIMITS.handlingP99),
      queries: [[quantile(0.95, 'le, instance', 'switchboard_message_handling_seconds'), '{{instance}} p95'], [quantile(0.99, 'le, instance', 'switchboard_message_handling_seconds'), '{{instance}} p99']],
      description: 'One server slower than the others: its machine, or one busy room. Empty while nothing is relayed.',
    }),

    row('Connections'),
    graph({
      title: 'Opened and closed', unit: 'cpm', thresholds: NEUTRAL,
      queries: [[`sum(rate(switchboard_connections_opened_total{${S}}[$interval])) * 60`, 'opened'], [`sum(rate(switchboard_connections_closed_total{${S}}[$interval])) * 60`, 'closed']],
      description: 'WebSocket connections a minute.',
    }),
    graph({
      title: 'Closed, by reason', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[perMinute('reason', 'switchboard_connections_closed_total'), '{{reason}}']],
      description: 'A minute. client_closed is the ordinary way. Many join_timeout: clients that connect and wait. Many disconnected: networks, or a proxy with a short idle timeout.',
    }),
    graph({
      title: 'Handshakes refused', unit: 'cpm', thresholds: rising([1, null]), stack: true,
      queries: [[`sum by (code) (rate(switchboard_handshakes_refused_total{${S}}[$interval])) * 60 > 0 or sum by (code) (rate(switchboard_handshakes_refused_total{${S},code="over_capacity"}[$interval])) * 60`, '{{code}}']],
      description: 'Upgrades a minute that were refused; over_capacity (server.max_connections is reached) also at 0.',
    }),
    graph({
      title: 'Time connected', unit: 's', thresholds: NEUTRAL,
      queries: [[quantile(0.5, 'le', 'switchboard_connection_duration_seconds'), 'p50'], [quantile(0.95, 'le', 'switchboard_connection_duration_seconds'), 'p95'],
        [`sum(rate(switchboard_connection_duration_seconds_sum{${S}}[$interval])) / sum(rate(switchboard_connection_duration_seconds_count{${S}}[$interval]))`, 'average']],
      description: 'How long connections were open, of those that ended. Empty while none ends.',
    }),
    graph({
      title: 'Pings to silent clients', unit: 'cpm', thresholds: NEUTRAL,
      queries: [[`sum(rate(switchboard_pings_sent_total{${S}}[$interval])) * 60`, 'pings']],
      description: 'Clients a minute that said nothing for heartbeat.interval_ms. About two a minute for each idle connection by default.',
    }),
    graph({
      title: 'Thrown away for slow readers', unit: 'Bps', thresholds: rising([1, null]), drawThresholds: false,
      queries: [[`sum(rate(switchboard_discarded_bytes_total{${S}}[$interval]))`, 'bytes'], [`sum(rate(switchboard_discarded_frames_total{${S}}[$interval]))`, 'frames']],
      description: 'What waited for connections that were cut, a second.',
    }),
    graph({
      title: 'Addresses remembered', unit: 'none', thresholds: NEUTRAL,
      queries: [[`switchboard_tracked_addresses{${S}}`, '{{instance}}']],
      description: 'For the limits per address. At limits.addresses the oldest are forgotten: many addresses, or somebody who pretends to be many.',
    }),

    row('Webhooks'),
    graph({
      title: 'Requests to the receiver', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[perMinute('outcome', 'switchboard_webhook_requests_total'), '{{outcome}}']],
      description: 'A minute, by what became of them; all at 0 where no receiver is configured. Anything but delivered is sent again, or dropped: refused and redirected are not sent again.',
    }),
    graph({
      title: 'Events that wait, and that are lost', unit: 'none', thresholds: rising([1000, null]), drawThresholds: false,
      queries: [
        [`switchboard_webhook_events_waiting{${S}}`, '{{instance}} wait'],
        [`sum by (reason) (increase(switchboard_webhook_events_dropped_total{${S}}[$interval]))`, 'lost: {{reason}}'],
      ],
      description: 'What the receiver has not got yet, and what it will not get. At webhooks.queue_events nothing more is taken.',
    }),
    graph({
      title: 'Time to its answer', unit: 's', thresholds: rising([1, 5]),
      queries: [[quantile(0.5, 'le', 'switchboard_webhook_request_duration_seconds'), 'p50'], [quantile(0.95, 'le', 'switchboard_webhook_request_duration_seconds'), 'p95']],
      description: 'Of every request, whatever became of it. Empty while nothing is sent. webhooks.timeout_ms is the longest.',
    }),

    row('Refused'),
    graph({
      title: 'Sockets', unit: 'none', thresholds: NEUTRAL,
      queries: [[`switchboard_sockets{${S}}`, '{{instance}} {{listener}}']],
      description: 'Open sockets by listener, whatever they are about to do; those of WebSockets are Connections. Many more than those: somebody holds sockets and says nothing.',
    }),
    graph({
      title: 'Sockets refused', unit: 'cpm', thresholds: rising([2, null]), drawThresholds: false, stack: true,
      queries: [[perMinute('listener, reason', 'switchboard_sockets_refused_total'), '{{listener}} {{reason}}']],
      description: 'A minute. address: one address had too many; total, descriptors: there were none left for anybody.',
    }),
    graph({
      title: 'Requests that were none', unit: 'cpm', thresholds: rising([2, null]), drawThresholds: false, stack: true,
      queries: [[perMinute('kind', 'switchboard_http_rejections_total'), '{{kind}}']],
      description: 'A minute. proxy_protocol, tls, http2, no_host: what stands before the server speaks something else. The others: strangers, or networks that are too slow.',
    }),
    graph({
      title: 'Certificates: days left', unit: 'none', thresholds: falling(LIMITS.certificateDays),
      queries: [[`(switchboard_certificate_expiry_timestamp_seconds{${S}} - time()) / 86400`, '{{instance}} {{listener}}']],
      description: 'Until the certificate of a listener that speaks TLS expires; then no client takes it. Empty where none speaks TLS.',
    }),
    graph({
      title: 'Operators’ listener: refused', unit: 'cpm', thresholds: rising([1, null]), drawThresholds: false, stack: true,
      queries: [[perMinute('reason', 'switchboard_ops_denied_total'), '{{reason}}']],
      description: 'A minute. token: somebody guesses, or a script has an old one. host, origin: a page tries to reach the listener, or a name is missing in ops.allowed_hosts.',
    }),
    graph({
      title: 'Operators’ calls', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[perMinute('call', 'switchboard_ops_calls_total'), '{{call}}']],
      description: 'A minute: looks into rooms (rooms, room, peers, bans), and what changes something. Nobody at work and no script, and it moves: somebody has the token. The log says from where (operator_call).',
    }),
    graph({
      title: 'Tickets that can be redeemed', unit: 'none', thresholds: NEUTRAL,
      queries: [[`switchboard_tickets{${S}}`, '{{instance}}'], [`switchboard_limit{${S},name="auth_tickets"}`, '{{instance}} at most']],
      description: 'Made by POST /admin/v1/tickets, and good for one connection within a minute. Near the limit: more are made than are used.',
    }),
    graph({
      title: 'Shares that were used up', unit: 'cpm', thresholds: rising([10, null]), drawThresholds: false, stack: true,
      queries: [[perMinute('limit', 'switchboard_limit_hits_total'), '{{limit}}']],
      description: 'Limits of one connection or one address that did their work, a minute; new_rooms: somebody guesses rooms’ names. Many at once from ordinary users: a school or company is one address, or a proxy is not believed.',
    }),

    row('STUN and TURN'),
    graph({
      title: 'Servers that do not work', unit: 'none', thresholds: rising([1, null]),
      queries: [[`switchboard_ice_servers_failing{${S}}`, '{{instance}} {{kind}} {{transport}}']],
      description: 'STUN and TURN servers that clients are told of and that did not give this server what it asked for. Those by DTLS are not asked. Empty where there are none.',
    }),
    graph({
      title: 'Time to answer, p95', unit: 's', thresholds: rising([1, null]), drawThresholds: false,
      queries: [[quantile(0.95, 'le, instance', 'switchboard_ice_check_seconds'), '{{instance}}']],
      description: 'Of STUN servers one answer, of TURN servers an allocation, which takes two. Empty where there are none.',
    }),
    graph({
      title: 'STUN requests', unit: 'reqps', thresholds: NEUTRAL, stack: true,
      queries: [[rate('outcome', 'switchboard_stun_requests_total'), '{{outcome}}']],
      description: 'To the responder of the server itself, a second. address_limit, total_limit: somebody floods it. A process of its own (switchboard stun) is not among them.',
    }),

    row('HTTP'),
    graph({
      title: 'Requests by status', unit: 'reqps', thresholds: NEUTRAL, stack: true,
      queries: [[`sum by (status) (rate(switchboard_http_requests_total{${S}}[$interval]))`, '{{status}}']],
      description: 'Probes, scrapes, pages and upgrades (101), a second. 503 from /readyz is an answer, elsewhere a failure.',
    }),
    graph({
      title: 'Request time, p95', unit: 's', thresholds: rising([0.5, 1]), drawThresholds: false,
      queries: [[quantile(0.95, 'le, route', 'switchboard_http_request_duration_seconds'), '{{route}}']],
      description: 'By route; / stands for all files of the pages. Longer than http.slow_request_ms is logged.',
    }),
  ],
});
