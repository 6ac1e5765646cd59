//! One peer's membership of one room as its client knows it, and what of the server's it can check by itself: every
//! frame must fit what came before.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{counts::Counts, numbering::Numbering};

/// Another peer as this one sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) join_seq: u64,
    pub(crate) version: u64,
    pub(crate) polite: bool,
    pub(crate) away: bool,
}

/// What a frame leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    /// The membership is over: `left` came.
    Over,
    /// The connection will end, for this reason.
    Bye(String),
}

/// A membership of a room, resumes included.
pub(crate) struct Membership {
    /// The number of the join: no other has it.
    pub(crate) join_seq: u64,
    pub(crate) room: String,
    pub(crate) id: String,
    pub(crate) version: u64,
    /// The latest version that was asked for.
    proposed: u64,
    pub(crate) view: BTreeMap<String, Seen>,
    pub(crate) numbering: Numbering,
    pub(crate) counts: Counts,
    /// Updates and leaves that are not answered.
    pub(crate) asked: BTreeSet<String>,
    /// Who was said not to be here, by join.
    pub(crate) not_found: BTreeSet<u64>,
    /// For the next resume.
    pub(crate) token: Option<String>,
    /// The server has shown that it heard of the token's arrival.
    pub(crate) confirmed: bool,
    /// Said `leave`.
    pub(crate) leaving: bool,
    /// A resume was tried and given up before its answer: it may still have its effect, or have had it.
    pub(crate) murky: bool,
    /// When the server was last known to be listening to this peer.
    pub(crate) alive_at: Instant,
    /// Pongs since the connection was made.
    pub(crate) pongs: u64,
    pings: BTreeMap<String, Instant>,
    names: u64,
}

impl Membership {
    /// A membership that begins with this `joined`, for a `join` that was sent at that time.
    pub(crate) fn begin(join_seq: u64, room: &str, joined: &Value, asked_at: Instant) -> Result<Self, String> {
        let id = joined["self"]["id"].as_str().ok_or("no self.id")?.to_owned();
        let mut membership = Self {
            join_seq,
            room: room.to_owned(),
            id,
            version: 0,
            proposed: 0,
            view: BTreeMap::new(),
            numbering: Numbering::default(),
            counts: Counts::default(),
            asked: BTreeSet::new(),
            not_found: BTreeSet::new(),
            token: joined["resume"]["token"].as_str().map(str::to_owned),
            confirmed: false,
            leaving: false,
            murky: false,
            alive_at: asked_at,
            pongs: 0,
            pings: BTreeMap::new(),
            names: 0,
        };
        if joined["self"]["meta"] != membership.meta() || joined["room"] != *room {
            return Err("not what was joined".into());
        }
        membership.take_view(joined)?;
        for seen in membership.view.values() {
            membership.numbering.meet(seen.join_seq, true);
        }
        Ok(membership)
    }

    /// The metadata that the others see.
    pub(crate) fn meta(&self) -> Value {
        json!({"join_seq": self.join_seq, "version": self.version})
    }

    fn take_view(&mut self, joined: &Value) -> Result<(), String> {
        let peers = joined["peers"].as_array().ok_or("no peers")?;
        self.view.clear();
        for peer in peers {
            let (id, mut seen) = seen(peer)?;
            seen.away = peer["away"]["until"].is_u64();
            self.view.insert(id, seen);
        }
        if self.view.len() != peers.len() || self.view.contains_key(&self.id) {
            return Err("peers are listed twice, or this one is".into());
        }
        Ok(())
    }

    /// The connection is a new one: nothing that it was asked outside the counts is answered any more.
    pub(crate) fn reconnect(&mut self) {
        self.pings.clear();
        self.pongs = 0;
    }

    /// The answer to a resume. What is kept then is to be sent again.
    pub(crate) fn resumed(&mut self, joined: &Value, asked_at: Instant) -> Result<bool, String> {
        let complete = joined["complete"].as_bool().ok_or("no complete")?;
        if joined["self"]["id"] != *self.id || joined["room"] != *self.room {
            return Err("another session".into());
        }
        let handled = self.counts.acked(joined["ack"].as_u64().ok_or("no ack")?)?;
        if complete {
            if joined.get("peers").is_some() {
                return Err("complete, and peers".into());
            }
        } else {
            self.counts.begin_anew();
            // Replies to what was handled are lost with all the rest.
            for frame in &handled {
                self.asked.remove(frame["id"].as_str().unwrap_or_default());
            }
            self.version = joined["self"]["meta"]["version"].as_u64().ok_or("no version")?;
            self.take_view(joined)?;
            self.numbering.missed_some(self.view.values().map(|seen| seen.join_seq));
        }
        self.token = joined["resume"]["token"].as_str().map(str::to_owned);
        self.alive_at = asked_at;
        Ok(complete)
    }

    /// Whether the server may say that it knows no such session.
    pub(crate) fn may_be_forgotten(&self, window: Duration) -> bool {
        self.leaving || self.murky || !self.confirmed || self.alive_at.elapsed() >= window
    }

    /// A name for a request.
    fn name(&mut self, of: &str) -> String {
        self.names += 1;
        format!("{of}-{}-{}", self.join_seq, self.names)
    }

    /// A request for the next version of the metadata.
    pub(crate) fn update(&mut self) -> Value {
        self.proposed += 1;
        let id = self.name("update");
        self.asked.insert(id.clone());
        json!({"type": "update", "id": id, "meta": {"join_seq": self.join_seq, "version": self.proposed}})
    }

    /// A request to leave.
    pub(crate) fn leave(&mut self) -> Value {
        self.leaving = true;
        let id = self.name("leave");
        self.asked.insert(id.clone());
        json!({"type": "leave", "id": id})
    }

    /// A ping that acknowledges everything.
    pub(crate) fn ping(&mut self) -> Value {
        let id = self.name("ping");
        self.pings.insert(id.clone(), Instant::now());
        self.counts.acknowledged = self.counts.received;
        match self.token {
            Some(_) => json!({"type": "ping", "id": id, "ack": self.counts.received}),
            None => json!({"type": "ping", "id": id}),
        }
    }

    /// A frame came on the connection on which this membership goes on.
    pub(crate) fn receive(&mut self, frame: &Value) -> Result<Then, String> {
        let kind = frame["type"].as_str().unwrap_or_default();
        match kind {
            "pong" => return self.pong(frame).map(|()| Then::GoOn),
            "bye" => return Ok(Then::Bye(frame["reason"].as_str().unwrap_or_default().to_owned())),
            _ => self.counts.received += 1,
        }
        match kind {
            "signal" => self.signal(frame)?,
            "peer_joined" => {
                let (id, seen) = seen(frame)?;
                self.numbering.meet(seen.join_seq, false);
                if id == self.id || self.view.insert(id, seen).is_some() {
                    return Err("it is here already".into());
                }
            }
            "peer_left" => {
                self.view.remove(frame["id"].as_str().unwrap_or_default()).ok_or("it is not here")?;
            }
            "peer_away" => self.turn(frame, true)?,
            "peer_back" => self.turn(frame, false)?,
            "peer_updated" => self.updated(frame)?,
            "error" => self.error(frame)?,
            "left" => {
                self.answered(frame)?;
                return Ok(Then::Over);
            }
            _ => return Err("this is not to be expected here".into()),
        }
        Ok(Then::GoOn)
    }

    fn pong(&mut self, frame: &Value) -> Result<(), String> {
        let asked_at = self.pings.remove(frame["re"].as_str().unwrap_or_default()).ok_or("nobody asked")?;
        self.alive_at = self.alive_at.max(asked_at);
        self.pongs += 1;
        self.confirmed = true;
        self.murky = false;
        if self.token.is_some() {
            self.counts.acked(frame["ack"].as_u64().ok_or("no ack")?)?;
        }
        Ok(())
    }

    fn signal(&mut self, frame: &Value) -> Result<(), String> {
        let from = self.view.get(frame["from"].as_str().unwrap_or_default()).ok_or("its sender is not here")?;
        if frame["data"]["join_seq"] != from.join_seq {
            return Err(format!("its sender is here with join {}", from.join_seq));
        }
        self.numbering.receive(&frame["data"], &self.id, self.join_seq)
    }

    fn turn(&mut self, frame: &Value, away: bool) -> Result<(), String> {
        let peer = self.view.get_mut(frame["id"].as_str().unwrap_or_default()).ok_or("it is not here")?;
        if std::mem::replace(&mut peer.away, away) == away { Err("it was so before".into()) } else { Ok(()) }
    }

    fn updated(&mut self, frame: &Value) -> Result<(), String> {
        let version = frame["meta"]["version"].as_u64().ok_or("no version")?;
        let id = frame["id"].as_str().unwrap_or_default();
        let last = if id == self.id {
            self.answered(frame)?;
            &mut self.version
        } else {
            &mut self.view.get_mut(id).ok_or("it is not here")?.version
        };
        if version <= *last {
            return Err(format!("version {version} after {last}"));
        }
        *last = version;
        Ok(())
    }

    fn error(&mut self, frame: &Value) -> Result<(), String> {
        match (frame["code"].as_str().unwrap_or_default(), frame.get("re")) {
            // Too fast: nothing is lost. Or an update that was refused.
            ("rate_limited", None) => Ok(()),
            // With `peer_busy` an update, too: the peers named have too much waiting.
            ("rate_limited" | "peer_busy", Some(_)) => self.answered(frame),
            ("peer_busy", None) => {
                let busy = frame["peers"].as_array().ok_or("no peers")?;
                let here = busy.iter().filter_map(|id| self.view.get(id.as_str()?)).map(|seen| seen.join_seq);
                self.numbering.refused(here);
                Ok(())
            }
            ("peer_not_found", _) => {
                let missing = frame["peers"].as_array().ok_or("no peers")?;
                let here = missing.iter().filter_map(|id| self.view.get(id.as_str()?)).map(|seen| seen.join_seq);
                self.not_found.extend(here);
                Ok(())
            }
            _ => Err("no such error was earned".into()),
        }
    }

    fn answered(&mut self, frame: &Value) -> Result<(), String> {
        let re = frame["re"].as_str().unwrap_or_default();
        if self.asked.remove(re) { Ok(()) } else { Err(format!("nobody waits for {re:?}")) }
    }
}

fn seen(peer: &Value) -> Result<(String, Seen), String> {
    let number = |field: &str| peer["meta"][field].as_u64().ok_or(format!("no {field}"));
    let polite = peer["polite"].as_bool().ok_or("no polite")?;
    let id = peer["id"].as_str().ok_or("no id")?.to_owned();
    Ok((id, Seen { join_seq: number("join_seq")?, version: number("version")?, polite, away: false }))
}
