// Generated from src/protocol and docs/protocol.md by `UPDATE_DOCS=1 cargo test --lib wire_types`. Do not edit.

/** A word of a list that newer servers may have made longer: go by what else the frame says. */
export type Open<Word extends string> = Word | (string & {});

/** What a peer lets the others know of itself. */
export type Meta = { [name: string]: unknown };

/** An `RTCIceServer`, for where there is no DOM. */
export interface IceServer {
  urls: string | string[];
  username?: string;
  credential?: string;
}

/** What a signal carries. */
export type SignalKind =
  | 'offer'
  | 'answer'
  | 'candidate'
  | 'app';

/** Optional parts of the protocol. */
export type Feature =
  | 'resume'
  | 'tokens'
  | 'wait'
  | 'identity'
  | 'busy'
  | 'ice'
  | 'moderation'
  | 'report'
  | 'restart';

/** What a session may do. */
export type Permission =
  | 'join'
  | 'signal'
  | 'broadcast'
  | 'update'
  | 'admin';

/** What kind of trouble an error is. */
export type ErrorCategory =
  | 'INVALID_MESSAGE'
  | 'WS_ERROR'
  | 'AUTH'
  | 'ROOM_FULL'
  | 'ROOM_STATE'
  | 'PEER'
  | 'RATE_LIMITED'
  | 'SESSION'
  | 'SERVER';

/** Why a peer is no longer in a room. */
export type LeaveReason =
  | 'left'
  | 'disconnected'
  | 'timeout'
  | 'slow_consumer'
  | 'error'
  | 'server_draining'
  | 'replaced'
  | 'kicked'
  | 'token_expired'
  | 'room_closed';

/** What an event of a report is about. */
export type ReportKind =
  | 'opened'
  | 'round_trip'
  | 'reconnect_attempt'
  | 'reconnected'
  | 'reconnect_failed'
  | 'session_ended'
  | 'error'
  | 'pair_attempt'
  | 'pair_connected'
  | 'pair_failed'
  | 'pair_round_trip'
  | 'pair_restarted'
  | 'pair_closed';

/** The type of a candidate. */
export type CandidateType =
  | 'host'
  | 'srflx'
  | 'prflx'
  | 'relay';

/** Why two peers have no connection. */
export type PairFailure =
  | 'ice_failed'
  | 'ice_timeout'
  | 'dtls_failed'
  | 'no_answer'
  | 'negotiation_failed'
  | 'over_capacity';

/** Every error code of the server. */
export const ERROR_CODES = {
  invalid_message: { category: 'INVALID_MESSAGE', retryable: false },
  message_too_large: { category: 'INVALID_MESSAGE', retryable: false },
  unknown_type: { category: 'INVALID_MESSAGE', retryable: false },
  unsupported_version: { category: 'WS_ERROR', retryable: false },
  bad_handshake: { category: 'WS_ERROR', retryable: false },
  join_timeout: { category: 'WS_ERROR', retryable: true },
  slow_consumer: { category: 'WS_ERROR', retryable: true },
  ping_timeout: { category: 'WS_ERROR', retryable: true },
  unauthorized: { category: 'AUTH', retryable: false },
  token_expired: { category: 'AUTH', retryable: false },
  permission_denied: { category: 'AUTH', retryable: false },
  banned: { category: 'AUTH', retryable: true },
  origin_denied: { category: 'AUTH', retryable: false },
  room_full: { category: 'ROOM_FULL', retryable: true },
  room_limit: { category: 'ROOM_FULL', retryable: true },
  over_capacity: { category: 'ROOM_FULL', retryable: true },
  room_closed: { category: 'ROOM_STATE', retryable: true },
  room_locked: { category: 'ROOM_STATE', retryable: true },
  already_joined: { category: 'ROOM_STATE', retryable: false },
  not_in_room: { category: 'ROOM_STATE', retryable: false },
  peer_not_found: { category: 'PEER', retryable: false },
  rate_limited: { category: 'RATE_LIMITED', retryable: true },
  peer_busy: { category: 'RATE_LIMITED', retryable: true },
  session_not_found: { category: 'SESSION', retryable: false },
  session_taken: { category: 'SESSION', retryable: false },
  server_draining: { category: 'SERVER', retryable: true },
  unavailable: { category: 'SERVER', retryable: true },
  internal: { category: 'SERVER', retryable: true },
} as const;

/** A code of the server's errors. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Every reason of an ending. `closeCode`: null where the socket is reset, which a client sees as 1006. */
export const END_REASONS = {
  client_closed: { closeCode: 1000, action: 'disconnect', others: 'left' },
  disconnected: { closeCode: null, action: 'reconnect', others: 'disconnected' },
  ping_timeout: { closeCode: 4001, action: 'reconnect', others: 'timeout' },
  join_timeout: { closeCode: 4000, action: 'reconnect', others: 'disconnected' },
  slow_consumer: { closeCode: null, action: 'reconnect', others: 'slow_consumer' },
  protocol_error: { closeCode: 1002, action: 'disconnect', others: 'error' },
  binary_message: { closeCode: 1003, action: 'disconnect', others: 'error' },
  invalid_utf8: { closeCode: 1007, action: 'disconnect', others: 'error' },
  message_too_large: { closeCode: 1009, action: 'disconnect', others: 'error' },
  rate_limited: { closeCode: 4002, action: 'reconnect', others: 'error' },
  memory_pressure: { closeCode: 1013, action: 'reconnect', others: 'disconnected' },
  session_taken: { closeCode: 4500, action: 'disconnect', others: 'replaced' },
  kicked: { closeCode: 4501, action: 'disconnect', others: 'kicked' },
  room_closed: { closeCode: 4503, action: 'disconnect', others: 'room_closed' },
  token_expired: { closeCode: 4502, action: 'disconnect', others: 'token_expired' },
  resume_expired: { closeCode: null, action: 'reconnect', others: 'timeout' },
  server_draining: { closeCode: 1012, action: 'reconnect', others: 'server_draining' },
  internal: { closeCode: 1011, action: 'reconnect', others: 'error' },
} as const;

/** Why the server ends a connection. */
export type EndReason = keyof typeof END_REASONS;

/** What a client is held to: `welcome.limits`. */
export interface Limits {
  /** bytes of one message, over all its fragments; beyond: closed with 1009 */
  frameBytes: number;
  /** bytes waiting for one slow reader; beyond its share of them a sender is made to wait, then peer_busy */
  queueBytes: number;
  /** frames waiting for one slow reader; beyond: as above */
  queueFrames: number;
  /** milliseconds for which a sender is read no further in one go; beyond: peer_busy */
  busyPauseMs: number;
  /** bytes of one peer's metadata */
  metaBytes: number;
  /** bytes of a room's name */
  roomNameBytes: number;
  /** peers in one room; beyond: room_full */
  peersPerRoom: number;
  /** names in one to, repetitions included */
  recipients: number;
  /** levels of arrays and objects in a payload or in metadata */
  jsonDepth: number;
  /** milliseconds in no room without an attempt to join that comes no sooner than it may; beyond: closed with 4000 */
  joinTimeoutMs: number;
  /** frames kept for one resumable session until it acknowledges them; beyond: the oldest are dropped, and a resume that needs them is not complete */
  resumeFrames: number;
  /** bytes kept for one resumable session; beyond: as above */
  resumeBytes: number;
  /** milliseconds that a session waits for its client; beyond: the others hear peer_left with timeout */
  resumeWindowMs: number;
  /** frames a second of one connection in the long run; beyond: read no faster, see [pace](#pace) */
  frameRate: number;
  /** frames of one connection at once, if it was quiet before */
  frameBurst: number;
  /** bytes a second of one connection in the long run; beyond: as above */
  byteRate: number;
  /** bytes of one connection at once, if it was quiet before */
  byteBurst: number;
  /** bytes a second of all connections of one address in the long run; beyond: as above */
  byteRatePerAddress: number;
  /** bytes of all connections of one address at once, if it was quiet before */
  byteBurstPerAddress: number;
  /** milliseconds between two reports of one session; beyond: rate_limited. 0: none are taken */
  reportIntervalMs: number;
  /** events of one report */
  reportEvents: number;
}

/** `join`: Enters a room, which comes into being with its first peer. */
export interface JoinRequest {
  type: 'join';
  /** Comes back as the reply's `re`: 1 to 64 bytes. */
  id?: string;
  room: string;
  /** what the others shall know of this peer */
  meta?: Meta;
  /** 0 or absent: a first join. Otherwise how often this client has tried to come back since it lost its connection; the server counts reconnections by it */
  attempt?: number;
  /** true: when the connection is lost, keep this peer's place for a while, and what is sent to it; see resuming a session. Absent: false, or true with `resume` */
  resumable?: boolean;
  /** take a session over instead of beginning one. `room` must be the session's room, else no such session: join without resume; `meta` and `identity` are not looked at: the peer keeps what it had. Cannot go with `resumable: false` */
  resume?: {
    /** as the last `joined` told it */
    token: string;
    /** how many of the session's frames this client has handled */
    ack: number;
  };
  /** a secret by which the room recognises this person */
  identity?: string;
  /** with `identity`; true: end the sessions of the same person in this room that are connected, too. Those that are away end in any case */
  replace?: boolean;
  /** a token, which counts in place of that of the handshake. With `resume` it renews what the session was granted, in the same step */
  token?: string;
}

/** `leave`: Leaves the room and keeps the connection, which may join again. */
export interface LeaveRequest {
  type: 'leave';
  /** Comes back as the reply's `re`: 1 to 64 bytes. */
  id?: string;
}

/** `signal`: Passes a payload on to others in the room, as `signal` with `from` in place of `to`. */
export interface SignalRequest {
  type: 'signal';
  /** Comes back as the reply's `re`: 1 to 64 bytes. */
  id?: string;
  /** one peer, some, or all others. One that is listed twice is served once. Nobody can signal to itself: that is `peer_not_found`. A name longer than 64 bytes is `invalid_message` */
  to: string | readonly string[];
  /** `app` is for whatever the application likes */
  kind: 'offer' | 'answer' | 'candidate' | 'app';
  /** for `offer` and `answer` an `RTCSessionDescriptionInit`, for `candidate` an `RTCIceCandidateInit`, or `null` for the end of candidates. The server checks none of it */
  data: unknown;
}

/** `update`: Replaces this peer's metadata, or renews its token, or both. */
export interface UpdateRequest {
  type: 'update';
  /** Comes back as the reply's `re`: 1 to 64 bytes. */
  id?: string;
  /** all of it: nothing of the former metadata stays, but for what the token sets */
  meta?: Meta;
  /** what this session is granted from now on. It must name the same user (`sub`, or none) and let its bearer into this room */
  token?: string;
}

/** `ice`: Asks for the ICE servers anew, with fresh credentials, in a room. */
export interface IceRequest {
  type: 'ice';
  /** Comes back as the reply's `re`: 1 to 64 bytes. */
  id?: string;
}

/** `kick`: Sends somebody out of this peer's room, and perhaps keeps it out; asks for the permission `admin`. */
export interface KickRequest {
  type: 'kick';
  /** Comes back as the reply's `re`: 1 to 64 bytes. */
  id?: string;
  /** this peer */
  peer?: string;
  /** all peers of this person. Where there is none, everybody in the room, the sender included, hears `kicked` */
  who?: string;
  /** all peers whose tokens name this user, whether users are shown or not; 1 to 128 bytes */
  user?: string;
  /** what those who go are told; 1 to 256 bytes, no control characters but line feeds */
  reason?: string;
  /** for how many milliseconds the room does not let them in again: 1000 to 2592000000 (30 days) */
  banMs?: number;
}

/** `lock`: Locks this peer's room, or unlocks it; asks for the permission `admin`. */
export interface LockRequest {
  type: 'lock';
  /** Comes back as the reply's `re`: 1 to 64 bytes. */
  id?: string;
  /** whether the room lets nobody in */
  locked: boolean;
}

/** `report`: Says how this client is doing, for the server's operator: see reports. */
export interface ReportRequest {
  type: 'report';
  /** Comes back as the reply's `re`: 1 to 64 bytes. */
  id?: string;
  /** 1 to `limits.reportEvents`, in the order in which they happened */
  events: Array<{
    /** what it is about. A kind that is not known counts as `other`, whatever else the event has */
    kind: ReportKind;
    /** the other end of a pair. An event that names nobody of this room, or the client itself, is not used, and counted */
    peer?: string;
    /** milliseconds, 0 to 4294967295 */
    ms?: number;
    /** what `RTCIceCandidate.type` says of the local candidate that is used */
    candidate?: CandidateType;
    /** why there is no connection */
    reason?: PairFailure;
    /** an error code, or one of the client's own; at most 64 bytes */
    code?: string;
  }>;
}

/** `ping`: Asks for a `pong`, in a room or not: for measuring the round trip, and in a resumable session for acknowledging. */
export interface PingRequest {
  type: 'ping';
  /** Comes back as the reply's `re`: 1 to 64 bytes. */
  id?: string;
  /** comes back in the `pong` as it was written */
  t?: number;
  /** how many of the session's frames this client has handled. Where the session is not resumable there is nothing to acknowledge, and `ack` is ignored */
  ack?: number;
}

/** What a client sends. */
export type ClientFrame =
  | JoinRequest
  | LeaveRequest
  | SignalRequest
  | UpdateRequest
  | IceRequest
  | KickRequest
  | LockRequest
  | ReportRequest
  | PingRequest;

/** `welcome`: The first frame of every connection. */
export interface WelcomeFrame {
  type: 'welcome';
  /** this session's name in the server's logs: put it into bug reports. No other peer learns it. After a resume the old session's name is in use again: the first half of its token */
  session: string;
  /** the server's version */
  version: string;
  /** the server's own name; absent if its operator gave it none */
  node: string;
  /** optional parts of the protocol that this server speaks: `resume` when sessions can be resumed: without it `resumable`, `resume` and `ack` are not to be sent. `wait` when a connection may wait for a seat: without it a connection that is in no room is closed after `limits.joinTimeoutMs`, however often it tries. `identity` when the server knows who somebody is: without it `identity` and `replace` are not to be sent. `busy` when who fills a peer's queue is told `peer_busy`. `ice` when the server answers `ice`: without it that is not to be sent. `tokens` when the server takes tokens: without it `token` is not to be sent; `moderation` when rooms can be moderated: `kick` and `lock` are known. `report` when clients may `report` how they are doing: without it that is not to be sent; `restart` when a restart of this server ends no session that can be resumed */
  features: Array<Open<Feature>>;
  /** see limits */
  limits: Limits;
  /** see heartbeats */
  heartbeat: {
    /** silence after which the server sends a WebSocket ping */
    intervalMs: number;
    /** silence after which it closes the connection */
    timeoutMs: number;
  };
}

/** `joined`: The reply to `join`, and the complete room: forget what was known of an earlier one. */
export interface JoinedFrame {
  type: 'joined';
  re?: string;
  /** this peer */
  self: {
    id: string;
    /** who it is, if it gave an identity */
    who?: string;
    meta?: Meta;
    /** the user that its token names, if users are shown */
    user?: string;
  };
  room: string;
  /** true: every frame that this client has not seen follows, once and in order. False: some are lost; `peers` is the room as it is, and both counts start anew */
  complete?: boolean;
  /** how many of this client's frames the server has handled: send the rest again before anything new */
  ack?: number;
  /** everybody else */
  peers?: Array<{
    id: string;
    /** as above */
    who?: string;
    meta?: Meta;
    /** as above */
    user?: string;
    /** whether this client is polite towards it */
    polite: boolean;
    /** it is away */
    away?: {
      /** that of `peer_away` */
      until: number;
    };
  }>;
  /** most peers the room takes, this one included; never more than the token's `cap` */
  capacity: number;
  /** true: the room is locked; absent: it is not, or `complete` is true: as before */
  locked?: boolean;
  /** for `new RTCPeerConnection({ iceServers })`, as it is; may be empty. See ICE servers */
  iceServers: Array<IceServer>;
  /** how long the credentials in it are good, in milliseconds; absent where none of them ends */
  iceTtlMs?: number;
  /** what this session may: see tokens */
  permissions?: Array<Open<Permission>>;
  /** for how long, if nothing renews it */
  expiresInMs?: number;
  /** for the next resume */
  resume?: {
    /** a secret */
    token: string;
    /** how long after the loss of the connection it can be used */
    windowMs: number;
  };
}

/** `left`: The reply to `leave`. */
export interface LeftFrame {
  type: 'left';
  re?: string;
  /** the one that was left */
  room: string;
}

/** `signal`: What another peer of the room sent. */
export interface SignalFrame {
  type: 'signal';
  from: string;
  /** as it was sent */
  kind: Open<'offer' | 'answer' | 'candidate' | 'app'>;
  /** byte for byte as it was sent */
  data: unknown;
}

/** `peer_joined`: Somebody came into the room. */
export interface PeerJoinedFrame {
  type: 'peer_joined';
  id: string;
  /** who it is, if it gave an identity */
  who?: string;
  meta?: Meta;
  /** the user that its token names, if users are shown */
  user?: string;
  /** whether this client is polite towards the newcomer */
  polite: boolean;
  /** in whose place it came: the same person's, whose `peer_left` with `replaced` has just come. Of several, the one that joined last */
  replaces?: string;
}

/** `peer_left`: Somebody is no longer in the room. */
export interface PeerLeftFrame {
  type: 'peer_left';
  id: string;
  /** see reasons of a leave */
  reason: Open<LeaveReason>;
}

/** `peer_updated`: A peer has new metadata; to that peer itself, with `re`, it is the reply to `update`. */
export interface PeerUpdatedFrame {
  type: 'peer_updated';
  re?: string;
  id: string;
  /** all of it */
  meta: Meta;
}

/** `peer_away`: A peer lost its connection and may resume its session. */
export interface PeerAwayFrame {
  type: 'peer_away';
  id: string;
  /** when its place is given up, in milliseconds since the Unix epoch by the server's clock. For showing to people: the client's clock may be wrong, and the frame that follows is what counts */
  until: number;
}

/** `peer_back`: A peer that was away has resumed its session. */
export interface PeerBackFrame {
  type: 'peer_back';
  id: string;
}

/** `permissions`: What this session may now, and for how long: the reply to a token in `update`; and without `re`, 60 s before the end, so that the client renews its token. */
export interface PermissionsFrame {
  type: 'permissions';
  re?: string;
  /** see tokens */
  permissions: Array<Open<Permission>>;
  /** if nothing renews it, the session ends then */
  expiresInMs: number;
}

/** `ice_servers`: The reply to `ice`: what `joined` would say now. */
export interface IceServersFrame {
  type: 'ice_servers';
  re?: string;
  /** as in `joined` */
  iceServers: Array<IceServer>;
  /** how long the credentials in it are good, in milliseconds; absent where none of them ends */
  ttlMs?: number;
}

/** `pong`: The reply to `ping`. */
export interface PongFrame {
  type: 'pong';
  re?: string;
  /** as it was written in the `ping` */
  t?: number;
  /** how many of this client's frames the server has handled */
  ack?: number;
}

/** `error`: A request failed, and nothing else has changed. */
export interface ErrorFrame {
  type: 'error';
  /** the request's `id`. Absent when it had none, or when the text was no JSON object or the `id` no good one */
  re?: string;
  /** see error codes: for the program */
  code: Open<ErrorCode>;
  /** what kind of trouble it is: enough for a client that does not know the code */
  category: Open<ErrorCategory>;
  /** whether the same request may succeed later without being changed */
  retryable: boolean;
  /** when that may be, counted from this frame; without it, back off exponentially. Of a refused `join` see waiting for a seat */
  retryAfterMs?: number;
  /** for the developer, in English; may change at any time */
  message: string;
  /** with `peer_not_found`, `peer_busy` and `unavailable`: the peers that the signal did not reach */
  peers?: Array<string>;
}

/** `kicked`: With `re`, the reply to `kick`: it was done. */
export interface KickedFrame {
  type: 'kicked';
  /** the request's `id` */
  re?: string;
  /** the `who` of a person */
  who?: string;
}

/** `room_state`: Whether the room lets anybody in: to everybody in it, whoever asked included, whenever that changes. */
export interface RoomStateFrame {
  type: 'room_state';
  /** the request's `id` */
  re?: string;
  /** true: whoever is not in the room is refused with `room_locked`; see moderation */
  locked: boolean;
}

/** `notice`: What those who run the server want people to read. */
export interface NoticeFrame {
  type: 'notice';
  /** at most 1024 bytes, no control characters but line feeds. To be shown as it is, never as markup */
  text: string;
}

/** `room_closed`: The room ended under its peers. */
export interface RoomClosedFrame {
  type: 'room_closed';
  room: string;
}

/** `bye`: The server is about to close this connection; see endings and draining. */
export interface ByeFrame {
  type: 'bye';
  /** see reasons of an ending */
  reason: Open<EndReason>;
  /** whether the client should come back by itself; `resume`: with its resume token, the seat is kept */
  action: Open<'resume' | 'reconnect' | 'disconnect'>;
  /** with `server_draining` and `reconnect`: when this connection will be closed, or, if it is closed at once, as otherwise: wait at least that long before coming back */
  retryAfterMs: number;
  /** for the client's user, with `kicked` and `room_closed`: what whoever did it says. To be shown as it is, never as markup */
  message?: string;
}

/** What the server sends, by `type`. */
export interface ServerFrames {
  welcome: WelcomeFrame;
  joined: JoinedFrame;
  left: LeftFrame;
  signal: SignalFrame;
  peer_joined: PeerJoinedFrame;
  peer_left: PeerLeftFrame;
  peer_updated: PeerUpdatedFrame;
  peer_away: PeerAwayFrame;
  peer_back: PeerBackFrame;
  permissions: PermissionsFrame;
  ice_servers: IceServersFrame;
  pong: PongFrame;
  error: ErrorFrame;
  kicked: KickedFrame;
  room_state: RoomStateFrame;
  notice: NoticeFrame;
  room_closed: RoomClosedFrame;
  bye: ByeFrame;
}

/** What the server sends. A newer one may send more: ignore what you do not know. */
export type ServerFrame = ServerFrames[keyof ServerFrames];
