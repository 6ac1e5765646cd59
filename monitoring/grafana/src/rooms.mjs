// Rooms, who comes and goes, and what can be seen of the mesh from the signaling side.

import { S, dashboard } from './dashboard.mjs';
import { bars, graph, heatmap, row, stat } from './panels.mjs';
import { LIMITS, NEUTRAL, NEVER, falling, rising } from './thresholds.mjs';

const perMinute = (by, series, more = '') => `sum by (${by}) (rate(${series}{${S}${more}}[$interval])) * 60`;
const quantile = (q, series) => `histogram_quantile(${q}, sum by (le) (rate(${series}_bucket{${S}}[$interval])))`;
// Prometheus 3 stores the bound 1 as le="1.0", Prometheus 2 as le="1".
const signals = (type) => `sum(rate(switchboard_messages_total{${S},direction="in",type="${type}"}[$interval]))`;

export default dashboard({
  uid: 'switchboard-rooms',
  title: 'Switchboard / Rooms and mesh',
  description: 'Rooms, who comes and goes, and whether pairs of peers negotiate.',
  panels: [
    row('Now'),
    stat({ title: 'Rooms', expr: `sum(switchboard_rooms{${S}})`, unit: 'none', thresholds: rising(LIMITS.rooms), description: 'Rooms with at least one peer.' }),
    stat({ title: 'Peers', expr: `sum(switchboard_peers{${S}})`, unit: 'none', thresholds: NEUTRAL, description: 'Peers in rooms.' }),
    stat({
      title: 'People', expr: `sum(switchboard_users{${S}})`, unit: 'none', thresholds: NEUTRAL,
      description: 'Different people in rooms, by the user of a token, else by identity (which is another in each room). Who brings neither is not in it; who is on two servers counts twice.',
    }),
    stat({
      title: 'Peers per room', expr: `sum(switchboard_peers{${S}}) / sum(switchboard_rooms{${S}})`, unit: 'none', decimals: 1, thresholds: NEUTRAL, noValue: 'no rooms',
      description: 'On average. Near 1: people wait alone, and no mesh forms. Empty while no room is open.',
    }),
    stat({
      title: 'Rooms of one', expr: `sum(switchboard_room_peers_bucket{${S},le=~"1(\\\\.0)?"})`, unit: 'none', thresholds: NEUTRAL,
      description: 'Rooms in which somebody waits alone.',
    }),
    stat({
      title: 'Refused: room full', expr: `sum(rate(switchboard_join_rejections_total{${S},code="room_full"}[$interval])) * 60`, unit: 'cpm', decimals: 1, thresholds: rising(LIMITS.roomFullPerMinute),
      description: 'Joins a minute that a full room turned away. See limits.peers_per_room.',
    }),
    stat({
      title: 'Rooms lost', expr: `sum(increase(switchboard_rooms_lost_total{${S}}[$__range]))`, unit: 'none', decimals: 0, thresholds: NEVER,
      description: 'Rooms whose actor died under their peers, in the time shown. A defect, always.',
    }),

    row('Occupancy'),
    graph({
      title: 'Rooms and peers', unit: 'none', thresholds: NEUTRAL,
      queries: [[`sum(switchboard_rooms{${S}})`, 'rooms'], [`sum(switchboard_peers{${S}})`, 'peers']],
      description: 'As the supervisors last reported.',
    }),
    heatmap({
      title: 'Rooms by size', expr: `sum by (le) (switchboard_room_peers_bucket{${S}})`, unit: 'none', axis: 'none', thresholds: NEUTRAL,
      description: 'How many rooms (colour) have how many peers (height). A band at the cap means that rooms fill up.',
    }),
    bars({
      title: 'Rooms of at most so many peers', unit: 'none', thresholds: NEUTRAL, h: 9,
      queries: [[`sum by (le) (switchboard_room_peers_bucket{${S},le=~"(1|2|3|4|5|6|8|10)(\\\\.0)?|\\\\+Inf"})`, 'up to {{le}}']],
      description: 'Cumulative: the step between two bars is the rooms between the two sizes.',
    }),
    graph({
      title: 'Time in a room', unit: 's', thresholds: NEUTRAL, h: 9,
      queries: [[quantile(0.5, 'switchboard_room_stay_seconds'), 'peers p50'], [quantile(0.95, 'switchboard_room_stay_seconds'), 'peers p95'],
        [quantile(0.5, 'switchboard_room_lifetime_seconds'), 'rooms p50'], [quantile(0.95, 'switchboard_room_lifetime_seconds'), 'rooms p95']],
      description: 'How long peers were in a room and rooms lasted, of those that ended. A p50 of seconds for peers: people do not find each other, or fall out.',
    }),

    row('Coming and going'),
    graph({
      title: 'Joins', unit: 'cpm', thresholds: NEUTRAL,
      queries: [[`sum(rate(switchboard_joins_total{${S}}[$interval])) * 60`, 'granted'], [`sum(rate(switchboard_join_rejections_total{${S}}[$interval])) * 60`, 'refused']],
      description: 'Joins a minute.',
    }),
    graph({
      title: 'Refused joins by code', unit: 'cpm', thresholds: rising(LIMITS.roomFullPerMinute), stack: true,
      queries: [[`${perMinute('code', 'switchboard_join_rejections_total')} > 0 or sum by (code) (rate(switchboard_join_rejections_total{${S},code="room_full"}[$interval])) * 60`, '{{code}}']],
      description: 'Refused joins a minute, by the code that the client was told; room_full also at 0.',
    }),
    graph({
      title: 'Leaves by reason', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[perMinute('reason', 'switchboard_leaves_total'), '{{reason}}']],
      description: 'Why peers left their rooms, a minute. left is the ordinary way; many disconnected or timeout: bad networks, or a proxy that cuts.',
    }),
    graph({
      title: 'Rooms opened and ended', unit: 'cpm', thresholds: NEUTRAL,
      queries: [[`sum(rate(switchboard_rooms_opened_total{${S}}[$interval])) * 60`, 'opened'], [`sum(rate(switchboard_rooms_ended_total{${S}}[$interval])) * 60`, 'ended']],
      description: 'Rooms a minute that got their first peer and lost their last.',
    }),
    graph({
      title: 'Reconnection success', unit: 'percentunit', max: 1, thresholds: falling([0.95, 0.8]), drawThresholds: false,
      queries: [[`sum(rate(switchboard_reconnection_attempts_total{${S},result=~"joined|resumed|incomplete"}[$interval])) / sum(rate(switchboard_reconnection_attempts_total{${S},result!="not_found"}[$interval]))`, 'came back']],
      description: 'Of the attempts of clients that had lost their connection, the share that ended in a room, by a resume or a new join. not_found is left out: what follows it is counted. Empty while nobody tries.',
    }),

    graph({
      title: 'Coming back, by result', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[perMinute('result', 'switchboard_reconnection_attempts_total'), '{{result}}']],
      description: 'Attempts a minute. resumed: nothing was lost; incomplete: in the room, with frames missed; not_found: too late for the old session; joined: a new join.',
    }),
    graph({
      title: 'Peers away and back', unit: 'cpm', thresholds: NEUTRAL,
      queries: [[`sum by (type) (rate(switchboard_messages_total{${S},direction="out",type=~"peer_away|peer_back"}[$interval])) * 60`, '{{type}}']],
      description: 'News a minute of peers whose connection was lost and whose seat was kept, and of those that came back to it, counted at each receiver.',
    }),

    row('Moderation'),
    graph({
      title: 'Moderation by act', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[perMinute('act', 'switchboard_moderation_total'), '{{act}}']],
      description: 'What members with the permission admin and operators did to rooms, a minute.',
    }),
    graph({
      title: 'Peers sent away', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[perMinute('by', 'switchboard_kicks_total'), '{{by}}']],
      description: 'Peers a minute that were kicked, by who did it.',
    }),
    graph({
      title: 'Bans and locks', unit: 'none', thresholds: NEUTRAL,
      queries: [[`sum(switchboard_bans{${S}})`, 'bans'], [`sum(switchboard_locked_rooms{${S}})`, 'locked rooms']],
      description: 'In force, those of rooms that are gone included. Refused joins by code, above, has banned and room_locked.',
    }),

    row('Mesh, as clients report it'),
    stat({
      title: 'Pairs connected', w: 6, unit: 'percentunit', thresholds: falling([0.95, 0.8]), noValue: 'no reports',
      expr: `sum(switchboard_mesh_pairs{${S},state="connected"}) / sum(switchboard_mesh_pairs{${S},state!="silent"})`,
      description: 'Of the pairs of peers that are expected to be connected, since one of the two reports. Empty while nobody does.',
    }),
    stat({
      title: 'Fractured rooms', w: 6, unit: 'none', thresholds: NEUTRAL, expr: `sum(switchboard_mesh_rooms{${S},state="fractured"})`,
      description: 'Rooms where somebody has reached some of the others, and not all, for more than 15 s. The log names them (mesh_fractured), the live page shows who.',
    }),
    stat({
      title: 'Time to connect, p95', w: 6, unit: 's', decimals: 1, thresholds: rising([5, 15]), noValue: 'no reports', expr: quantile(0.95, 'switchboard_pair_connect_seconds'),
      description: 'What 95 of 100 connections between peers took to stand. 15 s is the time that clients give ICE.',
    }),
    stat({
      title: 'Clients that came back', w: 6, unit: 'percentunit', thresholds: falling([0.95, 0.8]), noValue: 'no reports',
      expr: `sum(rate(switchboard_client_events_total{${S},kind="reconnected"}[$interval])) / sum(rate(switchboard_client_events_total{${S},kind=~"reconnected|reconnect_failed"}[$interval]))`,
      description: 'Of the clients that lost their connection, as they report it themselves, those that came back rather than gave up. Empty while none lost it.',
    }),
    graph({
      title: 'Pairs by state', unit: 'none', thresholds: NEUTRAL, stack: true,
      queries: [[`sum by (state) (switchboard_mesh_pairs{${S}})`, '{{state}}']],
      description: 'Pairs in rooms where somebody reports. waiting in passing is a connection that is being made; silent pairs do not report.',
    }),
    graph({
      title: 'Broken rooms', unit: 'percentunit', thresholds: rising(LIMITS.fracturedRooms), drawThresholds: false,
      queries: [[`switchboard:fractured_rooms:ratio{${S}}`, 'fractured on {{instance}}'], [`switchboard:failing_rooms:ratio{${S}}`, 'with a failed pair on {{instance}}']],
      description: 'Of the rooms whose clients report, those where somebody does not reach all others: what the alerts FracturedMesh and PairFailureRatio go by. One address counts for five rooms at most.',
    }),
    graph({
      title: 'Pairs connected, by candidate', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[perMinute('candidate', 'switchboard_pair_connections_total'), '{{candidate}}']],
      description: 'Connections a minute that came to stand, by the type of the local candidate, counted at both ends. No relay at all: TURN does not work, or nobody needs it.',
    }),
    graph({
      title: 'Pairs failed, by reason', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[perMinute('reason', 'switchboard_pair_failures_total'), '{{reason}}']],
      description: 'Connections a minute that could not be made or were lost, counted at both ends. ice_failed: no path was found; no_answer: the other side said nothing.',
    }),
    graph({
      title: 'What connections take', unit: 's', thresholds: NEUTRAL,
      queries: [[quantile(0.5, 'switchboard_pair_connect_seconds'), 'pair p50'], [quantile(0.95, 'switchboard_pair_connect_seconds'), 'pair p95'],
        [quantile(0.95, 'switchboard_client_connect_seconds'), 'to the server p95'], [quantile(0.95, 'switchboard_client_outage_seconds'), 'out of the room p95']],
      description: 'Time to connect, as clients report it: to each other, to this server, and back after a loss.',
    }),
    graph({
      title: 'Round trips', unit: 's', thresholds: NEUTRAL,
      queries: [[quantile(0.5, 'switchboard_pair_rtt_seconds'), 'pair p50'], [quantile(0.95, 'switchboard_pair_rtt_seconds'), 'pair p95'],
        [quantile(0.95, 'switchboard_client_signaling_rtt_seconds'), 'signaling p95']],
      description: 'From peer to peer and back, and from a client to this server and back, as clients report it.',
    }),
    graph({
      title: 'Errors at clients', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[`${perMinute('code', 'switchboard_client_errors_total')} > 0 or sum by (code) (rate(switchboard_client_errors_total{${S},code="other"}[$interval])) * 60`, '{{code}}']],
      description: 'What failed at clients and was told to the application, a minute; other also at 0. Session length and events that were not used: switchboard_client_session_seconds, switchboard_client_events_dropped_total.',
    }),
    graph({
      title: 'What clients report', unit: 'cpm', thresholds: NEUTRAL, stack: true,
      queries: [[`${perMinute('kind', 'switchboard_client_events_total')}`, '{{kind}}'], [`sum(rate(switchboard_client_events_dropped_total{${S}}[$interval])) * 60`, 'not used']],
      description: 'Reported events a minute, by kind. Anybody can report anything: no alert goes by these.',
    }),

    row('Mesh, as signaling sees it'),
    graph({
      title: 'Signals by kind', unit: 'mps', thresholds: NEUTRAL,
      queries: [[`sum by (type) (rate(switchboard_messages_total{${S},direction="in",type=~"offer|answer|candidate|app"}[$interval]))`, '{{type}}']],
      description: 'Offers, answers, candidates and applications’ own messages from clients, a second.',
    }),
    graph({
      title: 'Answers per offer', unit: 'percentunit', thresholds: falling([0.9, 0.7]), drawThresholds: false,
      queries: [[`${signals('answer')} / ${signals('offer')}`, 'answers per offer']],
      description: 'Near 100 %: pairs negotiate. Lower: offers go to peers that do not answer, or collide. Empty while nobody offers.',
    }),
    graph({
      title: 'Candidates per offer', unit: 'none', decimals: 1, thresholds: falling([1, 0.5]), drawThresholds: false,
      queries: [[`${signals('candidate')} / ${signals('offer')}`, 'candidates per offer']],
      description: 'None with trickling clients: their browsers find no address to offer (blocked mDNS, no STUN). Empty while nobody offers.',
    }),
    graph({
      title: 'Relays by outcome', unit: 'cps', thresholds: NEUTRAL,
      queries: [[`sum by (outcome) (rate(switchboard_relays_total{${S}}[$interval]))`, '{{outcome}}']],
      description: 'Signals towards one receiver each, by what became of them. peer_not_found and stray in passing are peers that just left.',
    }),
  ],
});
