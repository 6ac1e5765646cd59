//! Who may ask for the drain.

use actix_web::http::header::HeaderValue;

use super::*;

const TOKEN: &str = "correct-horse-battery-staple";

fn admin(address: &str, token: Option<&str>) -> Admin {
    let token = token.map(|text| Token(text.as_bytes().into()));
    let second = Duration::from_secs(1);
    Admin::new(address.parse().unwrap(), token, vec!["ops-1.internal".to_owned()], second, second)
}

fn headers(list: &[(HeaderName, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in list {
        map.append(name.clone(), HeaderValue::from_str(value).unwrap());
    }
    map
}

/// A request to a listener at `address`.
fn ask(admin: &Admin, address: &str, list: &[(HeaderName, &str)]) -> Result<(), Refusal> {
    admin.check(&Method::POST, &headers(list), Some(address.parse().unwrap()))
}

const LOCAL: &str = "127.0.0.1:9464";

#[test]
fn a_host_is_ours_or_it_is_not() {
    let admin = admin(LOCAL, None);
    let host = |own: &str, host: &str| ask(&admin, own, &[(HOST, host), (CONTENT_TYPE, "application/json")]);
    for ours in
        ["127.0.0.1:9464", "localhost:9464", "LOCALHOST:9464", "localhost.:9464", "localhost", "Ops-1.internal:9464"]
    {
        assert_eq!(host(LOCAL, ours), Ok(()), "{ours}");
    }
    for foreign in [
        "",
        ":9464",
        "evil.example",
        "evil.example:9464",
        "127.0.0.1:80",
        "127.0.0.2:9464",
        "localhost:9465",
        "localhost:x",
        "localhost:",
        "localhost:9464:9464",
        "127.0.0.1.evil.example:9464",
        "[::1]:9464",
        "[::1",
        "::1",
        "localhost@evil.example:9464",
        "0.0.0.0:9464",
    ] {
        assert_eq!(host(LOCAL, foreign), Err(Refusal::Host), "{foreign}");
    }
    assert_eq!(host("[::1]:9464", "[::1]:9464"), Ok(()));
    assert_eq!(host("[::ffff:127.0.0.1]:9464", "127.0.0.1:9464"), Ok(()));
    assert_eq!(host("10.0.0.7:9464", "10.0.0.7:9464"), Ok(()));
    assert_eq!(host("10.0.0.7:9464", "localhost:9464"), Err(Refusal::Host), "nobody is on localhost there");
    let twice = [(HOST, "localhost:9464"), (HOST, "evil.example"), (CONTENT_TYPE, "application/json")];
    assert_eq!(ask(&admin, LOCAL, &twice), Err(Refusal::Host));
    assert_eq!(ask(&admin, LOCAL, &[(CONTENT_TYPE, "application/json")]), Err(Refusal::Host));
}

#[test]
fn a_page_of_ours_may_ask_and_no_other() {
    let admin = admin(LOCAL, None);
    let origin = |origin: &str| {
        ask(&admin, LOCAL, &[(HOST, "localhost:9464"), (ORIGIN, origin), (CONTENT_TYPE, "application/json")])
    };
    assert_eq!(origin("http://localhost:9464"), Ok(()));
    for foreign in
        ["null", "", "http://evil.example", "http://localhost:8080", "http://127.0.0.1:9464", "localhost:9464"]
    {
        assert_eq!(origin(foreign), Err(Refusal::Origin), "{foreign}");
    }
}

#[test]
fn off_loopback_only_with_a_token_and_with_a_token_nowhere_without() {
    let ask = |admin: &Admin, shown: Option<&str>| {
        let mut list = vec![(HOST, "10.0.0.7:9464"), (CONTENT_TYPE, "application/json")];
        list.extend(shown.map(|value| (AUTHORIZATION, value)));
        ask(admin, "10.0.0.7:9464", &list)
    };
    let closed = admin("0.0.0.0:9464", None);
    assert_eq!(ask(&closed, None), Err(Refusal::Closed));
    assert_eq!(ask(&closed, Some("Bearer ")), Err(Refusal::Closed));
    let armed = admin("0.0.0.0:9464", Some(TOKEN));
    assert_eq!(ask(&armed, Some(&format!("Bearer {TOKEN}"))), Ok(()));
    assert_eq!(ask(&armed, Some(&format!("bearer {TOKEN}"))), Ok(()));
    let (short, long) = (&TOKEN[1..], format!("{TOKEN}x"));
    for wrong in [None, Some(""), Some("Bearer "), Some(TOKEN), Some(&format!("Basic {TOKEN}"))] {
        assert_eq!(ask(&armed, wrong), Err(Refusal::Unauthorized), "{wrong:?}");
    }
    for wrong in [short, &long, "correct-horse-battery-stapl3"] {
        assert_eq!(ask(&armed, Some(&format!("Bearer {wrong}"))), Err(Refusal::Unauthorized), "{wrong:?}");
    }
}

#[test]
fn only_json_and_only_by_post() {
    let admin = admin(LOCAL, None);
    let kind = |kind: &str| ask(&admin, LOCAL, &[(HOST, LOCAL), (CONTENT_TYPE, kind)]);
    for json in ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"] {
        assert_eq!(kind(json), Ok(()), "{json}");
    }
    // These three are what a form or a script may send without asking first.
    for simple in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "text/plain; application/json"]
    {
        assert_eq!(kind(simple), Err(Refusal::NotJson), "{simple}");
    }
    let own = Some(LOCAL.parse().unwrap());
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT] {
        assert_eq!(admin.check(&method, &headers(&[(HOST, LOCAL)]), own), Err(Refusal::Method), "{method}");
    }
}

#[test]
fn a_token_file_is_one_line_that_cannot_be_guessed() {
    let path = std::env::temp_dir().join(format!("switchboard-{}", uuid::Uuid::new_v4()));
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        Token::read(&path)
    };
    let token = read(&format!("{TOKEN}\n")).unwrap().expect("a token");
    assert_eq!(&*token.0.get(), TOKEN.as_bytes());
    for bad in ["", "\n", "too short", &"x".repeat(513), "sixteen letters and spaces", "sechzehn-öctets-lang"] {
        assert_eq!(read(bad).err().map(|error| error.kind()), Some(io::ErrorKind::InvalidData), "{bad:?}");
    }
    fs::remove_file(&path).unwrap();
    assert!(Token::read(&path).is_err(), "a file that is not there is no reason to go without");
    assert!(Token::read(Path::new("")).unwrap().is_none());
}
