//! Variables that resemble ours and are none of them: who set one believes that it is read.

use super::{section::Key, settings::keys};

/// What all of ours begin with, but for the plain ones.
const PRODUCT: &str = "SWITCHBOARD";
/// Names the configuration file, as `--config` does: the health check of a container cannot be given arguments that only
/// the server has.
pub(super) const CONFIG_FILE: &str = "SWITCHBOARD__CONFIG";
/// Read by the project's own build, tests and scripts.
const OF_TOOLS: [&str; 8] = [
    "SWITCHBOARD_BIN",
    "SWITCHBOARD_CONTAINER",
    "SWITCHBOARD_LOG",
    "SWITCHBOARD_OPS_URL",
    "SWITCHBOARD_REVISION",
    "SWITCHBOARD_RUSTC",
    "SWITCHBOARD_TEST_OWN_NETWORK",
    "SWITCHBOARD_URL",
];
/// Plain names of fewer letters (`HOST`, `PORT`) resemble too much that is others'.
const DISTINCTIVE: usize = 9;

/// What a variable is that resembles ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resembling {
    /// Made by Kubernetes, or by Docker's links, for a service or container whose name begins like ours.
    OfService,
    /// Not read; with the nearest name that would be.
    Misspelt(Option<String>),
}

/// What the variable is, if it resembles ours and is not read.
pub(super) fn resembling(name: &str, value: &str) -> Option<Resembling> {
    if is_read(name) || OF_TOOLS.contains(&name) {
        return None;
    }
    if begins_like_ours(name) {
        return Some(if is_of_service(name, value) {
            Resembling::OfService
        } else {
            Resembling::Misspelt(nearest(name))
        });
    }
    let near = if looks_structured(name) { nearest(name) } else { nearest_plain(name) };
    near.map(|near| Resembling::Misspelt(Some(near)))
}

/// Whether a variable is ours, or resembles ours.
pub(super) fn concerns_us(name: &str) -> bool {
    is_read(name) || resembling(name, "").is_some()
}

/// Whether it is read, or begins so much like one that is that it is refused.
pub(super) fn is_read(name: &str) -> bool {
    name == CONFIG_FILE || keys().any(|key| key.plain == Some(name) || key.variable() == name)
}

/// The names that Kubernetes gives to a service's address ("Environment variables" in its page on services), and Docker
/// to a linked container's. They are in every container of the namespace, wanted or not.
pub(super) fn is_of_service(name: &str, value: &str) -> bool {
    let protocol = |text: &str| ["TCP", "UDP", "SCTP"].contains(&text);
    let port_name = |rest: &str| {
        let mut parts = rest.split('_');
        let number = parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        let end = |part: Option<&str>| part.is_none_or(|part| ["PROTO", "PORT", "ADDR"].contains(&part));
        number && parts.next().is_some_and(protocol) && end(parts.next()) && parts.next().is_none()
    };
    let url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (url && name.ends_with("_PORT"))
        || name.rsplit_once("_PORT_").is_some_and(|(_, rest)| port_name(rest))
        || name.match_indices("_PORT_").any(|(at, part)| port_name(&name[at + part.len()..]))
        // Docker's have no mark of their own: what is written as ours are is not taken for one.
        || (!name.contains("__") && ((name.ends_with("_NAME") && value.starts_with('/')) || name.contains("_ENV_")))
}

/// The nearest variable that is read, whatever case and however many underscores.
pub(super) fn nearest(name: &str) -> Option<String> {
    let words = words(name);
    // Without what stands for our name, well spelt or not, and also without what may be a section.
    let own: Vec<String> = [1, 2].into_iter().filter_map(|from| Some(words.get(from..)?.join("_"))).collect();
    let own = own.into_iter().filter(|name| !name.is_empty()).enumerate();
    let found = own.flat_map(|(missing, wanted)| {
        candidates().map(move |(spelling, variable)| (distance(&wanted, &spelling), missing, wanted.len(), variable))
    });
    let near = found.filter(|(distance, _, length, _)| *distance <= (length / 4).max(1));
    near.min_by_key(|(distance, missing, ..)| (*distance, *missing)).map(|(.., variable)| variable)
}

/// The nearest plain variable: of another case, misspelt, or with a unit that ours do not have in their names.
fn nearest_plain(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let bare = ["_MS", "_MILLIS", "_SECONDS", "_SECS", "_SEC", "_S"].iter().find_map(|unit| upper.strip_suffix(unit));
    let wanted = bare.unwrap_or(&upper);
    let plain = keys().filter_map(|key| key.plain).filter(|plain| plain.len() >= DISTINCTIVE);
    let near =
        plain.map(|plain| (distance(wanted, plain), plain)).filter(|(distance, plain)| *distance <= plain.len() / 8);
    near.min_by_key(|(distance, _)| *distance).map(|(_, plain)| plain.to_owned())
}

/// Ways to name each variable, without our name in front: `OPS_PORT`, and `PORT` alone.
fn candidates() -> impl Iterator<Item = (String, String)> {
    let of_key = |key: &'static Key| {
        let whole = format!("{}_{}", key.section, key.name);
        let spellings = [Some(whole.as_str()), Some(key.name), key.plain].into_iter().flatten();
        spellings.map(|spelling| (spelling.to_ascii_uppercase(), key.variable())).collect::<Vec<_>>()
    };
    let file = ["CONFIG", "CONFIG_FILE"].map(|spelling| (spelling.to_owned(), CONFIG_FILE.to_owned()));
    keys().flat_map(of_key).chain(file)
}

/// The words of a name, in upper case.
fn words(name: &str) -> Vec<String> {
    let upper = name.to_ascii_uppercase();
    let spaced = match upper.strip_prefix(PRODUCT) {
        // As in SWITCHBOARDPORT.
        Some(rest) => format!("{PRODUCT}_{rest}"),
        None => upper,
    };
    let words = spaced.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

fn begins_like_ours(name: &str) -> bool {
    name.get(..PRODUCT.len()).is_some_and(|start| start.eq_ignore_ascii_case(PRODUCT))
}

/// Our name misspelt, and two underscores.
fn looks_structured(name: &str) -> bool {
    name.contains("__") && words(name).first().is_some_and(|first| distance(first, PRODUCT) <= 2)
}

/// How many letters must be put in, left out, replaced or swapped with the next one (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(name: &str) -> Option<String> {
        match resembling(name, "9999") {
            Some(Resembling::Misspelt(near)) => near,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_misspelt_variable_is_answered_with_the_nearest_name() {
        for (name, meant) in [
            ("SWITCHBOARD_OPS_PORT", "SWITCHBOARD__OPS__PORT"),
            ("switchboard_ops_port", "SWITCHBOARD__OPS__PORT"),
            ("Switchboard.Ops.Port", "SWITCHBOARD__OPS__PORT"),
            ("SWITCHBOARD__OPS_PORT", "SWITCHBOARD__OPS__PORT"),
            ("SWITCHBOARD_OPS__PORT", "SWITCHBOARD__OPS__PORT"),
            ("SWITCHBOARD___OPS__PORT", "SWITCHBOARD__OPS__PORT"),
            ("SWITCHBOARD__OPS__PROT", "SWITCHBOARD__OPS__PORT"),
            ("SWITCHBORD__OPS__PORT", "SWITCHBOARD__OPS__PORT"),
            ("SWITCHBAORD__LIMITS__ROOMS", "SWITCHBOARD__LIMITS__ROOMS"),
            ("SWITCHBOARD__LIMIT__ROOMS", "SWITCHBOARD__LIMITS__ROOMS"),
            ("SWITCHBOARD__SERVER__PEERS_PER_ROOM", "SWITCHBOARD__LIMITS__PEERS_PER_ROOM"),
            ("SWITCHBOARD_PORT", "SWITCHBOARD__SERVER__PORT"),
            ("SWITCHBOARDPORT", "SWITCHBOARD__SERVER__PORT"),
            ("SWITCHBOARD_MAX_CONNECTIONS", "SWITCHBOARD__SERVER__MAX_CONNECTIONS"),
            ("SWITCHBOARD_LOG_LEVEL", "SWITCHBOARD__LOG__LEVEL"),
            ("SWITCHBOARD_DRAIN_MS", "SWITCHBOARD__SERVER__DRAIN_MS"),
            ("SWITCHBOARD_CONFIG", "SWITCHBOARD__CONFIG"),
            ("SWITCHBOARD_CONFIG_FILE", "SWITCHBOARD__CONFIG"),
            ("MAX_CONNECTION", "MAX_CONNECTIONS"),
            ("heartbeat_interval", "HEARTBEAT_INTERVAL"),
            ("HEARTBEAT_INTERVAL_MS", "HEARTBEAT_INTERVAL"),
            ("CONNECTION_TIMEOUT_SECONDS", "CONNECTION_TIMEOUT"),
            ("LOGLEVEL", "LOG_LEVEL"),
        ] {
            assert_eq!(near(name).as_deref(), Some(meant), "{name}");
        }
        assert_eq!(near("SWITCHBOARD_FAVOURITE_COLOUR"), None);
    }

    #[test]
    fn every_variable_with_one_underscore_is_known_for_what_it_should_be() {
        for key in keys() {
            let variable = key.variable();
            assert_eq!(near(&variable.replace("__", "_").to_lowercase()).as_deref(), Some(variable.as_str()));
        }
    }

    #[test]
    fn what_kubernetes_and_docker_make_is_theirs() {
        for (name, value) in [
            ("SWITCHBOARD_SERVICE_HOST", "10.0.0.1"),
            ("SWITCHBOARD_SERVICE_PORT", "8080"),
            ("SWITCHBOARD_SERVICE_PORT_WS", "8080"),
            ("SWITCHBOARD_PORT", "tcp://10.0.0.1:8080"),
            ("SWITCHBOARD_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("SWITCHBOARD_PORT_8080_TCP_PROTO", "tcp"),
            ("SWITCHBOARD_PORT_8080_TCP_PORT", "8080"),
            ("SWITCHBOARD_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("SWITCHBOARD_PORT_3478_UDP", "udp://10.0.0.1:3478"),
            ("SWITCHBOARD_OPS_PORT", "tcp://10.0.0.1:9464"),
            ("SWITCHBOARD_OPS_SERVICE_PORT_METRICS", "9464"),
            ("SWITCHBOARD__OPS_PORT_9464_TCP", "tcp://10.0.0.1:9464"),
            ("SWITCHBOARD_NAME", "/web/switchboard"),
            ("SWITCHBOARD_ENV_PATH", "/bin"),
        ] {
            assert_eq!(resembling(name, value), Some(Resembling::OfService), "{name}");
        }
        for (name, value) in [
            ("SWITCHBOARD_PORT", "8080"),
            ("SWITCHBOARD_PORT_8080", "x"),
            ("SWITCHBOARD_PORT__TCP", "x"),
            ("SWITCHBOARD__STATE__NAME", "/x"),
        ] {
            assert_ne!(resembling(name, value), Some(Resembling::OfService), "{name}");
        }
    }

    #[test]
    fn what_is_read_and_what_is_others_is_no_concern() {
        for name in ["PORT", "HOST", "SWITCHBOARD__OPS__PORT", "SWITCHBOARD__CONFIG", "SWITCHBOARD_REVISION"] {
            assert_eq!(resembling(name, "1"), None, "{name}");
        }
        for name in ["HOSTNAME", "PORTS", "host", "port", "LOGNAME", "PATH", "MAX_CONN", "SWITCH", "S__T", "Ünï__x", ""]
        {
            assert!(!concerns_us(name), "{name}");
        }
    }

    #[test]
    fn a_distance_counts_letters() {
        for (a, b, letters) in
            [("", "abc", 3), ("port", "prot", 1), ("port", "ports", 1), ("host", "port", 2), ("x", "x", 0)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (letters, letters), "{a} {b}");
        }
    }
}
