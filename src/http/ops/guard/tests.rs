//! Who may ask the operator's listener.

use actix_web::{
    http::header::{HeaderName, HeaderValue},
    test::TestRequest,
};

use super::*;
use crate::{config::Settings, http::authority::SHOWN};

const TOKEN: &str = "correct-horse-battery-staple";
const SECOND: Duration = Duration::from_secs(1);

fn guard(address: &str, token: Option<&str>) -> Guard {
    let token = token.map(Token::new);
    let names = ["ops-1.internal", "switchboard"].map(str::to_owned).to_vec();
    let config = GuardConfig { names, failures: 3, protects_reads: false };
    Guard::new(config, address.parse().unwrap(), token, Clients::new(&Settings::default()))
}

fn request(path: &str, list: &[(HeaderName, &str)]) -> TestRequest {
    list.iter().fold(TestRequest::with_uri(path), |request, header| request.append_header(header.clone()))
}

/// What the guard says to a request for something, with these headers.
fn ask(list: &[(HeaderName, &str)]) -> Result<(), GuardError> {
    guard("127.0.0.1:9464", None).0.admit(&request("/metrics", list).to_srv_request())
}

fn is_host(refused: &Result<(), GuardError>) -> bool {
    matches!(refused, Err(GuardError::Host(_)))
}

#[test]
fn a_host_is_an_address_or_a_name_of_ours_on_any_port() {
    for ours in [
        "127.0.0.1:9464",
        "127.0.0.2",
        "10.0.0.7:80",
        "203.0.113.7:9464",
        "[::1]:9464",
        "[2001:db8::7]",
        "[::ffff:127.0.0.1]:9464",
        "localhost",
        "LOCALHOST:3000",
        "localhost.:9464",
        "Ops-1.internal:9464",
        "switchboard:9464",
    ] {
        assert_eq!(ask(&[(HOST, ours)]), Ok(()), "{ours}");
    }
    for foreign in [
        "",
        ":9464",
        "evil.example",
        "evil.example:9464",
        "localhost:x",
        "localhost:",
        "localhost:9464:9464",
        "localhost.evil.example",
        "switchboard.evil.example:9464",
        "127.0.0.1.evil.example:9464",
        "[::1",
        "::1",
        "[localhost.evil.example]",
        "localhost@evil.example:9464",
        "evil.example, localhost",
        "2130706433",
        "0x7f.1",
    ] {
        assert!(is_host(&ask(&[(HOST, foreign)])), "{foreign}");
    }
    assert!(is_host(&ask(&[(HOST, "localhost:9464"), (HOST, "evil.example")])));
    assert!(is_host(&ask(&[])));
}

#[test]
fn a_target_that_is_named_in_full_must_be_ours_too() {
    let full = |target: &str| {
        let request = request(target, &[(HOST, "localhost")]).to_srv_request();
        guard("127.0.0.1:9464", None).0.admit(&request)
    };
    assert_eq!(full("http://127.0.0.1:9464/metrics"), Ok(()));
    assert!(is_host(&full("http://evil.example/metrics")));
}

#[test]
fn only_a_probe_by_http_1_0_may_come_without_a_host() {
    let bare = |path: &str, list: &[(HeaderName, &str)]| {
        let request = request(path, list).version(Version::HTTP_10).to_srv_request();
        guard("127.0.0.1:9464", None).0.admit(&request)
    };
    assert_eq!(bare("/healthz", &[]), Ok(()));
    assert!(is_host(&bare("/healthz", &[(HOST, "evil.example")])));
    assert!(is_host(&bare("/healthz", &[(ORIGIN, "http://evil.example")])));
    assert!(is_host(&bare("/metrics", &[])));
}

#[test]
fn a_page_of_ours_may_ask_and_no_other() {
    let origin = |host: &str, origin: &str| ask(&[(HOST, host), (ORIGIN, origin)]);
    assert_eq!(origin("localhost:9464", "http://localhost:9464"), Ok(()));
    assert_eq!(origin("switchboard", "https://switchboard"), Ok(()));
    for foreign in
        ["null", "", "http://evil.example", "http://localhost:8080", "http://127.0.0.1:9464", "localhost:9464"]
    {
        assert!(matches!(origin("localhost:9464", foreign), Err(GuardError::Origin(..))), "{foreign}");
    }
    let twice = [(HOST, "localhost"), (ORIGIN, "http://localhost"), (ORIGIN, "http://evil.example")];
    assert!(matches!(ask(&twice), Err(GuardError::Origin(..))));
}

#[test]
fn an_image_of_a_page_from_elsewhere_is_told_by_its_site() {
    let from = |sites: &[&'static str]| {
        let pair = |site: &&'static str| (HeaderName::from_static(SEC_FETCH_SITE), HeaderValue::from_static(site));
        own_page(&sites.iter().map(pair).collect())
    };
    for ours in [&[][..], &["same-origin"], &["none"]] {
        assert_eq!(from(ours), Ok(()), "{ours:?}");
    }
    for foreign in ["cross-site", "same-site", "", "same-origin,cross-site"] {
        assert_eq!(from(&[foreign]), Err(GuardError::Site(foreign.to_owned())));
    }
    let headers: HeaderMap = ["same-origin", "cross-site"].into_iter().fold(HeaderMap::new(), |mut headers, site| {
        headers.append(HeaderName::from_static(SEC_FETCH_SITE), HeaderValue::from_static(site));
        headers
    });
    assert_eq!(own_page(&headers), Err(GuardError::Site("cross-site".to_owned())), "one of two");
}

/// Shows that in `Authorization` from that address at that time.
fn show(guard: &Guard, shown: Option<&str>, from: &str, now: Instant) -> Result<(), GuardError> {
    let headers = HeaderMap::from_iter(shown.map(|value| (AUTHORIZATION, value.parse().unwrap())));
    guard.0.authorise(&headers, SocketAddr::new(from.parse().unwrap(), 9), now)
}

#[test]
fn off_loopback_only_with_a_token_and_with_a_token_nowhere_without() {
    let now = Instant::now();
    let from = "10.0.0.9";
    assert_eq!(show(&guard("127.0.0.1:9464", None), None, from, now), Ok(()));
    let closed = guard("0.0.0.0:9464", None);
    assert_eq!(show(&closed, None, from, now), Err(GuardError::Closed));
    assert_eq!(show(&closed, Some("Bearer "), from, now), Err(GuardError::Closed));
    let (short, long) = (&TOKEN[1..], format!("{TOKEN}x"));
    for address in ["0.0.0.0:9464", "127.0.0.1:9464"] {
        for right in ["Bearer", "bearer"] {
            let right = format!("{right} {TOKEN}");
            assert_eq!(show(&guard(address, Some(TOKEN)), Some(&right), from, now), Ok(()));
        }
        for wrong in [None, Some(""), Some("Bearer "), Some(TOKEN), Some(&*format!("Basic {TOKEN}"))] {
            assert_eq!(show(&guard(address, Some(TOKEN)), wrong, from, now), Err(GuardError::Token), "{wrong:?}");
        }
        for wrong in [short, &long, "correct-horse-battery-stapl3"] {
            let wrong = format!("Bearer {wrong}");
            assert_eq!(show(&guard(address, Some(TOKEN)), Some(&wrong), from, now), Err(GuardError::Token));
        }
    }
}

#[test]
fn who_shows_wrong_tokens_waits_and_nobody_else_does() {
    let now = Instant::now();
    let guard = guard("0.0.0.0:9464", Some(TOKEN));
    let right = format!("Bearer {TOKEN}");
    let (right, wrong) = (Some(right.as_str()), Some("Bearer wrong"));
    for _ in 0..9 {
        assert_eq!(show(&guard, None, "10.0.0.1", now), Err(GuardError::Token), "who shows none does not guess");
    }
    for _ in 0..3 {
        assert_eq!(show(&guard, wrong, "10.0.0.1", now), Err(GuardError::Token));
    }
    for shown in [wrong, right, wrong, right] {
        assert_eq!(show(&guard, shown, "10.0.0.1", now), Err(GuardError::TooMany(20 * SECOND)), "none is looked at");
    }
    assert_eq!(show(&guard, right, "10.0.0.2", now), Ok(()));
    assert_eq!(show(&guard, right, "10.0.0.1", now + 20 * SECOND), Ok(()), "what was not looked at did not count");
    assert_eq!(show(&guard, wrong, "10.0.0.1", now + 20 * SECOND), Err(GuardError::Token));
    let neighbours = (0..40).map(|net| show(&guard, wrong, &format!("2001:db8:0:{net:x}::1"), now));
    assert_eq!(neighbours.filter(|shown| *shown == Err(GuardError::Token)).count(), 12, "a /56 is four of them");
}

#[test]
fn a_refusal_names_what_came_and_shows_only_what_can_be_shown() {
    let refusal = |host: &[u8]| GuardError::Host(printable(host)).facts().2;
    assert!(refusal(b"evil.example:9464").contains("Host is evil.example:9464,"));
    assert!(refusal(b"evil.example").contains("ops.allowed_hosts"));
    assert!(refusal(b"").contains("Host is missing"));
    assert!(refusal("a\u{202e}b c\x1b[31m".as_bytes()).contains("Host is a???b?c?[31m,"));
    assert!(refusal(&[b'a'; 9000]).contains(&format!("Host is {}...,", "a".repeat(SHOWN))));
}
