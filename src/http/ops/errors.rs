//! `GET /errors`.

use actix_web::{HttpResponse, http::header::ContentType, web};

use super::{
    metrics::{SCRAPE_WITHIN, unavailable},
    ports::Ops,
};
use crate::{messages::metrics::TakeErrors, telemetry::RequestId};

/// The latest errors, grouped by fingerprint, as JSON.
pub(in crate::http) async fn errors(id: web::ReqData<RequestId>, ops: web::Data<Ops>) -> HttpResponse {
    match tokio::time::timeout(SCRAPE_WITHIN, ops.errors.send(TakeErrors)).await {
        Ok(Ok(Ok(errors))) => HttpResponse::Ok().content_type(ContentType::json()).body(errors),
        _ => unavailable(&id),
    }
}
