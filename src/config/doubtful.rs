//! What is configured and hardly meant, and what a running server takes over.

use std::path::Path;

use super::{
    settings::keys,
    tests::{Variables, load_text, owned, refusal, settings},
    *,
};

#[test]
fn no_default_is_doubtful_and_whatever_is_doubtful_is_allowed() {
    let defaults = report::values(&Settings::default());
    for key in keys() {
        let kind::Kind::Integer { min, max, usual: (low, high), unit } = key.kind else { continue };
        assert!(min <= low && low < high && high <= max, "{}", key.path());
        let default = report::value(&defaults, key).as_i64().unwrap();
        assert_eq!(key.kind.doubt(default), None, "{}", key.path());
        let has_unit = ["_ms", "_bytes"].iter().any(|end| key.name.ends_with(end));
        assert_eq!(has_unit, ["milliseconds", "bytes"].contains(&unit), "{}", key.path());
    }
}

fn doubts(toml: &str, env: Variables) -> Vec<String> {
    let (settings, origins) = load_text(toml, env).unwrap();
    warnings::doubts(&settings, &origins, &owned(env))
}

#[test]
fn a_queue_that_does_not_hold_a_message_of_each_peer_is_told_with_all_three_figures() {
    let told = doubts("[limits]\npeers_per_room = 20\n", &[]);
    assert!(told.len() == 1 && told[0].starts_with("limits.queue_bytes = 786432 is less than"), "{told:?}");
    assert!(told[0].contains("peers_per_room = 20 ") && told[0].contains("frame_bytes = 65536:"), "{told:?}");
    assert!(doubts("[limits]\npeers_per_room = 12\n", &[]).is_empty());
}

#[test]
fn seconds_where_milliseconds_are_asked_for_are_told_with_what_to_write() {
    let toml = "[server]\ndrain_ms = 20\n[limits]\nmeta_bytes = 4\njoin_timeout_ms = 10\nresume_window_ms = 30\n";
    let told = doubts(toml, &[("SWITCHBOARD__HEARTBEAT__INTERVAL_MS", "30")]);
    let starts = [
        "server.drain_ms (file a.toml) is 20 milliseconds; usual are 1000 to 3600000; for 20 seconds write 20000",
        "limits.meta_bytes (file a.toml) is 4 bytes; usual are 128 to 1048576; for 4 KiB write 4096",
        "limits.join_timeout_ms (file a.toml) is 10 milliseconds; usual are",
        "limits.resume_window_ms (file a.toml) is 30 milliseconds; usual are",
        "heartbeat.interval_ms (variable SWITCHBOARD__HEARTBEAT__INTERVAL_MS) is 30 milliseconds; usual are",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    assert!(told.iter().zip(starts).all(|(told, start)| told.starts_with(start)), "{told:#?}");
    assert_eq!(doubts("[server]\ndrain_ms = 0\n[ops]\nscrape_wait_ms = 0\n", &[("PORT", "0")]), Vec::<String>::new());
}

#[test]
fn a_bound_of_the_log_s_folder_in_mebibytes_is_told() {
    let told = doubts("[log]\nmax_bytes = 4096\n", &[]);
    assert!(told.len() == 1 && told[0].starts_with("log.max_bytes (file a.toml) is 4096 bytes; usual are"), "{told:?}");
    assert_eq!(doubts("[log]\nmax_bytes = 0\n", &[]), Vec::<String>::new());
}

#[test]
fn a_budget_that_does_not_hold_what_it_is_for_is_told() {
    let told = doubts("[limits]\nframe_bytes = 65536\nbyte_burst = 65535\nbyte_burst_per_address = 65534\n", &[]);
    assert_eq!(
        told,
        [
            "limits.byte_burst = 65535 is less than limits.frame_bytes = 65536: the longest message always waits for it",
            "limits.byte_burst_per_address = 65534 is less than limits.byte_burst = 65535: what one connection may send always \
             waits for it",
        ]
    );
    let told = doubts("[limits]\nbyte_rate = 2000\nbyte_rate_per_address = 1999\n", &[]);
    assert!(told.len() == 1 && told[0].starts_with("limits.byte_rate_per_address = 1999 is less"), "{told:?}");
    assert_eq!(doubts("[limits]\nbyte_burst = 65536\n", &[]), Vec::<String>::new());
}

#[test]
fn a_plain_variable_is_refused_where_its_value_is_hardly_meant() {
    for (name, value, told) in [
        ("HEARTBEAT_INTERVAL", "30", "found 30 milliseconds; usual are 1000 to 600000; for 30 seconds write 30000"),
        (
            "CONNECTION_TIMEOUT",
            "300",
            "found 300 milliseconds; usual are 1500 to 3600000; for 300 seconds write 300000",
        ),
        ("HEARTBEAT_INTERVAL", "999", "less is taken from SWITCHBOARD__HEARTBEAT__INTERVAL_MS"),
        ("HEARTBEAT_INTERVAL", "30s", "(milliseconds); write 30000"),
        ("MAX_CONNECTIONS", "10k", "(connections); write 10000"),
    ] {
        let text = refusal("", &[(name, value)]);
        assert!(text.contains(name) && text.contains(told), "{text}");
    }
    let long = doubts("", &[("HEARTBEAT_INTERVAL", "900000"), ("CONNECTION_TIMEOUT", "86400000")]);
    assert_eq!(long.len(), 2, "too long may be meant: {long:#?}");
    assert_eq!(settings("", &[("HEARTBEAT_INTERVAL", "")]).heartbeat.interval_ms, Milliseconds(30_000));
}

#[test]
fn variables_that_are_not_read_are_told_and_those_of_services_are_not() {
    let env = [
        ("SWITCHBOARD_OPS_PORT", "9000"),
        ("MAX_CONNECTION", "9"),
        ("SWITCHBOARD_COLOUR", "blue"),
        ("SWITCHBOARD_SERVICE_HOST", "10.0.0.1"),
        ("SWITCHBOARD_PORT", "tcp://10.0.0.1:8080"),
        ("SWITCHBOARD__OPS_SERVICE_PORT", "9464"),
        ("SWITCHBOARD__CONFIG", "a.toml"),
        ("SWITCHBOARD__OPS__HOST", "::1"),
    ];
    assert_eq!(
        doubts("", &env),
        [
            "variable SWITCHBOARD_OPS_PORT is not read: did you mean SWITCHBOARD__OPS__PORT?",
            "variable MAX_CONNECTION is not read: did you mean MAX_CONNECTIONS?",
            "variable SWITCHBOARD_COLOUR is not read: ours are SWITCHBOARD__SECTION__KEY",
        ]
    );
    let report = check_config(None, owned(&env)).unwrap();
    assert!(report.starts_with("OK\n# warning: variable SWITCHBOARD_OPS_PORT is not read"), "{report}");
    assert!(
        report.contains("\n# not read: SWITCHBOARD_SERVICE_HOST and 2 more, which Kubernetes or Docker made"),
        "{report}"
    );
    assert!(refusal("", &[("SWITCHBOARD__OPS__PROT", "1")]).ends_with("; did you mean SWITCHBOARD__OPS__PORT?"));
}

#[test]
fn the_file_is_that_of_the_argument_or_else_of_the_variable() {
    let variable = owned(&[("SWITCHBOARD__CONFIG", "b.toml")]);
    assert_eq!(file(Some(Path::new("a.toml")), &variable), Some("a.toml".into()));
    assert_eq!(file(None, &variable), Some("b.toml".into()));
    assert_eq!(file(None, &owned(&[("SWITCHBOARD__CONFIG", "")])), None);
}

#[test]
fn what_can_change_while_the_server_runs_is_what_is_taken_over() {
    let credential = |text: &str| format!("[{{\"urls\":\"turn:a\",\"username\":\"u\",\"credential\":\"{text}\"}}]");
    let of = |secret: &str| settings("", &[("SWITCHBOARD__ICE__SERVERS", &credential(secret))]);
    let other = settings(
        "[log]\nlevel = 'trace'\n[tls]\ncert_file = 'f'\nkey_file = 'g'\n\
         [ops]\ntoken_file = 'b'\ntls_cert_file = 'f'\ntls_key_file = 'g'\n[http]\nallowed_origins = []\n[server]\nport = 1\n\
         [auth]\njwks_file = 'c'\nissuers = ['i']\naudiences = ['a']\nkeys = [{ algorithm = 'HS256', file = 'd' }]\n",
        &[("SWITCHBOARD__ICE__SERVERS", &credential("new"))],
    );
    let mut ours = of("old");
    let found = ours.differences(&other);
    let of_tls = ["tls.cert_file", "tls.key_file", "ops.token_file", "ops.tls_cert_file", "ops.tls_key_file"];
    let of_tokens = ["auth.keys", "auth.jwks_file", "auth.issuers", "auth.audiences"];
    assert_eq!(found.live, [&of_tls[..], &["http.allowed_origins"], &of_tokens[..], &["log.level"]].concat());
    assert_eq!(found.fixed, ["server.port", "ice.servers"]);
    assert_eq!(found.live.len(), keys().filter(|key| key.live).count(), "this test has one of each");
    ours.take_live(&other);
    assert_eq!(ours.differences(&other), Differences { live: vec![], fixed: found.fixed });
}
