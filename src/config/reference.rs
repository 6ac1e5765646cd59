//! The documents made from the sections: `config/default.toml` and `docs/configuration.md`.
//! `UPDATE_DOCS=1 cargo test --lib config` writes them anew.

use std::{fmt::Write, fs, path::PathBuf};

use super::{
    load::load,
    marked::{camel_case, exported_name},
    report::{literal, value, values},
    section::Key,
    settings::{SECTIONS, Settings, keys},
};

const MARK: &str = "Generated from src/config by `UPDATE_DOCS=1 cargo test --lib config`";

fn default_toml() -> String {
    let values = values(&Settings::default());
    let mut out = format!("# Every key with its default: a copy to start from, not read by the server.\n# {MARK}.\n");
    for section in SECTIONS {
        out += "\n";
        comment(&mut out, section.about);
        writeln!(out, "[{}]", section.name).unwrap();
        for key in section.keys {
            out += "\n";
            comment(&mut out, key.about);
            writeln!(out, "# Allowed: {}.\n# {}", key.kind.allowed(), variables(key, "")).unwrap();
            writeln!(out, "{} = {}", key.name, literal(value(&values, key))).unwrap();
        }
    }
    out
}

fn comment(out: &mut String, lines: &[&str]) {
    for line in lines {
        writeln!(out, "#{line}").unwrap();
    }
}

fn variables(key: &Key, quote: &str) -> String {
    let plain = key.plain.map_or_else(String::new, |plain| format!(" or {quote}{plain}{quote}"));
    format!("Variable: {quote}{}{quote}{plain}.", key.variable())
}

fn configuration_md() -> String {
    let values = values(&Settings::default());
    let mut out = format!("<!-- {MARK}. -->\n{INTRODUCTION}");
    for key in keys().filter(|key| key.plain.is_some()) {
        let plain = key.plain.unwrap();
        let anchor = key.path().replace('.', "");
        writeln!(out, "| `{plain}` | [`{}`](#{anchor}) | {} |", key.path(), key.kind.allowed_plainly()).unwrap();
    }
    for section in SECTIONS {
        writeln!(out, "\n## [{}]\n\n{}", section.name, paragraph(section.about)).unwrap();
        for key in section.keys {
            let default = literal(value(&values, key));
            write!(out, "\n### `{}`\n\n{}\n\n", key.path(), paragraph(key.about)).unwrap();
            writeln!(out, "- Default: `{default}`\n- Allowed: {}", key.kind.allowed()).unwrap();
            if let Some(usual) = key.kind.usual_ones() {
                writeln!(out, "- Usual: {usual}").unwrap();
            }
            if let Some(name) = exported_name(key) {
                writeln!(out, "- In `/metrics`: `switchboard_limit{{name=\"{name}\"}}`").unwrap();
            }
            if key.in_welcome {
                writeln!(out, "- In `welcome`: `limits.{}`", camel_case(key.name)).unwrap();
            }
            if key.live {
                out += "- Changes while the server runs: by `SIGHUP`\n";
            }
            writeln!(out, "- {}", variables(key, "`").trim_end_matches('.')).unwrap();
        }
    }
    out + RULES
}

fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n")
}

const INTRODUCTION: &str = r#"# Configuration

The server runs without any. What is set comes from four layers; the later one wins:

1. the defaults below, which are in the program (it reads no file on its own);
2. the TOML file of `--config FILE`: any part of [`config/default.toml`](../config/default.toml);
   [`config/production.toml`](../config/production.toml) is one to start from;
3. the plain variables of the table below;
4. the structured variables, `SWITCHBOARD__SECTION__KEY` in upper case with two underscores, as in
   `SWITCHBOARD__OPS__PORT=9465`.

`SWITCHBOARD__CONFIG` names the file where `--config` cannot be given; `--config` wins.

The structured variables win over the plain ones because a plain one may be set by accident: some shells export `HOST`,
many platforms `PORT`. An empty variable counts as not set; only that of `server.node` means what it says: no name. Lists
are separated by commas (`SWITCHBOARD__HTTP__ALLOWED_ORIGINS=https://a.example,https://b.example`), `SWITCHBOARD__ICE__SERVERS` is JSON.

A variable that begins like ours, or nearly, and is none (`SWITCHBOARD_OPS_PORT`) is not read: a warning in the log and in
`--check-config` names the nearest one that is. If it begins with `SWITCHBOARD__`, it stops the start. Those that Kubernetes
makes for a service called `switchboard` (`SWITCHBOARD_SERVICE_HOST`, `SWITCHBOARD_PORT=tcp://…`,
`SWITCHBOARD_PORT_8080_TCP_ADDR`), and Docker for a linked container, are known as theirs and left alone;
`enableServiceLinks: false` keeps them out of a pod.

Values that are allowed and hardly meant, such as a `_ms` key of less than a second, are a warning with the unit and with
what to write instead. In a plain variable they are refused, since its name has no unit: `HEARTBEAT_INTERVAL=30` would be 30
milliseconds. Whoever means such a value says so by the structured variable or the file.

Unknown names and impossible values, in any layer, stop the start with one line, such as

```
cannot use server.port from variable PORT: found "eighty"; allowed: an integer from 0 to 65535
```

What only this machine cannot give (fewer file descriptors than `server.max_connections` needs, a smaller backlog or send
buffer than asked for) is a warning in the log. `switchboard --check-config` prints the effective settings and where each came
from, without credentials, and ends with 0, or with that line and 1.

[`SIGHUP`](operations.md#signals) reads file and variables again: keys that say so below change while the server runs, and a
line in the log names the others that differ.

Durations are in milliseconds (`_ms`), sizes in bytes (`_bytes`).

| Plain variable | Key | Takes |
|---|---|---|
"#;

const RULES: &str = r"
## What must go together

- `server.port` and `ops.port` differ, unless 0.
- `server.drain_ms` is below `server.drain_deadline_ms`.
- `server.handover` needs a `state.dir`, where the sessions are left for the next start.
- `cluster.redis_url` goes without `server.handover`: sessions are handed over on one machine only.
- `cluster.redis_url` needs a name in `server.node`, which no other node of the cluster has.
- `cluster.redis_timeout_ms` is at most half of `cluster.node_timeout_ms`, where there is a cluster.
- `heartbeat.interval_ms` is below `heartbeat.connection_timeout_ms`, or silent peers would be gone before their first ping.
- `watchdog.silent_ms` is below `watchdog.exit_ms`, so that `/healthz` tells of what is about to end the process.
- `limits.room_name_bytes` + `limits.meta_bytes` + 400, where there are keys for tokens + 4107, is at most `limits.frame_bytes`, so
  that every `join` can be sent.
- `limits.frame_bytes` is at most half of `limits.queue_bytes`, so that a message always fits what may wait.
- `limits.peers_per_room` × (`limits.meta_bytes` + 144, with `auth.show_user` + 778) is at most half of `limits.queue_bytes`, so that
  `joined` can be sent.
- `auth.mode` is `token` only with a key in `auth.keys` or `auth.jwks_file`, or nobody could join.
- `ops.protect_reads` is on only with a file in `ops.token_file`, or it would protect nothing.
- `webhooks.url` needs `webhooks.secret_file`, or the receiver could not tell what is from here.
- `webhooks.retry_min_ms` is at most `webhooks.retry_max_ms`.
- `tls.cert_file` and `tls.key_file` are both named or neither, and so are `ops.tls_cert_file` and `ops.tls_key_file`.
";

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_documents_are_what_the_code_says() {
    for (name, wanted) in [("config/default.toml", default_toml()), ("docs/configuration.md", configuration_md())] {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs::write(path(name), &wanted).unwrap();
        }
        let found = fs::read_to_string(path(name)).unwrap_or_default();
        assert!(found == wanted, "{name} has drifted from src/config: run UPDATE_DOCS=1 cargo test --lib config");
    }
    assert_eq!(Settings::load(Some(&path("config/default.toml")), []).unwrap(), Settings::default());
}

#[test]
fn every_key_of_the_default_file_is_commented_and_has_its_default() {
    let text = default_toml();
    let lines: Vec<_> = text.lines().collect();
    let mut found = 0;
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.contains(" = ") && !line.starts_with('#')) {
        assert!(index >= 4 && lines[index - 4..index].iter().all(|above| above.starts_with("# ")), "{line}");
        found += 1;
    }
    assert_eq!(found, keys().count());
}

#[test]
fn the_production_file_loads_and_says_only_what_differs() {
    let file = path("config/production.toml");
    let (settings, origins) = load(Some(&file), []).unwrap();
    let (ours, defaults) = (values(&settings), values(&Settings::default()));
    assert!(!origins.is_empty());
    for key in keys().filter(|key| origins.contains_key(&key.path())) {
        assert_ne!(value(&ours, key), value(&defaults, key), "{}", key.path());
    }
}

#[test]
fn every_rule_of_the_code_is_in_the_document_with_its_figure() {
    let rules = include_str!("rules.rs");
    let figures = ["PEER_OVERHEAD: usize = 144;", "USER: usize = 10 + 6 * USER_BYTES;", "JOIN_OVERHEAD: usize = 400;"];
    assert!(figures.iter().all(|figure| rules.contains(figure)) && rules.contains("TOKEN: usize = 11 + TOKEN_BYTES;"));
    let list = rules.split_once("let rules = [").unwrap().1.split_once(']').unwrap().0;
    let rules = list.split(',').filter(|rule| !rule.trim().is_empty());
    // The last one stands in pairs.rs.
    assert_eq!(rules.count() + 1, RULES.matches("\n- ").count());
}

#[test]
fn lines_of_the_documentation_are_short_enough_to_read() {
    for key in keys() {
        assert!(key.about.len() >= 2, "{} says what it does and why it has its default", key.path());
        assert!(key.about.iter().all(|line| line.chars().count() <= 120), "{}", key.path());
    }
}
