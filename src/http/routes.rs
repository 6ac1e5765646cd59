//! Which listener serves what.

use std::time::Duration;

use actix_web::{
    App, HttpResponse, Route,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    guard as route_guard,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, SEC_WEBSOCKET_VERSION, UPGRADE},
    middleware::from_fn,
    web,
};

use super::{
    admin,
    client::Clients,
    guard::{self, Guard},
    observe::{Observe, Side, observe},
    ops, page, probes,
};
pub use super::{ops::Ops, probes::Probes};
use crate::{
    protocol::{ErrorCode, http_error},
    telemetry::RequestId,
};

/// Longest request body in octets that is read. The one route that takes any needs two.
const BODY_MAX: usize = 1024;

/// What both listeners' apps need.
#[derive(Clone)]
pub struct Common {
    /// For the probes.
    pub probes: Probes,
    /// A request slower than this is logged.
    pub slow_request: Duration,
    /// Whether TLS ends in front of the server.
    pub behind_tls: bool,
}

/// The app behind the public listener.
pub fn public(
    common: Common,
    clients: Clients,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    base(common, Side::Public(clients), |config| {
        config.route("/ws", web::to(no_handshake));
        serve_files(config, &page::FILES);
    })
}

/// The app behind the ops listener.
pub fn operator(
    common: Common,
    ports: Ops,
    guard: Guard,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    // Operators are few, and a scrape must not be refused: their listener has no limits per address.
    base(common, Side::Operator(guard.clone()), move |config| {
        #[cfg(feature = "fault-injection")]
        config.route("/fault/{what}", web::post().to(super::faults::inject));
        config
            .app_data(web::Data::new(ports))
            .app_data(web::Data::new(guard))
            .route("/metrics", read().to(ops::metrics))
            .route("/errors", read().to(ops::errors))
            .service(
                // By its place among the routes, not by the text of the path, which can be written in many ways.
                web::scope("/admin").wrap(from_fn(guard::authorise)).service(
                    web::resource("/drain")
                        .route(web::post().to(admin::drain))
                        .default_service(web::to(admin::only_post)),
                ),
            );
        serve_files(config, &page::OPERATOR_FILES);
    })
}

fn base(
    common: Common,
    side: Side,
    more: impl FnOnce(&mut web::ServiceConfig),
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let policy = Observe { side, slow_request: common.slow_request, behind_tls: common.behind_tls };
    App::new()
        .app_data(web::Data::new(policy))
        .app_data(web::Data::new(common.probes))
        .app_data(web::PayloadConfig::new(BODY_MAX))
        .wrap(from_fn(observe))
        .route("/healthz", read().to(probes::healthz))
        .route("/readyz", read().to(probes::readyz))
        .route("/health", read().to(probes::health))
        .configure(more)
        .default_service(web::to(not_found))
}

/// GET, and HEAD for those who only want to know whether it is there.
fn read() -> Route {
    web::route().guard(route_guard::Any(route_guard::Get()).or(route_guard::Head()))
}

fn serve_files(config: &mut web::ServiceConfig, files: &'static [page::PageFile]) {
    for file in files {
        config.route(file.path, read().to(move || std::future::ready(serve_file(file))));
    }
}

fn serve_file(file: &'static page::PageFile) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, file.content_type))
        // The page comes with the binary: a new binary is a new page.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(file.body)
}

/// Whoever comes to `/ws` without asking for a WebSocket; the others are not served here (RFC 9110 section 15.5.22).
async fn no_handshake(id: web::ReqData<RequestId>) -> HttpResponse {
    let message = "this is where WebSockets are opened: the Upgrade header must name websocket";
    let body = http_error(ErrorCode::BadHandshake, message, None, &id.to_string());
    HttpResponse::UpgradeRequired()
        .insert_header((UPGRADE, "websocket"))
        .insert_header((SEC_WEBSOCKET_VERSION, "13"))
        .content_type("application/json")
        .body(body)
}

async fn not_found(id: web::ReqData<RequestId>) -> HttpResponse {
    let body = http_error(ErrorCode::UnsupportedVersion, "there is nothing at this path", None, &id.to_string());
    HttpResponse::NotFound().content_type("application/json").body(body)
}
