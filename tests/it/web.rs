//! What every HTTP answer carries, and what none gives away.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::support::{
    TestServer,
    http::{self, Response},
    ws::Handshake,
};

/// One answer of each kind: a page, a probe, nothing there, the operator's.
fn answers(server: &TestServer) -> Vec<(&'static str, Response)> {
    let public = ["/", "/address", "/healthz", "/readyz", "/health", "/nothing-here", "/ws"];
    let ops = ["/metrics", "/nothing-here"];
    let public = public.into_iter().map(|path| (path, server.get(path)));
    public.chain(ops.into_iter().map(|path| (path, server.ops_get(path)))).collect()
}

#[test]
fn every_answer_tells_browsers_to_be_strict() {
    let server = TestServer::start();
    for (path, response) in answers(&server) {
        assert!(response.needs("Content-Security-Policy").contains("default-src"), "{path}: {response:?}");
        assert_eq!(response.needs("X-Content-Type-Options"), "nosniff", "{path}");
        assert!(["DENY", "SAMEORIGIN"].contains(&response.needs("X-Frame-Options")), "{path}: {response:?}");
        assert!(!response.needs("Referrer-Policy").is_empty(), "{path}");
        assert_eq!(response.header("Strict-Transport-Security"), None, "{path}: there is no TLS here");
    }
}

#[test]
fn only_the_page_for_everybody_may_start_workers() {
    let server = TestServer::start();
    let may = |response: Response| response.needs("Content-Security-Policy").contains("worker-src blob:");
    assert!(may(server.get("/")) && may(server.get("/client.js")));
    assert!(!may(server.ops_get("/")) && !may(server.get("/healthz")));
}

#[test]
fn behind_tls_browsers_are_told_to_come_that_way_only() {
    let server = TestServer::set("http.behind_tls", true).start();
    for path in ["/", "/healthz"] {
        assert!(server.get(path).needs("Strict-Transport-Security").starts_with("max-age="), "{path}");
    }
}

#[test]
fn every_answer_has_a_request_id_the_callers_own_if_it_is_sane() {
    let server = TestServer::start();
    let ids: Vec<String> = answers(&server).iter().map(|(_, one)| one.needs("X-Request-Id").to_owned()).collect();
    let mut different = ids.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), ids.len(), "each its own: {ids:?}");
    let asked = |id: &str| http::get(server.public, "/healthz", &[("X-Request-Id", id)]);
    assert_eq!(asked("trace.42_A-b").needs("X-Request-Id"), "trace.42_A-b");
    for insane in ["two words", "<script>", &"x".repeat(1000)] {
        assert_ne!(asked(insane).needs("X-Request-Id"), insane);
    }
}

#[test]
fn what_is_not_there_is_said_in_json_with_the_request_id() {
    let server = TestServer::start();
    for path in ["/nothing-here", "/metrics", "/.env", "/healthz/", "/../etc/passwd", "/%2e%2e/%00", "/a?b=c"] {
        let response = server.get(path);
        let code = response.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        response.error(404, &code);
        assert!(!response.body.contains("src/") && !response.body.contains("panicked"), "{response:?}");
    }
}

#[test]
fn a_socket_path_asked_for_without_upgrade_is_no_page() {
    let server = TestServer::start();
    let response = server.get("/ws");
    assert!([400, 404, 426].contains(&response.status), "{response:?}");
    assert!(response.json()["error"]["code"].is_string(), "{response:?}");
}

#[test]
fn the_page_is_html_and_comes_with_what_it_needs() {
    let server = TestServer::start();
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert!(page.needs("Content-Type").starts_with("text/html"), "{page:?}");
    let linked: Vec<&str> = ["src=\"", "href=\""]
        .iter()
        .flat_map(|attribute| page.body.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()))
        .filter(|link| !link.starts_with("http") && !link.starts_with('#') && !link.starts_with("data:"))
        .collect();
    for link in linked {
        let path = format!("/{}", link.trim_start_matches("./").trim_start_matches('/'));
        assert_eq!(server.get(&path).status, 200, "the page links {link}");
    }
}

#[test]
fn the_machines_address_leads_to_it_and_is_told_to_a_browser_on_it_alone() {
    let server = TestServer::set("server.host", "0.0.0.0").start();
    let port = server.public.port();
    let ask = |to: IpAddr, host: &str, more: &str| {
        let request = format!("GET /address HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n{more}\r\n");
        let response = http::exchange(SocketAddr::new(to, port), &request);
        assert_eq!((response.status, response.needs("Cache-Control")), (200, "no-store"), "{response:?}");
        response.json()["address"].as_str().map(|text| text.parse::<IpAddr>().unwrap())
    };
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let told = ask(here, "localhost", "");
    assert_eq!(told, ask(here, "127.0.0.1", ""));
    for more in ["X-Forwarded-For: 192.0.2.7\r\n", "Forwarded: for=192.0.2.7\r\n", "Via: 1.1 proxy\r\n"] {
        assert_eq!(ask(here, "localhost", more), None, "{more}");
    }
    assert_eq!(ask(here, "meet.example", ""), None, "a page elsewhere whose name leads here");
    let Some(address) = told else {
        // Without a way to the internet there is none to tell.
        let routes = std::fs::read_to_string("/proc/net/route").unwrap();
        assert!(!routes.lines().any(|line| line.split('\t').nth(1) == Some("00000000")), "{routes}");
        return;
    };
    assert_eq!(http::get(SocketAddr::new(address, port), "/healthz", &[]).status, 200, "{address} leads here");
    assert_eq!(ask(address, "localhost", ""), None, "whoever comes by it is not on this machine, as far as is known");
}

#[test]
fn a_server_for_this_machine_alone_has_no_address_to_tell() {
    let server = TestServer::start();
    assert_eq!(server.get("/address").json()["address"], serde_json::Value::Null);
}

#[test]
fn nonsense_is_answered_with_400_or_not_at_all_and_the_server_goes_on() {
    let server = TestServer::set("http.request_timeout_ms", 1500).start();
    for request in ["\r\n\r\n", "HELLO\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = http::dial(server.public);
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        if let Ok(response) = http::read_response(&mut std::io::BufReader::new(stream)) {
            assert!([400, 408].contains(&response.status), "{request:?}: {response:?}");
        }
    }
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_connection_that_says_nothing_is_hung_up_on() {
    let server = TestServer::set("http.request_timeout_ms", 1500).start();
    let mut silent = http::dial(server.public);
    let mut half = http::dial(server.public);
    std::io::Write::write_all(&mut half, b"GET / HTTP/1.1\r\nHost:").unwrap();
    for stream in [&mut silent, &mut half] {
        let mut rest = Vec::new();
        let ended = std::io::Read::read_to_end(stream, &mut rest);
        let text = String::from_utf8_lossy(&rest);
        assert!(ended.is_ok(), "still open: {ended:?}");
        assert!(rest.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
}

#[test]
fn a_refused_upgrade_hangs_up_after_its_answer() {
    let server = TestServer::start();
    let (refused, mut stream) = Handshake::new().with("Sec-WebSocket-Version", "8").send(server.public);
    assert_eq!(refused.needs("Content-Type").split(';').next(), Some("application/json"));
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut rest).unwrap();
    assert_eq!(rest, b"");
}

#[test]
fn answers_name_no_software_and_errors_no_files() {
    let server = TestServer::start();
    for (path, response) in answers(&server) {
        assert_eq!(response.header("Server"), None, "{path}");
        assert_eq!(response.header("X-Powered-By"), None, "{path}");
        assert!(response.status < 400 || !response.body.contains(".rs"), "{path}: {response:?}");
    }
}
