//! `switchboard ctl`: the operator's API, for whoever has a terminal and no browser.

mod client;
mod show;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value, json};
use url::Url;

pub use self::client::CtlError;
use self::client::{Client, Method};
use crate::config::Settings;

/// Most rooms or peers that are asked for at once.
const PAGE: usize = 1000;

/// Asks a running server, by its ops listener, and tells it what to do.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[allow(clippy::doc_markdown, reason = "help texts are plain")]
pub struct CtlArguments {
    /// Where its ops listener is, in place of ops.host and ops.port: http://10.0.0.7:9464 or https://ops.example.org:9464
    #[arg(long, value_name = "URL", global = true)]
    pub url: Option<Url>,

    /// File with the operator's token, in place of ops.token_file.
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,

    /// File with the certificates, in PEM, that may vouch for the server over TLS, in place of those that this machine trusts.
    #[arg(long, value_name = "FILE", global = true)]
    pub ca_file: Option<PathBuf>,

    /// Print what the server answers, as JSON.
    #[arg(long, global = true)]
    pub json: bool,

    /// What for.
    #[command(subcommand)]
    pub call: Call,
}

/// What is asked of the server.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[allow(clippy::doc_markdown, reason = "help texts are plain")]
pub enum Call {
    /// List rooms.
    Rooms {
        /// Those whose names begin so.
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// Those with so many peers at least.
        #[arg(long, value_name = "NUMBER")]
        min_peers: Option<u32>,
        /// So many of them.
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: usize,
    },
    /// Show one room, and who is in it. One that is named `.` or `..` has no path; `peers --room` shows who is in it.
    Room {
        /// Its name.
        name: String,
    },
    /// Show who reaches which peer in a room, as its clients report it.
    Mesh {
        /// Its name.
        room: String,
    },
    /// Show what went on in a room, also in one that is over; nothing of what was said in it.
    Recorder {
        /// Its name.
        room: String,
        /// So many facts, the newest: from 1 to 10000.
        #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
        limit: u32,
        /// As a sequence diagram in Mermaid's language, with --json, too.
        #[arg(long)]
        mermaid: bool,
    },
    /// List peers.
    Peers {
        /// Those in this room.
        #[arg(long, value_name = "NAME")]
        room: Option<String>,
        /// Those with this `who`.
        #[arg(long, value_name = "DIGITS")]
        who: Option<String>,
        /// Those whose token names this user.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// So many of them, and all others of the last room.
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: usize,
    },
    /// Send somebody out of a room.
    Kick(KickArguments),
    /// List a room's bans.
    Bans {
        /// Which room.
        room: String,
    },
    /// Let somebody in again.
    Lift {
        /// Into which room.
        room: String,
        /// The ban's id, as `bans` has it.
        ban: u64,
    },
    /// Let nobody into a room any more.
    Lock {
        /// Which.
        room: String,
    },
    /// Let people in again.
    Unlock {
        /// Which.
        room: String,
    },
    /// Send everybody out of a room.
    Close {
        /// Which.
        room: String,
        /// What they are told.
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
    },
    /// Show people a text.
    Notice {
        /// Which.
        text: String,
        /// To those in this room; without it, to all in any.
        #[arg(long, value_name = "NAME")]
        room: Option<String>,
    },
    /// Say which server it is.
    Version,
    /// List the limits in force.
    Limits,
    /// Say down to which level is logged, or set it until the next reload or restart.
    LogLevel {
        /// critical, error, warn, info, debug or trace.
        level: Option<String>,
    },
    /// Have the configuration read again.
    Reload,
    /// Have the server end, over server.drain_ms.
    Drain,
    /// Take the drain back, as long as it has closed no connection.
    Undrain,
    /// Make a ticket: a token that lets one connection in, within a minute.
    #[command(visible_alias = "token")]
    Ticket(TicketArguments),
}

/// Who is to go, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(group(ArgGroup::new("target").required(true).args(["peer", "who", "user"])))]
pub struct KickArguments {
    /// Out of which room.
    pub room: String,
    /// That peer.
    #[arg(long, value_name = "ID")]
    pub peer: Option<String>,
    /// All with this `who`, and whoever it is and not here.
    #[arg(long, value_name = "DIGITS")]
    pub who: Option<String>,
    /// All whose tokens name this user.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// What they are told.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// For how long nobody of that person, user or address is let in: a number with s, m, h or d.
    #[arg(long, value_name = "TIME", value_parser = super::token::duration)]
    pub ban: Option<std::time::Duration>,
}

/// What a ticket grants.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TicketArguments {
    /// A room that it is for; may be given several times.
    #[arg(long = "room", value_name = "NAME", required_unless_present = "prefix", conflicts_with = "prefix")]
    pub rooms: Vec<String>,
    /// All rooms whose names begin so, in place of --room.
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// The user that it names.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// What it permits, in place of the usual: join, signal, broadcast, update, admin; may be given several times.
    #[arg(long = "perm", value_name = "WORD")]
    pub permissions: Vec<String>,
    /// Most peers that the room may have.
    #[arg(long, value_name = "NUMBER")]
    pub cap: Option<u32>,
    /// How long the session may last that it lets in: a number with s, m, h or d.
    #[arg(long, value_name = "TIME", value_parser = super::token::duration)]
    pub ttl: Option<std::time::Duration>,
}

impl CtlArguments {
    /// Asks, and says what came back, as it is to be printed.
    ///
    /// # Errors
    /// The server is not there, or has refused.
    pub fn run(&self, settings: &Settings) -> Result<String, CtlError> {
        let client = Client::new(settings, self.url.as_ref(), self.token_file.as_deref(), self.ca_file.as_deref())?;
        if let Call::Recorder { room, limit, mermaid: true } = &self.call {
            let query = [("format", "mermaid"), ("limit", &*limit.to_string())];
            return client.ask_text(&["rooms", room, "recorder"], &query, "sequenceDiagram");
        }
        let answer = self.call.ask(&client)?;
        if self.json {
            return Ok(format!("{answer:#}\n"));
        }
        Ok(match self.call {
            Call::Rooms { .. } => show::rooms(&answer),
            Call::Room { .. } => show::room(&answer),
            Call::Mesh { .. } => show::mesh(&answer),
            Call::Recorder { .. } => show::recorder(&answer),
            Call::Peers { .. } => show::peers(&answer["peers"], true) + &show::more(&answer),
            Call::Bans { .. } => show::bans(&answer),
            Call::Ticket(_) => show::text(&answer["ticket"]) + "\n",
            Call::Limits => show::fields(&answer["limits"]),
            _ => show::fields(&answer),
        })
    }
}

impl Call {
    fn ask(&self, client: &Client) -> Result<Value, CtlError> {
        let get = |path: &[&str]| client.ask(Method::Get, path, &[], None);
        let post = |path: &str, body: Value| client.ask(Method::Post, &[path], &[], Some(&body));
        match self {
            Self::Rooms { prefix, min_peers, limit } => {
                let min_peers = min_peers.map(|peers| peers.to_string());
                pages(client, "rooms", &[("prefix", prefix.as_ref()), ("minPeers", min_peers.as_ref())], *limit)
            }
            Self::Room { name } => get(&["rooms", name]),
            Self::Mesh { room } => get(&["rooms", room, "mesh"]),
            Self::Recorder { room, limit, mermaid: _ } => {
                client.ask(Method::Get, &["rooms", room, "recorder"], &[("limit", &limit.to_string())], None)
            }
            Self::Peers { room, who, user, limit } => {
                let filters = [("room", room.as_ref()), ("who", who.as_ref()), ("user", user.as_ref())];
                pages(client, "peers", &filters, *limit)
            }
            Self::Kick(order) => post("kick", order.body()),
            Self::Bans { room } => client.ask(Method::Get, &["bans"], &[("room", room)], None),
            Self::Lift { room, ban } => {
                client.ask(Method::Delete, &["bans"], &[("room", room), ("id", &ban.to_string())], None)
            }
            Self::Lock { room } => post("lock", json!({"room": room, "locked": true})),
            Self::Unlock { room } => post("lock", json!({"room": room, "locked": false})),
            Self::Close { room, text } => {
                post("close", fields([Some(("room", json!(room))), text.as_ref().map(|text| ("text", json!(text)))]))
            }
            Self::Notice { text, room } => {
                post("notice", fields([Some(("text", json!(text))), room.as_ref().map(|room| ("room", json!(room)))]))
            }
            Self::Version => get(&["version"]),
            Self::Limits => get(&["limits"]),
            Self::LogLevel { level: None } => get(&["log-level"]),
            Self::LogLevel { level: Some(level) } => {
                client.ask(Method::Put, &["log-level"], &[], Some(&json!({ "level": level })))
            }
            Self::Reload => post("reload", json!({})),
            Self::Drain => post("drain", json!({})),
            Self::Undrain => post("undrain", json!({})),
            Self::Ticket(order) => post("tickets", order.body()),
        }
    }
}

/// An object of those that are there.
fn fields<const N: usize>(fields: [Option<(&str, Value)>; N]) -> Value {
    fields.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl KickArguments {
    fn body(&self) -> Value {
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        fields([
            Some(("room", json!(self.room))),
            text(&self.peer).map(|peer| ("peer", peer)),
            text(&self.who).map(|who| ("who", who)),
            text(&self.user).map(|user| ("user", user)),
            text(&self.reason).map(|reason| ("reason", reason)),
            self.ban.map(|ban| ("banMs", json!(milliseconds(ban)))),
        ])
    }
}

impl TicketArguments {
    fn body(&self) -> Value {
        let ttl_ms = self.ttl.map(milliseconds);
        fields([
            (!self.rooms.is_empty()).then(|| ("rooms", json!(self.rooms))),
            self.prefix.as_ref().map(|prefix| ("roomPrefix", json!(prefix))),
            self.user.as_ref().map(|user| ("user", json!(user))),
            (!self.permissions.is_empty()).then(|| ("perms", json!(self.permissions))),
            self.cap.map(|cap| ("cap", json!(cap))),
            ttl_ms.map(|ttl| ("ttlMs", json!(ttl))),
        ])
    }
}

/// As many pages as it takes to have `limit` items, or all. `next` is null when all there are came.
fn pages(client: &Client, list: &str, filters: &[(&str, Option<&String>)], limit: usize) -> Result<Value, CtlError> {
    let (mut items, mut next) = (Vec::new(), Value::Null);
    loop {
        let page = PAGE.min(limit.saturating_sub(items.len())).max(1).to_string();
        let cursor = next.as_str().map(str::to_owned);
        let mut query: Vec<(&str, &str)> = vec![("limit", &page)];
        query.extend(filters.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?.as_str()))));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut answer = client.ask(Method::Get, &[list], &query, None)?;
        if let Some(Value::Array(page)) = answer.get_mut(list).map(Value::take) {
            items.extend(page);
        }
        next = answer["next"].take();
        if next.is_null() || items.len() >= limit {
            return Ok(json!({ list: items, "next": next }));
        }
    }
}
