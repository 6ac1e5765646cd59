//! Why a call is refused: one body for all of them, as everywhere in this server.

use std::{fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    error::{PathError, QueryPayloadError},
    http::{
        StatusCode,
        header::{ALLOW, HeaderValue},
    },
};

use crate::{
    http::{
        client::retry_after_seconds,
        error,
        ops::{body::BodyError, moderators::OrderError},
    },
    lifecycle::WithdrawError,
    messages::moderation::ModerationError,
    protocol::{ErrorBody, ErrorCategory},
    telemetry::RequestId,
};

/// Not sooner is worth a try where the supervisor did not answer, or another call of the kind is under way.
const RETRY_AFTER_MS: u64 = 1000;

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ApiError {
    /// The path takes these methods only.
    Method(&'static str),
    /// What came as a body is none for it.
    Body(BodyError),
    /// A parameter of the query is unknown, missing or out of bounds.
    Query(String),
    /// There is no such room.
    RoomNotFound,
    /// Nothing is recorded of any room.
    RecorderOff,
    /// The supervisor, or another thread, has not answered in time.
    Unavailable,
    /// There is no drain to take back, or it cannot be taken back any more.
    Undrain(WithdrawError),
    /// The configuration is not sound, and nothing was changed.
    Reload(String),
    /// A reload is under way.
    ReloadUnderWay,
    /// Each part of it may be, but not all of it together.
    Senseless(String),
    /// A room or somebody in it could not be moderated so.
    Moderation(ModerationError),
    /// No ticket can grant that.
    Ticket(&'static str),
    /// As many tickets can be redeemed as may be; one fewer after this time.
    TooManyTickets(Duration),
}

/// What a route answers with.
pub(super) type Answer = Result<HttpResponse, ApiError>;

impl ApiError {
    /// What an extractor, or a handler, has refused.
    pub(super) fn of(error: &actix_web::Error) -> Option<Self> {
        let query = || error.as_error::<QueryPayloadError>().map(|error| Self::Query(error.to_string()));
        // A name that is no text names no room.
        let path = || error.as_error::<PathError>().map(|_| Self::RoomNotFound);
        error.as_error::<Self>().cloned().or_else(query).or_else(path)
    }

    fn facts(&self) -> (StatusCode, &'static str, ErrorCategory, String) {
        use ErrorCategory::{InvalidMessage, RateLimited, RoomState, Server};
        match self {
            Self::Method(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                InvalidMessage,
                "this path takes no such method".to_owned(),
            ),
            Self::Body(error) => {
                let (status, code, message) = error.facts();
                (status, code, InvalidMessage, message)
            }
            Self::Query(why) => (StatusCode::BAD_REQUEST, "invalid_query", InvalidMessage, why.clone()),
            Self::RoomNotFound => {
                (StatusCode::NOT_FOUND, "room_not_found", RoomState, "there is no such room".to_owned())
            }
            Self::RecorderOff => (
                StatusCode::CONFLICT,
                "recorder_off",
                Server,
                "nothing is recorded, as recorder.enabled says".to_owned(),
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                Server,
                "the supervisor has not answered in time".to_owned(),
            ),
            Self::Undrain(WithdrawError::NotDraining) => {
                (StatusCode::CONFLICT, "not_draining", RoomState, "the server is not draining".to_owned())
            }
            Self::Undrain(WithdrawError::Closing) => (
                StatusCode::CONFLICT,
                "drain_closing",
                RoomState,
                "the drain has begun to close connections, and cannot be withdrawn any more".to_owned(),
            ),
            Self::Reload(why) => (StatusCode::UNPROCESSABLE_ENTITY, "config_not_sound", InvalidMessage, why.clone()),
            Self::ReloadUnderWay => (
                StatusCode::SERVICE_UNAVAILABLE,
                "reload_under_way",
                RateLimited,
                "the configuration is being read for somebody else".to_owned(),
            ),
            Self::Senseless(why) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", InvalidMessage, why.clone()),
            Self::Moderation(error) => {
                let (status, code, category) = refused(*error);
                (status, code, category, error.to_string())
            }
            Self::Ticket(why) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid_ticket", InvalidMessage, (*why).to_owned())
            }
            Self::TooManyTickets(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_tickets",
                RateLimited,
                "as many tickets can be redeemed as may be (auth.tickets)".to_owned(),
            ),
        }
    }

    /// The answer.
    pub(super) fn answer(&self, id: &RequestId) -> HttpResponse {
        let (status, code, category, message) = self.facts();
        let retryable = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        let retry_after_ms = match self {
            Self::TooManyTickets(wait) => Some(retry_after_seconds(*wait) * 1_000),
            Self::Moderation(error) => error.retry_after().map(|wait| retry_after_seconds(wait) * 1_000),
            _ => retryable.then_some(RETRY_AFTER_MS),
        };
        let error = ErrorBody { code, category, retryable, retry_after_ms, message: &message };
        let mut answer = error::answer(status, &error, id);
        if let Self::Method(allowed) = self {
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        }
        answer
    }
}

/// How a refusal of the supervisor is answered.
fn refused(error: ModerationError) -> (StatusCode, &'static str, ErrorCategory) {
    use ErrorCategory::{InvalidMessage, Peer, RateLimited, RoomState};
    match error {
        ModerationError::UnknownRoom | ModerationError::NotInRoom => {
            (StatusCode::NOT_FOUND, "room_not_found", RoomState)
        }
        ModerationError::UnknownPeer => (StatusCode::NOT_FOUND, "peer_not_found", Peer),
        ModerationError::UnknownBan => (StatusCode::NOT_FOUND, "ban_not_found", RoomState),
        ModerationError::TooManyBans { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_bans", RateLimited),
        ModerationError::HandedOver => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", ErrorCategory::Server),
        ModerationError::NothingToBanBy => (StatusCode::UNPROCESSABLE_ENTITY, "nothing_to_ban_by", Peer),
        ModerationError::BanTime | ModerationError::TextTooLong { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", InvalidMessage)
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.facts().3)
    }
}

impl std::error::Error for ApiError {}

/// The answer itself is made by [`super::calls`], which knows the request.
impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.facts().0
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<ModerationError> for ApiError {
    fn from(error: ModerationError) -> Self {
        Self::Moderation(error)
    }
}

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::NoAnswer => Self::Unavailable,
            OrderError::Refused(error) => error.into(),
        }
    }
}

impl From<WithdrawError> for ApiError {
    fn from(error: WithdrawError) -> Self {
        Self::Undrain(error)
    }
}
