//! All floods: which test plays what, how much of it, what bounds it, and what must hold of it. docs/testing.md has the same
//! table, written from this one.

use std::{fs, path::Path};

/// What must hold beside what holds of all floods (the server lives, within its memory; nobody uninvolved loses a
/// connection or a frame).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newcomers {
    /// Who is not of the flood joins as ever.
    Join,
    /// They may be refused, because memory is nearly used; those who are connected are served as ever.
    MayBeRefused,
}

/// One row.
pub(crate) struct Flood {
    /// The test that plays it.
    pub(crate) test: &'static str,
    /// What is sent.
    sent: &'static str,
    /// How much of it in the suite, and by `make abuse`.
    small: &'static str,
    full: &'static str,
    /// What bounds it.
    bounded: &'static str,
    pub(crate) newcomers: Newcomers,
}

const fn flood(
    test: &'static str,
    sent: &'static str,
    [small, full]: [&'static str; 2],
    bounded: &'static str,
    newcomers: Newcomers,
) -> Flood {
    Flood { test, sent, small, full, bounded, newcomers }
}

use Newcomers::{Join, MayBeRefused};

pub(crate) const FLOODS: [Flood; 20] = [
    flood(
        "heads_that_do_not_end",
        "request heads of 120 000 bytes that do not end",
        ["200", "4 000"],
        "`limits.head_bytes`",
        MayBeRefused,
    ),
    flood(
        "frames_that_do_not_end",
        "60 kB of a frame that does not end, and of a message whose last fragment does not come",
        ["900", "10 000"],
        "`limits.memory_bytes`",
        MayBeRefused,
    ),
    flood(
        "frames_that_are_not_acknowledged",
        "peers that can be resumed, never acknowledge, and are fed by one of their room",
        ["160", "1 200"],
        "`limits.memory_bytes`: their resume buffers are emptied",
        MayBeRefused,
    ),
    flood(
        "pings_as_fast_as_they_go",
        "WebSocket pings as fast as they go, the pongs read or not",
        ["300, 4 s", "10 000, 15 s"],
        "`limits.frame_rate`, `limits.memory_bytes`",
        MayBeRefused,
    ),
    flood(
        "sockets_that_say_nothing",
        "sockets that say nothing, or a few bytes",
        ["300", "13 500"],
        "`limits.sockets_per_address`, `limits.sockets`, `http.socket_timeout_ms`; where places run out, the oldest of whoever has most of them goes",
        Join,
    ),
    flood(
        "bodies_that_do_not_end",
        "bodies without an end, on every route of both listeners",
        ["20", "50, 12 s"],
        "no route reads them: the input ends with the answer",
        Join,
    ),
    flood(
        "bodies_that_never_come",
        "`POST`s to the ops listener whose body never comes",
        ["50", "500"],
        "judged by their heads",
        Join,
    ),
    flood(
        "large_frames_of_one_member",
        "16 frames of 60 kB at once, again and again, to a room of ten that reads at 1 Mbit/s",
        ["1 round", "3 rounds"],
        "each member has a share of what may wait for another; who has used it up is slowed, then told `peer_busy`",
        Join,
    ),
    flood(
        "small_frames_of_many_members",
        "200 frames at once of each of eight members to a ninth, on a line of 10 Mbit/s or as fast as it can read",
        ["1 round each", "3 rounds each"],
        "the same",
        Join,
    ),
    flood(
        "guesses_at_a_sessions_secret",
        "guesses at a session's resume secret",
        ["20 × 20", "400 × 200"],
        "`limits.resume_secrets`; they never reach the session",
        Join,
    ),
    flood(
        "seats_of_those_who_are_gone",
        "sessions that are parked, ten to a room",
        ["120", "10 000"],
        "`limits.connections_per_address`, `limits.parked_sessions`, `limits.parked_per_room`",
        Join,
    ),
    flood(
        "names_that_are_guessed",
        "names of rooms that are guessed",
        ["3 s", "30 s"],
        "`limits.new_rooms_burst`, `limits.new_rooms_per_minute`",
        Join,
    ),
    flood(
        "handshakes_that_are_refused",
        "handshakes that are refused, with `log.dir` set",
        ["2 s", "10 s"],
        "gathered: `log.gather_ms`, `log.burst_refusals`",
        Join,
    ),
    flood(
        "guesses_at_the_operators_token",
        "guesses at the operators' token",
        ["2 s", "5 s"],
        "`ops.token_failures_per_minute`",
        Join,
    ),
    flood(
        "joins_and_leaves_for_ever",
        "connections that join one room and leave it for ever",
        ["60, 3 s", "2 000, 15 s"],
        "`limits.frame_rate`, `limits.joins_per_minute`",
        Join,
    ),
    flood(
        "broadcasts_as_fast_as_they_go",
        "broadcasts in rooms of ten as fast as they go, what comes of them read",
        ["100, 3 s", "10 000, 15 s"],
        "`limits.frame_rate`; a thread serves all its connections in turn",
        MayBeRefused,
    ),
    flood(
        "a_proxy_that_names_nobody",
        "a proxy that names nobody, in five ways",
        ["40 each", "400 each"],
        "it is one client",
        Join,
    ),
    flood(
        "neighbouring_networks",
        "five neighbouring /64 of one /56",
        ["50", "2 000"],
        "a /56 has the share of four",
        Join,
    ),
    flood(
        "heads_that_are_kept_open",
        "request heads that come to nearly the longest there may be, and stop there",
        ["1 200, 16 MiB for all", "8 000, 96 MiB for all"],
        "`limits.head_bytes`, `http.request_timeout_ms`; `limits.memory_bytes`: a quarter of it for heads, no more sockets that have sent none than could fill half of it, and those that hold most are ended",
        MayBeRefused,
    ),
    flood("nothing", "nothing: what the figures are without a flood", ["—", "10 s"], "—", Join),
];

/// The row of that test.
pub(crate) fn of(test: &str) -> &'static Flood {
    FLOODS.iter().find(|flood| flood.test == test).unwrap_or_else(|| panic!("{test} has no row in the table of floods"))
}

fn rendered() -> String {
    let row = |flood: &Flood| format!("| {} | {} | {} | {} |\n", flood.sent, flood.small, flood.full, flood.bounded);
    let rows: String = FLOODS.iter().map(row).collect();
    format!("| flood | small | full | what bounds it |\n|---|---|---|---|\n{rows}")
}

#[test]
fn the_documentation_has_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/testing.md");
    let text = fs::read_to_string(&path).expect("docs/testing.md");
    let start = text.find("| flood | small |").expect("the table of floods");
    let end = start + text[start..].find("\n\n").expect("what follows it") + 1;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, [&text[..start], &rendered(), &text[end..]].concat()).expect("write docs/testing.md");
    } else {
        assert!(
            text[start..end] == rendered(),
            "docs/testing.md has another table of floods: run this with UPDATE_DOCS=1"
        );
    }
}
