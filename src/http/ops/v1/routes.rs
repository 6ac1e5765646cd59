//! Which path is served by what. All of it is below the token's guard.

use actix_web::{Resource, Route, Scope, guard, middleware::from_fn, web};

use super::{calls::tell, drain, error::ApiError, mesh, moderation, openapi, recorder, rooms, server, tickets};
use crate::http::{labels::Routes, ops::guard::authorise};

/// What lies below it asks for the token.
const ADMIN: &str = "/admin";

/// Adds the routes to a listener's.
pub(in crate::http) fn register(routes: &mut Routes) {
    let all = [
        resource(routes, drain::FORMER_PATH, "POST", &mut [web::post().to(drain::drain)]),
        resource(routes, "/admin/v1/rooms", "GET, HEAD", &mut [read().to(rooms::rooms)]),
        resource(routes, "/admin/v1/rooms/{room}", "GET, HEAD", &mut [read().to(rooms::room)]),
        resource(routes, "/admin/v1/rooms/{room}/recorder", "GET, HEAD", &mut [read().to(recorder::recorder)]),
        resource(routes, "/admin/v1/rooms/{room}/mesh", "GET, HEAD", &mut [read().to(mesh::mesh)]),
        resource(routes, "/admin/v1/peers", "GET, HEAD", &mut [read().to(rooms::peers)]),
        resource(routes, "/admin/v1/version", "GET, HEAD", &mut [read().to(server::version)]),
        resource(routes, "/admin/v1/limits", "GET, HEAD", &mut [read().to(server::limits)]),
        resource(
            routes,
            "/admin/v1/log-level",
            "GET, HEAD, PUT",
            &mut [read().to(server::log_level), web::put().to(server::set_log_level)],
        ),
        resource(routes, "/admin/v1/reload", "POST", &mut [web::post().to(server::reload)]),
        resource(routes, "/admin/v1/drain", "POST", &mut [web::post().to(drain::drain)]),
        resource(routes, "/admin/v1/undrain", "POST", &mut [web::post().to(drain::undrain)]),
        resource(routes, "/admin/v1/kick", "POST", &mut [web::post().to(moderation::kick)]),
        resource(
            routes,
            "/admin/v1/bans",
            "GET, HEAD, DELETE",
            &mut [read().to(moderation::bans), web::delete().to(moderation::lift)],
        ),
        resource(routes, "/admin/v1/lock", "POST", &mut [web::post().to(moderation::lock)]),
        resource(routes, "/admin/v1/close", "POST", &mut [web::post().to(moderation::close)]),
        resource(routes, "/admin/v1/notice", "POST", &mut [web::post().to(moderation::notice)]),
        resource(routes, "/admin/v1/tickets", "POST", &mut [web::post().to(tickets::issue)]),
        resource(routes, "/admin/v1/openapi.json", "GET, HEAD", &mut [read().to(openapi::document)]),
    ];
    // By their place among the routes, not by the text of the path, which can be written in many ways.
    let scope = web::scope(ADMIN).wrap(from_fn(tell)).wrap(from_fn(authorise));
    routes.config.service(all.into_iter().fold(scope, Scope::service));
}

fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A path with its routes; any other method is told those that it takes.
fn resource(routes: &mut Routes, path: &'static str, allowed: &'static str, methods: &mut [Route]) -> Resource {
    let below = routes.named(path).trim_start_matches(ADMIN);
    let methods = methods.iter_mut().map(|route| std::mem::replace(route, web::route()));
    let resource = methods.fold(web::resource(below), Resource::route);
    resource.default_service(web::to(move || std::future::ready(Err::<String, _>(ApiError::Method(allowed)))))
}
