//! Loading as its users meet it: files, variables, and what is told when they are wrong.

use std::{io::Write, path::Path};

use tempfile::NamedTempFile;

use super::{layer::Layer, load::merge, rules::Origins, settings::keys, *};

pub(super) type Variables<'a> = &'a [(&'a str, &'a str)];

pub(super) fn owned(env: Variables) -> Vec<(String, String)> {
    env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Loads `toml` as the file `a.toml` and `env` over it.
pub(super) fn load_text(toml: &str, env: Variables) -> Result<(Settings, Origins), ConfigError> {
    merge(Layer::from_toml(toml, "file a.toml")?, owned(env))
}

pub(super) fn settings(toml: &str, env: Variables) -> Settings {
    load_text(toml, env).unwrap().0
}

/// The refusal's text, which is one line whatever is wrong.
pub(super) fn refusal(toml: &str, env: Variables) -> String {
    let text = load_text(toml, env).unwrap_err().to_string();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    text
}

/// A file that is gone when the test is.
fn file(end: &str, content: &[u8]) -> NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(end).tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

#[test]
fn nothing_configured_is_the_defaults() {
    assert_eq!(settings("", &[]), Settings::default());
    assert_eq!(
        Settings::load(None, owned(&[("HOME", "/"), ("PATH", "x"), ("port", "1")])).unwrap(),
        Settings::default()
    );
}

#[test]
fn the_plain_variables_work() {
    let ours = settings(
        "",
        &[
            ("HOST", "127.0.0.1"),
            ("PORT", "9000"),
            ("MAX_CONNECTIONS", "42"),
            ("HEARTBEAT_INTERVAL", "1000"),
            ("CONNECTION_TIMEOUT", "1500"),
            ("LOG_LEVEL", "WARNING"),
        ],
    );
    assert_eq!((ours.server.host.as_str(), ours.server.port, ours.server.max_connections), ("127.0.0.1", 9000, 42));
    assert_eq!((ours.heartbeat.interval_ms.0, ours.heartbeat.ping_timeout().0), (1000, 1500));
    assert_eq!(ours.log.level, LogLevel::Warn);
}

#[test]
fn every_structured_variable_sets_its_key_and_only_that() {
    let defaults = report::values(&Settings::default());
    for key in keys() {
        let text = match key.kind {
            kind::Kind::Integer { min, .. } if key.section == "limits" && key.name == "frame_bytes" => {
                (min + 4000).to_string()
            }
            kind::Kind::Integer { max, .. }
                if ["queue_bytes", "connection_timeout_ms", "drain_deadline_ms", "exit_ms", "retry_max_ms"]
                    .contains(&key.name) =>
            {
                max.to_string()
            }
            kind::Kind::Integer { min, .. } => min.to_string(),
            // It needs a token.
            kind::Kind::Switch if key.name == "protect_reads" => "false".to_owned(),
            kind::Kind::Switch => "true".to_owned(),
            // The other one needs a key.
            kind::Kind::Text { .. } if key.name == "mode" => "open".to_owned(),
            // It needs a secret.
            kind::Kind::Text { .. } if key.path() == "webhooks.url" => String::new(),
            kind::Kind::Text { .. } if key.name == "min_version" => "1.3".to_owned(),
            kind::Kind::Text { .. } if key.name == "level" => "trace".to_owned(),
            kind::Kind::Text { .. } if key.name == "forwarded_header" => "forwarded".to_owned(),
            kind::Kind::Text { .. } if key.name == "dir_mode" => "0700".to_owned(),
            kind::Kind::Text { .. } if key.name == "file_mode" => "0600".to_owned(),
            kind::Kind::Text { .. } | kind::Kind::TextOrNone { .. } => "007a".to_owned(),
            kind::Kind::List { .. } if key.name == "trusted_proxies" => "10.0.0.0/8, ::1".to_owned(),
            kind::Kind::List { .. } if key.name == "allowed_hosts" => "a.example, switchboard".to_owned(),
            kind::Kind::List { .. } if key.name == "events" => "room_opened, peer_left".to_owned(),
            kind::Kind::List { .. } => "https://a.example, https://b.example".to_owned(),
            kind::Kind::Parts { .. } if key.name == "keys" => r#"[{"algorithm":"HS256","file":"a"}]"#.to_owned(),
            // It cannot go with a handover, and needs nothing else.
            kind::Kind::Parts { .. } if key.name == "redis_url" => "redis://a.example".to_owned(),
            kind::Kind::Parts { .. } => r#"[{"urls":["stun:a.example"]}]"#.to_owned(),
        };
        // A certificate and its key are nothing without each other.
        let partner = match key.name.strip_suffix("cert_file") {
            Some(name) => Some(format!("{name}key_file")),
            None => key.name.strip_suffix("key_file").map(|name| format!("{name}cert_file")),
        };
        let partner = partner.and_then(|name| keys().find(|other| other.section == key.section && other.name == name));
        let both = partner.map(|partner| (partner.variable(), text.clone()));
        let both = both.into_iter().chain([(key.variable(), text.clone())]).collect();
        let ours = report::values(&merge(Layer::default(), both).unwrap().0);
        for other in keys().filter(|other| partner.is_none_or(|partner| partner.path() != other.path())) {
            let same = report::value(&ours, other) == report::value(&defaults, other);
            let untouched =
                other.path() != key.path() || text == report::literal(report::value(&defaults, key)).trim_matches('"');
            assert_eq!(same, untouched, "{} = {text} and {}", key.path(), other.path());
        }
    }
}

#[test]
fn the_later_layer_wins_and_the_rest_stays() {
    let toml = "[server]\nport = 1\nnode = 'a'\n[ops]\nport = 2\n";
    let port = |env| settings(toml, env).server.port;
    assert_eq!(port(&[]), 1);
    assert_eq!(port(&[("PORT", "3")]), 3);
    assert_eq!(port(&[("PORT", "3"), ("SWITCHBOARD__SERVER__PORT", "4")]), 4);
    assert_eq!(port(&[("PORT", ""), ("SWITCHBOARD__SERVER__PORT", "")]), 1, "an empty variable is not set");
    let ours = settings(toml, &[("SWITCHBOARD__SERVER__PORT", "4")]);
    assert_eq!((ours.server.node.as_str(), ours.ops.port, ours.server.host.as_str()), ("a", 2, "0.0.0.0"));
    let origins = settings(
        "[http]\nallowed_origins = ['https://a.example', 'https://b.example']",
        &[("SWITCHBOARD__HTTP__ALLOWED_ORIGINS", "https://c.example")],
    );
    assert_eq!(origins.http.allowed_origins, ["https://c.example"], "a list is replaced, not mixed");
}

#[test]
fn a_server_without_a_name_is_something_else_than_one_whose_name_was_not_set() {
    const NODE: &str = "SWITCHBOARD__SERVER__NODE";
    let name = |toml, env| settings(toml, env).server.node_name();
    let (host, named) = (Settings::default().server.node_name(), "[server]\nnode = 'a'\n");
    assert!(host.is_some());
    assert_eq!(name("", &[]), host);
    assert_eq!(name("", &[(NODE, "")]), None);
    assert_eq!(name("[server]\nnode = ''\n", &[]), None);
    assert_eq!(name(named, &[(NODE, "")]), None, "the later layer wins");
    assert_eq!(name("[server]\nnode = ''\n", &[(NODE, "b")]).as_deref(), Some("b"));
    assert_eq!(name(named, &[(NODE, "%H")]), host, "the default can be asked for");
}

fn each_refusal_tells(table: &[(&str, Variables, &str)]) {
    for (toml, env, told) in table {
        let text = refusal(toml, env);
        assert!(text.starts_with("cannot use ") && text.contains(told), "{text}\nshould tell\n{told}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_refusal_of_a_file_names_the_key_the_file_what_was_found_and_what_is_allowed() {
    each_refusal_tells(&[
        (
            "[server]\nport = 65536",
            &[],
            "server.port from file a.toml: found 65536; allowed: an integer from 0 to 65535",
        ),
        ("[server]\nport = -1", &[], "server.port from file a.toml: found -1; allowed: an integer"),
        ("[server]\nport = '8080'", &[], "server.port from file a.toml: found \"8080\"; allowed: an integer"),
        ("[server]\nport = 8080.0", &[], "server.port from file a.toml: found 8080.0; allowed: an integer"),
        ("[server.port]\nx = 1", &[], "server.port from file a.toml: found a table; allowed: an integer"),
        ("[limits]\nrecipients = 0", &[], "limits.recipients from file a.toml: found 0; allowed: an integer from 1"),
        ("[http]\nbehind_tls = 1", &[], "http.behind_tls from file a.toml: found 1; allowed: true or false"),
        ("[http]\nallowed_origins = '*'", &[], "http.allowed_origins from file a.toml: found \"*\"; allowed: a list"),
        ("[http]\nallowed_origins = ['*', 'a']", &[], "http.allowed_origins[1] from file a.toml: found \"a\"; allowed"),
        ("[log]\nfile_mode = '0440'", &[], "log.file_mode from file a.toml: found \"0440\"; allowed: a mode in octal"),
        ("[log]\ndir_mode = 750", &[], "log.dir_mode from file a.toml: found 750; allowed: a mode in octal"),
        ("[state]\ndir = 1", &[], "state.dir from file a.toml: found 1; allowed: the path of a folder, or empty"),
        ("server = 8080", &[], "[server] from file a.toml: found an integer; allowed: a table"),
        ("[[server]]\nport = 1", &[], "[server] from file a.toml: found a list; allowed: a table"),
        ("[ice]\nservers = [{ urls = 'turn:a' }]", &[], "ice.servers[0].username from file a.toml: found nothing; all"),
    ]);
}

#[test]
fn a_refusal_of_a_variable_names_the_key_the_variable_what_was_found_and_what_is_allowed() {
    each_refusal_tells(&[
        (
            "",
            &[("PORT", "eighty")],
            "server.port from variable PORT: found \"eighty\"; allowed: an integer from 0 to 65535",
        ),
        ("", &[("PORT", "tcp://10.0.0.1:80")], "server.port from variable PORT: found \"tcp://10.0.0.1:80\"; allowed"),
        ("", &[("HOST", "0.0.0.0:80")], "server.host from variable HOST: found \"0.0.0.0:80\"; allowed: an IP"),
        ("", &[("HOST", "a\nb")], "server.host from variable HOST: found \"a\\nb\"; allowed: an IP"),
        ("", &[("LOG_LEVEL", "loud")], "log.level from variable LOG_LEVEL: found \"loud\"; allowed: critical, error,"),
        (
            "",
            &[("HEARTBEAT_INTERVAL", "30s")],
            "heartbeat.interval_ms from variable HEARTBEAT_INTERVAL: found \"30s\";",
        ),
        (
            "",
            &[("CONNECTION_TIMEOUT", "-1")],
            "heartbeat.connection_timeout_ms from variable CONNECTION_TIMEOUT: found -1",
        ),
        (
            "",
            &[("MAX_CONNECTIONS", "0")],
            "server.max_connections from variable MAX_CONNECTIONS: found 0; allowed: an i",
        ),
        (
            "",
            &[("SWITCHBOARD__ICE__SERVERS", "s3cret")],
            "ice.servers from variable SWITCHBOARD__ICE__SERVERS: found a text",
        ),
        (
            "[server]\nport = 1",
            &[("SWITCHBOARD__OPS__PORT", "1")],
            "found server.port = 1 (file a.toml), ops.port = 1 (variable SWITCHBOARD__OPS__PORT); allowed: two different",
        ),
    ]);
}

#[test]
fn an_unknown_name_is_refused_with_the_names_there_are() {
    each_refusal_tells(&[
        (
            "[sever]\nport = 1",
            &[],
            "[sever] from file a.toml: there is no such section; allowed: [server], [tls], [ops]",
        ),
        ("port = 1", &[], "[port] from file a.toml: there is no such section"),
        (
            "[server]\nprot = 1",
            &[],
            "server.prot from file a.toml: there is no such key; allowed: in [server] host, port,",
        ),
        ("[server]\nPort = 1", &[], "server.Port from file a.toml: there is no such key"),
        ("[server]\n\"a\\nb\" = 1", &[], "server.a\\nb from file a.toml: there is no such key"),
        (
            "",
            &[("SWITCHBOARD__OPS__PROT", "")],
            "SWITCHBOARD__OPS__PROT from the environment: there is no such variable; allowed: SWITCHBOARD__OPS__HOST, SWITCHBOARD__OPS__PORT",
        ),
        (
            "",
            &[("SWITCHBOARD__OPS__port", "1")],
            "SWITCHBOARD__OPS__port from the environment: there is no such variable; allowed: SWITCHBOARD__OPS__HOST",
        ),
        (
            "",
            &[("switchboard__ops__port", "1")],
            "switchboard__ops__port from the environment: there is no such variable",
        ),
        (
            "",
            &[("SWITCHBOARD__PORT", "1")],
            "SWITCHBOARD__PORT from the environment: there is no such variable; allowed: SWITCHBOARD__SECTION__KEY",
        ),
        (
            "",
            &[("SWITCHBOARD__ICE__SERVERS__0__CREDENTIAL", "s3cret")],
            "there is no such variable; allowed: SWITCHBOARD__ICE__SERVERS",
        ),
    ]);
}

#[test]
fn of_several_mistakes_the_same_one_is_always_told() {
    let toml = "[zeta]\n[server]\nz = 1\ny = 1\nport = 'x'\n[alpha]\n";
    for _ in 0..20 {
        assert!(refusal(toml, &[]).starts_with("cannot use [alpha] "));
    }
}

#[test]
fn a_mistake_in_a_layer_that_is_covered_by_another_still_counts() {
    assert!(refusal("", &[("PORT", "x"), ("SWITCHBOARD__SERVER__PORT", "1")]).contains("variable PORT"));
}

#[test]
fn a_file_that_cannot_be_read_or_parsed_is_named() {
    let load = |path: &Path| Settings::load(Some(path), []).unwrap_err().to_string();
    let missing = load(Path::new("/no/such\nfile.toml"));
    assert!(missing.starts_with(r"cannot read the configuration file /no/such\nfile.toml: No such file"), "{missing}");
    let latin = file("latin.toml", b"[server]\nnode = '\xe9'\n");
    assert!(load(latin.path()).contains("valid UTF-8"), "{}", load(latin.path()));
    let text = refusal("[server]\nport = \n", &[]);
    assert!(
        text.starts_with("cannot read the configuration file a.toml: TOML parse error at line 2, column 8, "),
        "{text}"
    );
    assert!(refusal("[server]\nport = 1\nport = 2\n", &[]).contains("duplicate key"));
    assert!(refusal("[server]\nport = 99999999999999999999\n", &[]).contains("file a.toml"));
}

#[test]
fn any_file_name_will_do() {
    let file = file("settings.conf", b"\xef\xbb\xbf[server]\r\nport = 1234\r\n");
    assert_eq!(Settings::load(Some(file.path()), []).unwrap().server.port, 1234);
}

#[test]
fn no_mistake_in_a_file_or_variable_shows_a_credential() {
    let toml = "[ice]\nservers = [{ urls = 'turn:a', username = 'u', credential = 's3cret' }]\n";
    let json = r#"[{"urls":"turn:a","username":"u","credential":"s3cret"}]"#;
    let mut refused = 0;
    for (text, is_toml) in [(toml, true), (json, false)] {
        for index in 0..text.len() {
            for end in [&text[index + 1..], "", &text[index..]] {
                for spoilt in ["", "\"", "'", "\n", "=", "0"] {
                    let text = format!("{}{spoilt}{end}", &text[..index]);
                    let result = if is_toml {
                        load_text(&text, &[])
                    } else {
                        load_text("", &[("SWITCHBOARD__ICE__SERVERS", &text)])
                    };
                    let shown =
                        result.as_ref().map_or_else(ToString::to_string, |(settings, _)| format!("{settings:?}"));
                    let debug = result.map_or_else(|error| format!("{error:?}"), |_| String::new());
                    assert!(!shown.contains("s3cret") && !debug.contains("s3cret"), "{text}: {shown} {debug}");
                    refused += usize::from(!debug.is_empty());
                }
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn the_bounds_themselves_fit_their_fields() {
    for key in keys() {
        let kind::Kind::Integer { min, max, .. } = key.kind else { continue };
        for (text, fits) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
            match load_text("", &[(&key.variable(), &text.to_string())]) {
                Ok(_) | Err(ConfigError::Conflict { .. }) => assert!(fits, "{} = {text}", key.path()),
                Err(error) => assert!(!fits && matches!(error, ConfigError::Value { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn the_check_prints_settings_that_can_be_read_back_their_origins_and_no_credential() {
    let servers = r#"[{"urls":["stun:a.example"]},{"urls":"turn:a","username":"\"u\u007f","credential":"s3cret"}]"#;
    let file = file("check.toml", b"[server]\nnode = 'blue \"1\"'\n");
    let env = [("PORT", "0"), ("SWITCHBOARD__ICE__SERVERS", servers)];
    let report = check_config(Some(file.path()), owned(&env)).unwrap();
    let toml = report.strip_prefix("OK\n").unwrap();
    assert!(!report.contains("s3cret") && report.contains("\nport = 0  # variable PORT\n"), "{report}");
    assert!(report.contains(&format!("\nnode = \"blue \\\"1\\\"\"  # file {}\n", file.path().display())), "{report}");
    let mut wanted = Settings::load(Some(file.path()), owned(&env)).unwrap();
    wanted.ice.servers[1].credential = Some(Secret::new("(hidden)".to_owned()));
    assert_eq!(settings(toml, &[]), wanted);
    assert!(check_config(None, owned(&[("PORT", "x")])).is_err());
}

#[test]
fn a_strangers_variable_may_be_anything_and_ours_is_text() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let broken = || OsString::from_vec(vec![0xff]);
    let ok = [("LS_COLORS".into(), broken()), (broken(), "x".into()), ("PORT".into(), "1".into())];
    assert_eq!(environment(ok).unwrap(), [("PORT".to_owned(), "1".to_owned())]);
    assert_eq!(environment([("SWITCHBOARD_X".into(), broken())]).unwrap().len(), 1, "not read, and told of");
    for name in ["PORT", "SWITCHBOARD__OPS__PORT"] {
        let text = environment([(name.into(), broken())]).unwrap_err().to_string();
        assert!(text.starts_with(&format!("cannot use variable {name}: found bytes that are not UTF-8")), "{text}");
    }
}
