//! Which listener serves what.

use std::{future::ready, rc::Rc, time::Duration};

use actix_web::{
    App, FromRequest, Handler, HttpRequest, HttpResponse, Responder,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    guard as route_guard,
    http::{
        Method, StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, PERMISSIONS_POLICY,
            SEC_WEBSOCKET_VERSION, UPGRADE,
        },
    },
    middleware::from_fn,
    web,
};

use super::{
    client::{Client, Clients},
    error::{self, with_header},
    labels::{Labels, Routes},
    observe::{Observe, observe},
    ops::{Guard, Ops, errors, guard::admit, metrics, v1},
    public::{
        address::{self, OwnAddress},
        handshake::{self, HandshakeError},
        page,
        page_policy::{PERMISSIONS, PagePolicy},
        probes::{self, Probes},
        request_limit::limit,
        upgrade,
    },
    socket::single_request::Input,
};
use crate::{
    config::Settings,
    protocol::{ErrorBody, ErrorCode},
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
    /// Whether clients speak TLS, with this server or with a proxy.
    pub is_https: bool,
    /// What the page for everybody may do.
    page: PagePolicy,
}

impl Common {
    /// With those probes, by these settings.
    #[must_use]
    pub fn new(settings: &Settings, probes: Probes) -> Self {
        let (slow_request, is_https) = (settings.http.slow_request_ms.get(), settings.is_https());
        Self { probes, slow_request, is_https, page: settings.into() }
    }
}

/// The app behind the public listener.
pub(super) fn public(
    common: Common,
    clients: Clients,
    own: OwnAddress,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let policy = common.page.clone();
    let app = base(common, move |routes| {
        routes.config.app_data(web::Data::new(clients)).app_data(web::Data::new(policy)).app_data(web::Data::new(own));
        let path = routes.named(handshake::PATH);
        routes.config.route(path, web::to(no_handshake));
        serve(routes, address::PATH, address::route);
        for file in &page::FILES {
            let path = routes.under("/", file.path);
            let page = move |request: HttpRequest, clients: web::Data<Clients>, policy: web::Data<PagePolicy>| {
                ready(serve_page(file, &request, &clients, &policy))
            };
            read(routes, path, page);
        }
    });
    app.wrap(from_fn(limit)).wrap(from_fn(observe))
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
    let app = base(common, move |routes| {
        #[cfg(feature = "fault-injection")]
        {
            let path = routes.named("/fault/{what}");
            routes.config.route(path, web::post().to(super::ops::fault::inject));
        }
        routes.config.app_data(web::Data::new(ports)).app_data(web::Data::new(guard));
        v1::register(routes);
        serve(routes, "/metrics", metrics::metrics);
        serve(routes, "/errors", errors::errors);
        for file in &page::OPERATOR_FILES {
            let path = routes.under("/", file.path);
            read(routes, path, move || ready(serve_file(file)));
        }
    });
    app.wrap(from_fn(admit)).wrap(from_fn(observe))
}

/// The routes; whoever wraps them has [`observe`] outermost.
fn base(
    common: Common,
    more: impl FnOnce(&mut Routes),
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let mut labels = Labels::default();
    let app = App::new().configure(|config| {
        let mut routes = Routes { config, labels: &mut labels };
        for path in probes::PATHS {
            serve(&mut routes, path, probes::route);
        }
        more(&mut routes);
    });
    let policy = Observe { labels, slow_request: common.slow_request, is_https: common.is_https };
    app.app_data(web::Data::new(policy)).app_data(web::Data::new(common.probes)).default_service(web::to(not_found))
}

/// GET, and HEAD for those who only want to know whether it is there. Any other method is told so.
fn serve<F, A>(routes: &mut Routes, path: &'static str, handler: F)
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let path = routes.named(path);
    read(routes, path, handler);
}

fn read<F, A>(routes: &mut Routes, path: &'static str, handler: F)
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let read = web::route().guard(route_guard::Any(route_guard::Get()).or(route_guard::Head()));
    routes.config.service(web::resource(path).route(read.to(handler)).default_service(web::to(other_method)));
}

fn serve_file(file: &'static page::PageFile) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, file.content_type))
        // The page comes with the binary: a new binary is a new page.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(file.body)
}

/// A file of the page for everybody, with what that page may do.
fn serve_page(
    file: &'static page::PageFile,
    request: &HttpRequest,
    clients: &Clients,
    policy: &PagePolicy,
) -> HttpResponse {
    let policy = policy.content_security(request.head(), asker(request, clients).and_then(|client| client.believed));
    let mut answer = with_header(serve_file(file), PERMISSIONS_POLICY, PERMISSIONS);
    // Out of a host and settings that were looked at: it is a header's value.
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// OPTIONS, by which balancers look whether anybody is there (RFC 9110 section 9.3.7), and methods that are not for reading.
async fn other_method(request: HttpRequest, id: web::ReqData<RequestId>) -> HttpResponse {
    if request.method() == Method::OPTIONS { options(READ) } else { not_allowed(&id, READ) }
}

fn options(allowed: &'static str) -> HttpResponse {
    HttpResponse::NoContent().insert_header((ALLOW, allowed)).finish()
}

fn not_allowed(id: &RequestId, allowed: &'static str) -> HttpResponse {
    let error = ErrorBody::new(ErrorCode::InvalidMessage, "this path takes no such method");
    with_header(error::answer(StatusCode::METHOD_NOT_ALLOWED, &error, id), ALLOW, allowed)
}

/// Whoever comes to `/ws` without asking for a WebSocket; the others are not served here. It is a handshake that is
/// refused: mostly somebody's proxy lost a header of it.
async fn no_handshake(request: HttpRequest, id: web::ReqData<RequestId>, clients: web::Data<Clients>) -> HttpResponse {
    if request.method() == Method::OPTIONS {
        return options("GET, OPTIONS");
    }
    let refused = handshake::lost(request.head());
    report_refused(&refused, &request, &id, Some(&clients));
    let answer = error::answer(refused.status, &ErrorBody::new(refused.code, &refused.message), &id);
    match refused.status {
        // RFC 9110 section 15.5.22.
        StatusCode::UPGRADE_REQUIRED => {
            with_header(with_header(answer, UPGRADE, "websocket"), SEC_WEBSOCKET_VERSION, "13")
        }
        StatusCode::METHOD_NOT_ALLOWED => with_header(answer, ALLOW, "GET, OPTIONS"),
        _ => answer,
    }
}

/// `clients`: those of the public listener, if it came there.
fn report_refused(refused: &HandshakeError, request: &HttpRequest, id: &RequestId, clients: Option<&Clients>) {
    let Some(peer) = request.peer_addr() else { return };
    let client = clients.and_then(|clients| asker(request, clients));
    upgrade::report(refused, id, client.map_or(peer, |client| client.remote));
}

fn asker(request: &HttpRequest, clients: &Clients) -> Option<Client> {
    let known_by = request.conn_data::<Rc<Input>>().map(|input| input.known_by.get()).unwrap_or_default();
    Some(clients.identify(request.peer_addr()?, known_by, request.headers()))
}

/// A handshake whose `Upgrade` was lost may also have lost its way: a prefix that a proxy should have taken off.
async fn not_found(request: HttpRequest, id: web::ReqData<RequestId>) -> HttpResponse {
    if request.method() == Method::OPTIONS && request.path() == "*" {
        return options(READ);
    }
    let clients = request.app_data::<web::Data<Clients>>();
    let strayed = handshake::strayed(request.head(), clients.is_some());
    if let Some(refused) = &strayed {
        report_refused(refused, &request, &id, clients.map(web::Data::get_ref));
    }
    let message = strayed.as_ref().map_or("there is nothing at this path", |refused| &refused.message);
    error::answer(StatusCode::NOT_FOUND, &ErrorBody::new(ErrorCode::UnsupportedVersion, message), &id)
}
