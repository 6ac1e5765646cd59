//! What a request's body asks for, read before its handler is called.

use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev, web};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::http::ops::body;

/// The body as a value, in JSON and within its bounds.
pub(super) struct Order<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for Order<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, body) = (request.clone(), web::Payload::from_request(request, payload));
        Box::pin(async move {
            // There is no other way to get it, and none in which it fails.
            let body = body.await.map_err(|_| ApiError::Unavailable)?;
            Ok(Self(body::read(request.headers(), body).await?))
        })
    }
}
