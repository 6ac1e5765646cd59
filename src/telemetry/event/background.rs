//! The part of the table of events that is about what goes on in the background: what operators ask for, restarts, STUN, log
//! files, webhooks.

/// Hands the rows that it is given to `$events`, with its own behind them: one table, of which a file has a part.
macro_rules! with_background_events {
    ($events:ident { $($rows:tt)* }) => {
        $events! {
            $($rows)*
            /// The sessions that can be resumed, and what is locked and banned, are written for the next process.
            StateStored = "state_stored", Info, "state stored for the next start" {
                sessions: usize,
                /// Rooms with such a session.
                rooms: usize,
                /// Rooms with a lock or bans.
                moderated: usize,
                bytes: usize,
                /// From the first session that was not read any more.
                took["took_ms"]: Duration,
            }
            /// They could not be: the sessions end with this process.
            StateNotStored = "state_not_stored", Warning, "state not stored" {
                error["cause"]: &'a (dyn Error + 'static),
            }
            /// What the process before has left is in force again. Nobody was let in before that.
            StateRestored = "state_restored", Info, "state restored" {
                sessions: usize,
                /// Rooms with such a session.
                rooms: usize,
                /// Rooms with a lock or bans.
                moderated: usize,
                /// Since it was written.
                age["age_ms"]: Duration,
                took["took_ms"]: Duration,
            }
            /// What the process before has left is not taken up, or its sessions are not. It is removed all the same.
            StateRefused = "state_refused", Warning, "state refused" {
                error["cause"]: &'a (dyn Error + 'static),
            }
            /// A session of the process before goes on, without a socket, until its client comes back.
            SessionRestored = "session_restored", Debug, "session restored" {
                /// All of them; the request is the one that the session began with.
                context: Context<'a>,
                /// How long its client is waited for.
                window["window_ms"]: Duration,
            }
            /// An operator looked into rooms, or asked for a change, by the ops listener.
            OperatorCall = "operator_call", Info, "operator call" {
                /// The request, and the room that it concerns.
                context: Context<'a>,
                /// Who asked.
                remote: SocketAddr,
                /// What for.
                call: OpsCall,
                /// What was answered.
                status: u16,
            }
            /// A room is fractured: somebody in it has reached some of the others, and not all, for more than 15 s. Clients report it. Told
            /// when it begins.
            MeshFractured = "mesh_fractured", Warning, "mesh fractured" {
                /// The room.
                context: Context<'a>,
                /// Pairs that are connected.
                connected: u64,
                /// Those that are neither that nor failed.
                waiting: u64,
                /// Those that have failed.
                failed: u64,
            }
            /// It is so no more.
            MeshWhole = "mesh_whole", Info, "mesh whole again" {
                /// The room.
                context: Context<'a>,
                /// As above.
                connected: u64,
                /// As above.
                waiting: u64,
                /// As above.
                failed: u64,
            }
            /// An operator set another level of the log, until the next reload or restart. Told at whichever level tells more.
            LogLevelSet = "log_level_set", Info, "log level set" {
                from: &'static str,
                to: &'static str,
            }
            /// What is recorded of rooms was given up before its time: `recorder.total_bytes` is used, or memory is.
            RecordingsGivenUp = "recordings_given_up", Info, "recordings given up" {
                /// How many of this thread's, in the last seconds.
                recordings: u64,
            }
            /// The STUN responder listens.
            StunStarted = "stun_started", Info, "STUN responder started" {
                address: SocketAddr,
            }
            /// The STUN responder was asked often, by nobody but private addresses, although clients are told of it at a public host: a
            /// proxy or a NAT before it hides who asks, and what it tells them is of no use. What comes from loopback is not counted. Told
            /// once.
            StunOnlyPrivate = "stun_only_private", Warning, "STUN responder sees only private addresses" {
                /// Who asked last.
                remote: SocketAddr,
                /// `stun.public_host`; empty: the host that each client used, of which one at least was public.
                public_host: &'a str,
            }
            /// What `switchboard stun` has counted since it said so last: every ten minutes if there is anything, and at its end.
            StunCounted = "stun_counted", Info, "STUN requests counted" {
                /// Requests that were answered.
                answered: u64,
                /// Datagrams that were not: no requests, or beyond a limit.
                refused: u64,
            }
            /// The STUN responder was asked more often than `stun.total_rate`, by all addresses together, and left requests unanswered. Told
            /// at once, and each minute while it goes on.
            StunTotalLimit = "stun_total_limit", Warning, "STUN requests beyond the limit of all" {
                /// Requests without an answer for that reason, since it was told last.
                refused: u64,
            }
            /// A STUN or TURN server that clients are told of does not give what it is asked for: nobody who needs it finds a way. Told
            /// when it begins.
            IceServerFailed = "ice_server_failed", Warning, "ICE server failed" {
                /// As clients are told it.
                url: &'a str,
                error["cause"]: &'a (dyn Error + 'static),
            }
            /// It works again.
            IceServerRestored = "ice_server_restored", Info, "ICE server works again" {
                url: &'a str,
                /// For how long it did not.
                failed["failed_ms"]: Duration,
            }
            /// A log file could not be written, or the files of earlier days not be compressed or removed. Told at once, and each
            /// minute while it goes on.
            LogFileFailed = "log_file_failed", Warning, "log file failed" {
                /// Which, or the folder.
                file: &'a str,
                error["cause"]: &'a (dyn Error + 'static),
                /// Lines that are missing in it since it failed. All are counted.
                lines: u64,
            }
            /// A log file can be written again.
            LogFileRestored = "log_file_restored", Info, "log file restored" {
                file: &'a str,
                /// Lines that are missing in it.
                lines: u64,
            }
            /// Somebody else removed, renamed, replaced or emptied the log file that is being written; it goes on in one of the
            /// usual name.
            LogFileReopened = "log_file_reopened", Warning, "log file opened anew" {
                file: &'a str,
                /// What became of the one before.
                found: &'static str,
            }
            /// A log file was removed before its days were over, because all of them together reached `log.max_bytes`.
            LogFileRemoved = "log_file_removed", Warning, "log file removed" {
                file: &'a str,
                bytes: u64,
            }
            /// The log was read more slowly than it was written, and lines are missing here.
            LogLinesDropped = "log_lines_dropped", Warning, "log lines dropped" {
                /// How many since the last such line.
                lines: u64,
            }
            /// The Redis of the cluster cannot be reached, or does not do what it is asked. Told at once, and each minute while it is so.
            RedisFailed = "redis_failed", Warning, "redis failed" {
                /// Why, without credentials.
                detail: &'a str,
                /// Commands that wait for it.
                waiting: usize,
            }
            /// It works again, and what was missed is here.
            RedisRestored = "redis_restored", Info, "redis works again" {
                /// How long it did not.
                failed["failed_ms"]: Duration,
            }
            /// Redis has lost data. For `cluster.node_timeout_ms` nodes say what they have, and nobody joins.
            ClusterDataLost = "cluster_data_lost", Warning, "redis has lost data" {
                /// How often, since the start.
                losses: u64,
            }
            /// Other nodes were silent for `cluster.node_timeout_ms`: their peers have left.
            NodeDead = "node_dead", Warning, "node dead" {
                /// How many so far.
                nodes: u64,
            }
            /// Another process has this node's name (`server.node`) and began later: this one has no peers in the cluster any more, and
            /// takes none.
            NodeSuperseded = "node_superseded", Error, "another node has this name" {
                node: &'a str,
            }
            /// The receiver of webhooks does not get an event. Told at once, and each minute while it gets none.
            WebhookFailed = "webhook_failed", Warning, "webhook failed" {
                /// What became of the attempt.
                outcome: WebhookOutcome,
                /// What it answered; 0: nothing.
                status: u16,
                /// What went wrong, if no status says it.
                detail: &'a str,
                /// Events that wait for it.
                waiting: usize,
                /// Events that it will not get, since the start.
                dropped: u64,
            }
            /// The receiver of webhooks gets events again.
            WebhookRestored = "webhook_restored", Info, "webhook works again" {
                /// How long it got none.
                failed["failed_ms"]: Duration,
                /// Events that wait for it.
                waiting: usize,
                /// Events that it will not get, since the start.
                dropped: u64,
            }
        }
    };
}
pub(super) use with_background_events;
