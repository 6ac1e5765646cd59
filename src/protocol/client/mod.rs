//! What a client says: text in, a checked [`Request`] or a [`ParseError`] out.
//!
//! `data` of a `signal` is borrowed from the text, and a signal to one peer costs no allocation. Everything that can be
//! wrong with a frame on its own is found here; what depends on the session's state is the session's business.
mod address;
mod check;
mod fast_path;
mod fields;
mod kick;
mod list;
mod refusal;
mod report;
mod resume;
mod token;

use std::{borrow::Cow, fmt};

pub use address::To;
use fields::{Field, FieldSet, Fields};
use refusal::FieldError;
pub use refusal::ParseError;
pub use resume::ResumeParams;
pub use token::{BearerToken, TOKEN_BYTES};

use super::{FrameKind, Kick, Meta, ReportEvent, RoomName, SignalKind, Who, scan};

/// The configured limits that a frame's text is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseLimits {
    /// `limits.room_name_bytes`: longest name of a room, in bytes of UTF-8.
    pub room_name_bytes: usize,
    /// `limits.meta_bytes`: longest metadata, in bytes of JSON text as the client wrote it.
    pub meta_bytes: usize,
    /// `limits.json_depth`: deepest nesting of `data` and of `meta`; `{}` is one level.
    pub json_depth: usize,
    /// `limits.recipients`: longest list in `to`, repetitions included.
    pub recipients: usize,
    /// `limits.report_events`: most events of one `report`.
    pub report_events: usize,
}

/// A frame that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// Comes back as the reply's `re`. 1 to 64 bytes.
    pub id: Option<Cow<'a, str>>,
    /// What is asked.
    pub frame: ClientFrame<'a>,
}

/// A client that gave its identity. That is a secret, and is not kept: this is all that is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identified {
    /// Who it is in the room that it joins.
    pub who: Who,
    /// Whether it takes the place of whoever is connected as the same, too; of who is away it does in any case.
    pub replace: bool,
}

/// What a client can ask.
#[derive(Clone, PartialEq, Eq)]
pub enum ClientFrame<'a> {
    /// Let me into that room.
    Join {
        /// Which one. It need not exist.
        room: RoomName,
        /// What the others shall know of me.
        meta: Option<Meta>,
        /// 0, or how often this client has tried to come back since it lost its connection.
        attempt: u32,
        /// Keep my seat when my socket is lost. Always so with `resume`.
        resumable: bool,
        /// Give me my session back.
        resume: Option<ResumeParams>,
        /// Who I am. Never so with `resume`: the session is who it was.
        identified: Option<Identified>,
        /// Says what I may.
        token: Option<BearerToken<'a>>,
    },
    /// I leave the room and keep the connection.
    Leave,
    /// Pass this on.
    Signal {
        /// Its receivers.
        to: To,
        /// What it is.
        kind: SignalKind,
        /// The payload: JSON text, exactly as the client wrote it.
        data: &'a str,
    },
    /// My metadata is now this, or what I may, or both.
    Update {
        /// All of it.
        meta: Option<Meta>,
        /// Says what I may from now on. Where there is no `meta`, there is this.
        token: Option<BearerToken<'a>>,
    },
    /// Which ICE servers are there, and with what credentials?
    Ice,
    /// Send somebody out of my room.
    Kick(Kick),
    /// Let nobody into my room, or everybody again.
    Lock {
        /// Which of the two.
        locked: bool,
    },
    /// This is how I am doing.
    Report {
        /// One or more.
        events: Vec<ReportEvent>,
    },
    /// Are you there?
    Ping {
        /// A JSON number, exactly as the client wrote it; comes back in `pong`.
        t: Option<&'a str>,
        /// How many counted frames the client has handled.
        ack: Option<u64>,
    },
}

impl ClientFrame<'_> {
    /// The label in metrics.
    #[must_use]
    pub fn kind(&self) -> FrameKind {
        match self {
            Self::Join { .. } => FrameKind::Join,
            Self::Leave => FrameKind::Leave,
            Self::Signal { kind, .. } => (*kind).into(),
            Self::Update { .. } => FrameKind::Update,
            Self::Ice => FrameKind::Ice,
            Self::Kick(_) => FrameKind::Kick,
            Self::Lock { .. } => FrameKind::Lock,
            Self::Report { .. } => FrameKind::Report,
            Self::Ping { .. } => FrameKind::Ping,
        }
    }
}

impl fmt::Debug for ClientFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join { room, meta, attempt, resumable, resume, identified, token } => {
                write!(f, "Join({room:?}, {meta:?}, attempt {attempt}, resumable {resumable}, {resume:?}, ")?;
                write!(f, "{identified:?}, {token:?})")
            }
            Self::Leave => f.write_str("Leave"),
            // Never the content: it may be SDP.
            Self::Signal { to, kind, data } => write!(f, "Signal({to:?}, {kind:?}, {} bytes)", data.len()),
            Self::Update { meta, token } => write!(f, "Update({meta:?}, {token:?})"),
            Self::Ice => f.write_str("Ice"),
            Self::Kick(kick) => write!(f, "{kick:?}"),
            Self::Lock { locked } => write!(f, "Lock({locked})"),
            Self::Report { events } => write!(f, "Report({} events)", events.len()),
            Self::Ping { t, ack } => write!(f, "Ping({t:?}, {ack:?})"),
        }
    }
}

/// Reads one text message.
///
/// # Errors
/// A [`ParseError`] with `unknown_type` for a `type` that this version does not have, else with `invalid_message`: no JSON
/// object, a field missing, repeated, unknown, of another frame's or of the wrong kind, or beyond one of the `bounds`; or a
/// number anywhere whose double is infinite or that has more than 400 digits.
pub fn parse<'a>(text: &'a str, bounds: &ParseLimits) -> Result<Request<'a>, ParseError> {
    let mut fields = Fields::default();
    // It reads no other numbers.
    let mut numbers_fit = true;
    if fast_path::read(text, &mut fields).is_none() {
        fields = serde_json::from_str(text).map_err(|error| ParseError::of_text(&error))?;
        numbers_fit = scan::numbers_fit(text);
    }
    let request = match request(&fields, bounds) {
        Ok(_) if !numbers_fit => Err(FieldError::number()),
        other => other,
    };
    request.map_err(|flaw| ParseError {
        code: flaw.code,
        message: flaw.message,
        id: check::id(&fields).ok().flatten().map(Cow::into_owned),
        kind: intended(&fields),
    })
}

/// Metadata of which somebody else than the client is the author; `None` where no client could send it.
#[must_use]
pub fn metadata(raw: &str, bounds: &ParseLimits) -> Option<Meta> {
    check::meta_of(raw, bounds).ok().filter(|_| scan::numbers_fit(raw))
}

fn request<'a>(fields: &Fields<'a>, bounds: &ParseLimits) -> Result<Request<'a>, FieldError> {
    if let Some(field) = fields.repeated() {
        return Err(FieldError::field(field, "is repeated"));
    }
    // Before the unknown fields: a frame of a later version has both, and `unknown_type` says what is the matter.
    let shape = Shape::of(fields)?;
    let id = check::id(fields)?;
    check::no_other_fields(fields, shape)?;
    let frame = match shape {
        Shape::Join => join(fields, bounds)?,
        Shape::Leave => ClientFrame::Leave,
        Shape::Signal => ClientFrame::Signal {
            to: check::to(fields, bounds)?,
            kind: check::kind(fields)?,
            data: check::data(fields, bounds)?,
        },
        Shape::Update => update(fields, bounds)?,
        Shape::Ice => ClientFrame::Ice,
        Shape::Kick => ClientFrame::Kick(kick::kick(fields)?),
        Shape::Lock => ClientFrame::Lock { locked: kick::locked(fields)? },
        Shape::Report => ClientFrame::Report { events: report::events(fields, bounds)? },
        Shape::Ping => ClientFrame::Ping { t: check::t(fields)?, ack: check::ack(fields)? },
    };
    Ok(Request { id, frame })
}

fn join<'a>(fields: &Fields<'a>, bounds: &ParseLimits) -> Result<ClientFrame<'a>, FieldError> {
    let room = check::room(fields, bounds)?;
    let meta = check::optional_meta(fields, bounds)?;
    let attempt = check::attempt(fields)?;
    let (resumable, resume) = check::resume(fields)?;
    let identified = check::identified(fields, &room)?.filter(|_| resume.is_none());
    let token = token::token(fields)?;
    Ok(ClientFrame::Join { room, meta, attempt, resumable, resume, identified, token })
}

fn update<'a>(fields: &Fields<'a>, bounds: &ParseLimits) -> Result<ClientFrame<'a>, FieldError> {
    let token = token::token(fields)?;
    // A token may come alone.
    let meta = if token.is_some() { check::optional_meta(fields, bounds)? } else { Some(check::meta(fields, bounds)?) };
    Ok(ClientFrame::Update { meta, token })
}

/// The label of a frame that was refused.
fn intended(fields: &Fields<'_>) -> FrameKind {
    match Shape::of(fields) {
        Ok(Shape::Join) => FrameKind::Join,
        Ok(Shape::Leave) => FrameKind::Leave,
        Ok(Shape::Signal) => check::kind(fields).map_or(FrameKind::Invalid, FrameKind::from),
        Ok(Shape::Update) => FrameKind::Update,
        Ok(Shape::Ice) => FrameKind::Ice,
        Ok(Shape::Kick) => FrameKind::Kick,
        Ok(Shape::Lock) => FrameKind::Lock,
        Ok(Shape::Report) => FrameKind::Report,
        Ok(Shape::Ping) => FrameKind::Ping,
        Err(_) => FrameKind::Invalid,
    }
}

/// The types of client frames, with the fields of each beside `type` and `id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Join,
    Leave,
    Signal,
    Update,
    Ice,
    Kick,
    Lock,
    Report,
    Ping,
}

impl Shape {
    fn of(fields: &Fields<'_>) -> Result<Self, FieldError> {
        match check::required_text(fields, Field::Type)?.as_ref() {
            "join" => Ok(Self::Join),
            "leave" => Ok(Self::Leave),
            "signal" => Ok(Self::Signal),
            "update" => Ok(Self::Update),
            "ice" => Ok(Self::Ice),
            "kick" => Ok(Self::Kick),
            "lock" => Ok(Self::Lock),
            "report" => Ok(Self::Report),
            "ping" => Ok(Self::Ping),
            _ => Err(FieldError::unknown_type()),
        }
    }

    fn own(self) -> FieldSet {
        const NONE: FieldSet = FieldSet::of(&[]);
        const JOIN: FieldSet = FieldSet::of(&[
            Field::Room,
            Field::Meta,
            Field::Attempt,
            Field::Resumable,
            Field::Resume,
            Field::Identity,
            Field::Replace,
            Field::Token,
        ]);
        const SIGNAL: FieldSet = FieldSet::of(&[Field::To, Field::Kind, Field::Data]);
        const UPDATE: FieldSet = FieldSet::of(&[Field::Meta, Field::Token]);
        const KICK: FieldSet = FieldSet::of(&[Field::Peer, Field::Who, Field::User, Field::Reason, Field::BanMs]);
        const LOCK: FieldSet = FieldSet::of(&[Field::Locked]);
        const REPORT: FieldSet = FieldSet::of(&[Field::Events]);
        const PING: FieldSet = FieldSet::of(&[Field::T, Field::Ack]);
        match self {
            Self::Join => JOIN,
            Self::Leave | Self::Ice => NONE,
            Self::Signal => SIGNAL,
            Self::Update => UPDATE,
            Self::Kick => KICK,
            Self::Lock => LOCK,
            Self::Report => REPORT,
            Self::Ping => PING,
        }
    }
}

#[cfg(test)]
pub(in crate::protocol) use report::own_parts;

/// The names of the fields that a frame of that type may have beside `type` and `id`.
#[cfg(test)]
pub(in crate::protocol) fn own_fields(kind: &str) -> Vec<&'static str> {
    let text = format!(r#"{{"type":"{kind}"}}"#);
    let fields: Fields<'_> = serde_json::from_str(&text).expect("an object");
    let Ok(shape) = Shape::of(&fields) else { panic!("no client frame is a {kind}") };
    shape.own().iter().map(Field::as_str).collect()
}
