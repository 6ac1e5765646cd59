//! `GET /errors`.

use actix_web::{HttpResponse, http::header::ContentType, web};

use super::{metrics::unavailable, ports::Ops};
use crate::telemetry::RequestId;

/// The latest errors, grouped by fingerprint, as JSON.
pub(in crate::http) async fn errors(id: web::ReqData<RequestId>, ops: web::Data<Ops>) -> HttpResponse {
    match ops.metrics.errors() {
        Ok(errors) if ops.metrics.is_fed() => HttpResponse::Ok().content_type(ContentType::json()).body(errors),
        _ => unavailable(&id),
    }
}
