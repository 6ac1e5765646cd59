//! Which listener serves what.

use std::time::Duration;

use actix_web::{
    App, FromRequest, Handler, HttpRequest, HttpResponse, Responder,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    guard as route_guard,
    http::{
        Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, SEC_WEBSOCKET_VERSION, UPGRADE},
    },
    middleware::from_fn,
    web,
};

use super::{
    admin,
    client::Clients,
    guard::{self, Guard},
    handshake::{self, HandshakeError},
    observe::{Observe, Side, observe},
    ops, page, probes, upgrade,
};
pub use super::{ops::Ops, probes::Probes};
use crate::{
    protocol::{ErrorCode, http_error},
    telemetry::RequestId,
};

/// What there is to read may be asked for by.
const READ: &str = "GET, HEAD, OPTIONS";

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
        config.route(handshake::PATH, web::to(no_handshake));
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
        config.app_data(web::Data::new(ports)).app_data(web::Data::new(guard)).service(
            // By its place among the routes, not by the text of the path, which can be written in many ways.
            web::scope("/admin").wrap(from_fn(guard::authorise)).service(
                web::resource("/drain").route(web::post().to(admin::drain)).default_service(web::to(admin::only_post)),
            ),
        );
        serve(config, "/metrics", ops::metrics);
        serve(config, "/errors", ops::errors);
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
        .wrap(from_fn(observe))
        .configure(|config| probes::PATHS.into_iter().for_each(|path| serve(config, path, probes::route)))
        .configure(more)
        .default_service(web::to(not_found))
}

/// GET, and HEAD for those who only want to know whether it is there. Any other method is told so.
fn serve<F, A>(config: &mut web::ServiceConfig, path: &str, handler: F)
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let read = web::route().guard(route_guard::Any(route_guard::Get()).or(route_guard::Head()));
    config.service(web::resource(path).route(read.to(handler)).default_service(web::to(other_method)));
}

fn serve_files(config: &mut web::ServiceConfig, files: &'static [page::PageFile]) {
    for file in files {
        serve(config, file.path, move || std::future::ready(serve_file(file)));
    }
}

fn serve_file(file: &'static page::PageFile) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, file.content_type))
        // The page comes with the binary: a new binary is a new page.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(file.body)
}

/// OPTIONS, by which balancers look whether anybody is there (RFC 9110 section 9.3.7), and methods that are not for reading.
async fn other_method(request: HttpRequest, id: web::ReqData<RequestId>) -> HttpResponse {
    if request.method() == Method::OPTIONS { options(READ) } else { not_allowed(&id, READ) }
}

fn options(allowed: &'static str) -> HttpResponse {
    HttpResponse::NoContent().insert_header((ALLOW, allowed)).finish()
}

fn not_allowed(id: &RequestId, allowed: &'static str) -> HttpResponse {
    let body = http_error(ErrorCode::InvalidMessage, "this path takes no such method", None, &id.to_string());
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, allowed)).content_type("application/json").body(body)
}

/// Whoever comes to `/ws` without asking for a WebSocket; the others are not served here. It is a handshake that is
/// refused: mostly somebody's proxy lost a header of it.
async fn no_handshake(request: HttpRequest, id: web::ReqData<RequestId>, policy: web::Data<Observe>) -> HttpResponse {
    if request.method() == Method::OPTIONS {
        return options("GET, OPTIONS");
    }
    let refused = handshake::lost(request.head());
    tell_refused(&refused, &request, &id, &policy);
    let body = http_error(refused.code, refused.message, None, &id.to_string());
    let mut answer = HttpResponse::build(refused.status);
    match refused.status {
        // RFC 9110 section 15.5.22.
        StatusCode::UPGRADE_REQUIRED => {
            answer.insert_header((UPGRADE, "websocket")).insert_header((SEC_WEBSOCKET_VERSION, "13"))
        }
        StatusCode::METHOD_NOT_ALLOWED => answer.insert_header((ALLOW, "GET, OPTIONS")),
        _ => &mut answer,
    };
    answer.content_type("application/json").body(body)
}

fn tell_refused(refused: &HandshakeError, request: &HttpRequest, id: &RequestId, policy: &Observe) {
    let Some(peer) = request.peer_addr() else { return };
    let remote = match &policy.side {
        Side::Public(clients) => clients.identify(peer, request.headers()).remote,
        Side::Operator(_) => peer,
    };
    upgrade::report(refused, id, remote);
}

/// A handshake whose `Upgrade` was lost may also have lost its way: a prefix that a proxy should have taken off.
async fn not_found(request: HttpRequest, id: web::ReqData<RequestId>, policy: web::Data<Observe>) -> HttpResponse {
    if request.method() == Method::OPTIONS && request.path() == "*" {
        return options(READ);
    }
    let strayed = handshake::strayed(request.head(), matches!(policy.side, Side::Public(_)));
    if let Some(refused) = &strayed {
        tell_refused(refused, &request, &id, &policy);
    }
    let message = strayed.map_or("there is nothing at this path", |refused| refused.message);
    let body = http_error(ErrorCode::UnsupportedVersion, message, None, &id.to_string());
    HttpResponse::NotFound().content_type("application/json").body(body)
}
