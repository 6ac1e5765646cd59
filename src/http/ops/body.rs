//! Bodies of operators' requests: JSON, and bounded in bytes and time.
//!
//! No page can send one without being told no by the browser: a JSON content type makes the browser ask first and be told
//! nothing (no route answers CORS).

use std::time::Duration;

use actix_web::{
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderMap},
    },
    web,
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use tokio::time::timeout;

use crate::http::{authority::the_one, socket::single_request::BODY_MAX};

/// Time for the body, once everything else is right.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Its content type is not JSON.
    NotJson,
    /// It is not what the route takes.
    Invalid(String),
    /// It did not come in time.
    TooSlow,
}

impl BodyError {
    /// Status, code and words.
    pub(super) fn facts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::NotJson => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", "Content-Type must be application/json".to_owned())
            }
            Self::Invalid(why) => (StatusCode::BAD_REQUEST, "invalid_body", why.clone()),
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "body_timeout", "the announced body did not come in time".to_owned())
            }
        }
    }
}

/// Reads a body. One that is empty is as good as `{}`.
pub(super) async fn read<T: DeserializeOwned>(headers: &HeaderMap, body: web::Payload) -> Result<T, BodyError> {
    if !is_json(headers) {
        return Err(BodyError::NotJson);
    }
    // Only now: nobody else makes the server wait for a body.
    let body = match timeout(BODY_WITHIN, body.to_bytes_limited(BODY_MAX)).await {
        Ok(Ok(Ok(body))) => body,
        Ok(Ok(Err(_))) => return Err(BodyError::Invalid("the body cannot be read".to_owned())),
        Ok(Err(_)) => return Err(BodyError::Invalid(format!("the body is longer than {BODY_MAX} bytes"))),
        Err(_) => return Err(BodyError::TooSlow),
    };
    let text = if body.is_empty() { b"{}".as_slice() } else { &body };
    // Reading a struct from a list would take its fields by their place.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(BodyError::Invalid("the body must be a JSON object".to_owned()));
    }
    serde_json::from_slice(text)
        .map_err(|error| BodyError::Invalid(format!("the body is not what is asked for: {error}")))
}

/// Reads a whole number that may be written with a fraction of nothing, as some languages do: `7.0` is one for JSON.
pub(super) fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(from)? else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    let whole = number as u64;
    let is_whole = number.fract() == 0.0 && number >= 0.0;
    if is_whole { Ok(Some(whole)) } else { Err(D::Error::custom(format_args!("{number} is no whole number"))) }
}

fn is_json(headers: &HeaderMap) -> bool {
    the_one(headers, &CONTENT_TYPE).is_some_and(|value| {
        value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_number_is_whole_however_it_is_written() {
        #[derive(Deserialize)]
        struct Order {
            #[serde(default, deserialize_with = "whole")]
            cap: Option<u64>,
        }
        let read = |text: &str| serde_json::from_str::<Order>(text).map(|order| order.cap).ok();
        for (text, number) in
            [(r#"{"cap": 7}"#, Some(7)), (r#"{"cap": 7.0}"#, Some(7)), (r#"{"cap": null}"#, None), ("{}", None)]
        {
            assert_eq!(read(text), Some(number), "{text}");
        }
        for wrong in [r#"{"cap": 7.5}"#, r#"{"cap": -1}"#, r#"{"cap": "7"}"#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_json() {
        let kind = |kind: &str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap())]));
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"] {
            assert!(kind(json), "{json}");
        }
        // These are what a form or a script may send without asking first.
        for simple in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "",
            "text/plain; application/json",
        ] {
            assert!(!kind(simple), "{simple}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
