//! The record: what is written is read again; whatever else there is in its place is refused whole.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::{
    auth::GrantRecord,
    limits::Subnet,
    protocol::{Meta, PeerId, ResumeSecret, RoomName, SessionId, TextFrame, Who},
};

const MOST: u64 = 1 << 30;

fn frame() -> impl Strategy<Value = Bytes> {
    ".{0,200}".prop_map(|text| TextFrame::build(text.len(), |out| out.extend_from_slice(text.as_bytes())).into_bytes())
}

fn subnet() -> impl Strategy<Value = Option<Subnet>> {
    prop::option::of(any::<std::net::IpAddr>().prop_map(Subnet::of))
}

fn counts() -> impl Strategy<Value = CountsRecord> {
    (0_u64..1000, 0_u64..1000, any::<u64>()).prop_map(|(acked, more, handled)| CountsRecord {
        sent: acked + more,
        acked,
        handled,
    })
}

fn grant() -> GrantRecord {
    let text = r#"{"rooms":{"prefix":"ward-"},"permissions":["join"],"cap":4,"meta":null,"user":"ada","shows_user":true,"ends_ms":7}"#;
    serde_json::from_str(text).expect("a grant")
}

prop_compose! {
    fn buffer()(
        frames in prop::collection::vec(frame(), 0..5),
        mut counts in counts(),
        frozen in prop::option::of(prop::option::of(counts())),
        (is_confirmed, has_gap) in any::<(bool, bool)>(),
    ) -> BufferRecord {
        counts.sent += frames.len() as u64;
        let digest = || ResumeSecret::random().digest();
        let former = frozen.map(|frozen| FormerRecord { secret: digest(), frozen });
        BufferRecord { secret: digest(), former, is_confirmed, counts, has_gap, frames }
    }
}

prop_compose! {
    fn session()(
        buffer in buffer(),
        meta in prop::option::of(".{0,20}"),
        identity in prop::option::of("[a-z]{22}"),
        source in any::<std::net::IpAddr>(),
        subnet in subnet(),
        (join_seq, since_ms, is_away, granted) in any::<(u32, u64, bool, bool)>(),
    ) -> SessionRecord {
        let meta = meta.and_then(|text| Meta::parse(&serde_json::json!({ "name": text }).to_string()));
        let room = RoomName::parse("a", 10).expect("a name");
        SessionRecord {
            session: SessionId::random(),
            peer: PeerId::random(),
            join_seq,
            request: "request-1".to_owned(),
            source,
            subnet,
            since_ms,
            is_away,
            who: identity.map(|identity| Who::of(&identity, &room)),
            meta,
            grant: granted.then(grant),
            buffer,
        }
    }
}

fn moderation(name: String) -> impl Strategy<Value = ModerationRecord> {
    let ban = (any::<u64>(), prop::option::of(".{0,10}"), subnet(), any::<u64>());
    let ban = ban.prop_map(|(id, user, subnet, until_ms)| BanRecord { id, who: None, user, subnet, until_ms });
    (prop::option::of(any::<u64>()), prop::collection::vec(ban, 0..3)).prop_map(move |(locked_until_ms, bans)| {
        let room = RoomName::parse(&name, 100).expect("a name");
        ModerationRecord { room, locked_until_ms, bans }
    })
}

fn state() -> impl Strategy<Value = StateRecord> {
    let rooms = prop::collection::vec(prop::collection::vec(session(), 1..4), 0..4);
    (rooms, any::<u64>(), prop::collection::vec(moderation("ü".to_owned()), 0..3)).prop_map(
        |(rooms, saved_ms, moderated)| {
            let name = |at: usize| RoomName::parse(&format!("room {at}"), 100).expect("a name");
            let rooms = rooms.into_iter().enumerate();
            let rooms = rooms.map(|(at, sessions)| RoomRecord { name: name(at), opened_ms: 5, sessions }).collect();
            StateRecord { saved_ms, rooms, moderated }
        },
    )
}

fn bytes(state: &StateRecord) -> Vec<u8> {
    let encoded = encode(state);
    let mut bytes = Vec::new();
    encoded.write_to(&mut bytes).expect("memory takes it");
    assert_eq!(bytes.len(), encoded.len());
    bytes
}

/// As if somebody had made it: with a checksum that is right.
fn sealed(sheet: &[u8], frames: &[u8]) -> Vec<u8> {
    let mut bytes = b"switchboard-sto\n".to_vec();
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&(sheet.len() as u64).to_be_bytes());
    bytes.extend_from_slice(&(frames.len() as u64).to_be_bytes());
    let sum = Sha256::new_with_prefix(&bytes).chain_update(sheet).chain_update(frames).finalize();
    bytes.extend_from_slice(&sum);
    [&bytes, sheet, frames].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(state in state()) {
        prop_assert_eq!(decode(&bytes(&state)).expect("as it was written"), state);
    }

    #[test]
    fn whatever_is_missing_or_changed_it_is_refused_whole(state in state(), at: prop::sample::Index, bit in 0..8_u32) {
        let whole = bytes(&state);
        let at = at.index(whole.len());
        prop_assert!(decode(&whole[..at]).is_err(), "cut at {}", at);
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        prop_assert!(decode(&flipped).is_err(), "bit {} of byte {}", bit, at);
        prop_assert!(decode(&[&whole[..], b"x"].concat()).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic_or_take_more_than_they_are(
        noise in prop::collection::vec(any::<u8>(), 0..300), sheet in ".{0,200}", lengths: [u64; 2],
    ) {
        let _ = decode(&noise);
        let _ = decode(&sealed(sheet.as_bytes(), &noise));
        let mut bytes = sealed(sheet.as_bytes(), &noise);
        bytes[20..28].copy_from_slice(&lengths[0].to_be_bytes());
        bytes[28..36].copy_from_slice(&lengths[1].to_be_bytes());
        prop_assert!(decode(&bytes).is_err() || lengths[0].wrapping_add(lengths[1]) < 600);
    }

    #[test]
    fn a_sound_sheet_with_other_frames_is_refused(state in state(), more in frame()) {
        let whole = bytes(&state);
        let sheet_len = usize::try_from(u64::from_be_bytes(whole[20..28].try_into().expect("8"))).expect("small");
        let (sheet, frames) = whole[68..].split_at(sheet_len);
        prop_assert!(decode(&sealed(sheet, frames)).is_ok());
        prop_assert!(decode(&sealed(sheet, &[frames, &more].concat())).is_err());
        if let Some(less) = frames.len().checked_sub(1) {
            prop_assert!(decode(&sealed(sheet, &frames[..less])).is_err());
            let mut other = frames.to_vec();
            other[0] = 0x82;
            prop_assert!(decode(&sealed(sheet, &other)).is_err(), "binary");
        }
    }
}

fn empty() -> StateRecord {
    StateRecord { saved_ms: 0, rooms: Vec::new(), moderated: Vec::new() }
}

#[test]
fn another_version_is_refused_by_its_number() {
    for version in [0, VERSION + 1, u32::MAX] {
        let mut bytes = bytes(&empty());
        bytes[16..20].copy_from_slice(&version.to_be_bytes());
        assert!(matches!(decode(&bytes), Err(RecordError::Version { found }) if found == version));
    }
}

#[test]
fn counts_that_contradict_each_other_and_names_that_are_there_twice_are_refused() {
    let one = |sent| {
        format!(
            r#"{{"session":"{0}","peer":"{0}","join_seq":1,"request":"r","source":"::1","subnet":null,"since_ms":1,"is_away":false,
            "who":null,"meta":null,"grant":null,"buffer":{{"secret":"{0}","former":null,"is_confirmed":true,
            "counts":{{"sent":{sent},"acked":1,"handled":0}},"has_gap":false}}}}"#,
            "0".repeat(32)
        )
    };
    let sheet = |sessions: &str, frames: &str| {
        let rooms = format!(r#"[{{"name":"a","opened_ms":1,"sessions":[{sessions}]}}]"#);
        format!(r#"{{"state":{{"saved_ms":1,"rooms":{rooms},"moderated":[]}},"frames":{frames}}}"#)
    };
    let read = |sessions: &str, frames: &str| decode(&sealed(sheet(sessions, frames).as_bytes(), b""));
    read(&one(1), "[[]]").expect("sound");
    for (sessions, frames) in
        [(one(0), "[[]]"), (one(1), "[]"), (one(1) + "," + &one(1), "[[],[]]"), (String::new(), "[]")]
    {
        assert!(matches!(read(&sessions, frames), Err(RecordError::Senseless(_))), "{sessions}");
    }
}

fn open(dir: &Path) -> StateDir {
    StateDir::open(dir).expect("the folder")
}

#[test]
fn a_record_is_private_and_taken_once() {
    let home = tempfile::tempdir().expect("a folder");
    let dir = home.path().join("state");
    let state = open(&dir);
    assert_eq!(state.take(MOST).expect("nothing"), None);
    let encoded = encode(&empty());
    state.keep(&encoded, &Permit::default()).expect("kept");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join("sessions")), mode(&dir.join("lock"))), (0o700, 0o600, 0o600));
    assert_eq!(state.take(MOST).expect("ours"), Some(bytes(&empty())));
    assert_eq!(state.take(MOST).expect("nothing is left"), None);
    state.keep(&encoded, &Permit::default()).expect("kept");
    let Err(RecordError::TooLarge { found, most: 5 }) = state.take(5) else { panic!("it is larger") };
    assert_eq!((found, state.take(MOST).expect("nothing is left")), (encoded.len() as u64, None));
}

#[test]
fn two_processes_never_have_one_folder() {
    let home = tempfile::tempdir().expect("a folder");
    let first = open(home.path());
    // Locks are of open files: a second opening stands for a second process.
    assert!(matches!(StateDir::open(home.path()), Err(StateDirError::InUse)));
    drop(first);
    drop(open(home.path()));
    fs::set_permissions(home.path(), Permissions::from_mode(0o777)).expect("ours");
    assert!(matches!(StateDir::open(home.path()), Err(StateDirError::NotPrivate(_))));
}

#[test]
fn what_others_could_have_put_there_is_refused_and_removed() {
    let home = tempfile::tempdir().expect("a folder");
    let state = open(home.path());
    let (record, other) = (home.path().join("sessions"), home.path().join("other"));
    fs::write(&other, bytes(&empty())).expect("written");
    symlink(&other, &record).expect("a link");
    assert!(matches!(state.take(MOST), Err(RecordError::NotPrivate("a link"))));
    fs::copy(&other, &record).expect("copied");
    fs::set_permissions(&record, Permissions::from_mode(0o640)).expect("ours");
    assert!(matches!(state.take(MOST), Err(RecordError::NotPrivate(_))));
    fs::create_dir(&record).expect("a folder");
    assert!(matches!(state.take(MOST), Err(RecordError::NotPrivate("a folder"))));
    assert_eq!(state.take(MOST).expect("all of it is gone"), None);
}

#[test]
fn an_age_is_told_in_words() {
    let error = RecordError::TooOld { age: Duration::from_secs(31), window: Duration::from_secs(30) };
    assert!(error.to_string().contains("31s old"), "{error}");
}

#[test]
fn a_record_that_nobody_waits_for_any_more_is_left_neither_at_once_nor_later() {
    let home = tempfile::tempdir().expect("a folder");
    let state = open(home.path());
    let part = home.path().join(".sessions-part");
    // Who opens a pipe for writing waits for somebody who reads it: as a disk that stalls.
    assert!(std::process::Command::new("mkfifo").arg(&part).status().expect("mkfifo").success());
    let permit = Permit::default();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let writer = {
        let (state, permit) = (state.clone(), permit.clone());
        std::thread::spawn(move || {
            begun.send(()).expect("it is waited for");
            state.keep(&encode(&empty()), &permit)
        })
    };
    has_begun.recv().expect("it begins");
    assert!(permit.withdraw() && !permit.withdraw());
    let mut read = Vec::new();
    std::io::Read::read_to_end(&mut fs::File::open(&part).expect("the pipe"), &mut read).expect("all of it");
    let refused = writer.join().expect("it ends").expect_err("nobody waits for it");
    assert_eq!((refused.kind(), read), (std::io::ErrorKind::TimedOut, bytes(&empty())));
    assert!(!home.path().join("sessions").exists() && !part.exists());
    let permit = Permit::default();
    state.keep(&encode(&empty()), &permit).expect("the disk goes on");
    assert!(!permit.withdraw(), "it is there already");
    assert_eq!(state.take(MOST).expect("ours"), Some(bytes(&empty())));
}
