//! Locks and bans.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn room(name: &str) -> RoomName {
    RoomName::parse(name, 128).expect("a sane name")
}

fn from(last: u8) -> Marks {
    Marks { subnet: Some(Subnet::of([192, 0, 2, last].into())), ..Marks::default() }
}

fn moderation(now: Instant) -> Moderation {
    Moderation::new(ModerationCaps { bans_per_room: 2, gone: 2 }, now)
}

#[test]
fn a_ban_goes_by_any_of_its_marks_and_by_nothing_that_is_missing() {
    let now = Instant::now();
    let (mut moderation, here) = (moderation(now), room("a"));
    let who = Who::of(&"x".repeat(22), &here);
    let whole = Marks { who: Some(who), user: Some("ada".into()), ..from(1) };
    moderation.ban(&here, std::slice::from_ref(&whole), MINUTE, now).expect("the first");
    let judged = |marks: Marks| moderation.judge(&here, || marks, false, now);
    let banned = Err(Denial::Banned(MINUTE));
    assert_eq!(judged(whole.clone()), banned);
    assert_eq!(judged(from(1)), banned);
    assert_eq!(judged(Marks { who: Some(who), ..from(2) }), banned);
    assert_eq!(judged(Marks { user: Some("ada".into()), ..from(2) }), banned);
    assert_eq!(judged(Marks { user: Some("bob".into()), ..from(2) }), Ok(()));
    assert_eq!(judged(Marks::default()), Ok(()), "who has no mark is nobody");
    assert_eq!(moderation.judge(&room("b"), || whole, false, now), Ok(()), "of another room");
}

#[test]
fn a_ban_ends_and_the_one_that_goes_by_the_same_lasts_as_long_as_the_longer() {
    let now = Instant::now();
    let (mut moderation, here) = (moderation(now), room("a"));
    for time in [2 * MINUTE, MINUTE] {
        moderation.ban(&here, &[from(1)], time, now).expect("one ban");
    }
    let judged = |moderation: &Moderation, at| moderation.judge(&here, || from(1), false, at);
    assert_eq!(judged(&moderation, now + MINUTE), Err(Denial::Banned(MINUTE)));
    assert_eq!(judged(&moderation, now + 2 * MINUTE), Ok(()));
    assert_eq!(moderation.of(&here, now).expect("bans").bans.len(), 1);
    moderation.sweep(now + 2 * MINUTE);
    assert!(moderation.rooms.is_empty());
}

#[test]
fn more_bans_than_may_be_are_refused_together() {
    let now = Instant::now();
    let (mut moderation, here) = (moderation(now), room("a"));
    moderation.ban(&here, &[from(1)], MINUTE, now).expect("the first");
    assert_eq!(moderation.ban(&here, &[from(2), from(3)], 2 * MINUTE, now), Err(MINUTE), "when the first is over");
    assert_eq!(moderation.bytes(), (size_of::<Moderated>() + size_of::<Ban>() + "a".len()) as u64);
    assert_eq!(moderation.judge(&here, || from(2), false, now), Ok(()), "none was made");
    moderation.ban(&here, &[from(2), from(1)], MINUTE, now).expect("the second");
    let later = now + MINUTE;
    moderation.ban(&here, &[from(3), from(4)], MINUTE, later).expect("the former are over");
    let bans = moderation.of(&here, later).expect("bans").bans;
    assert!(moderation.lift(&here, bans[0].id, later) && !moderation.lift(&here, bans[0].id, later));
    moderation.ban(&here, &[from(5)], MINUTE, later).expect("one was lifted");
}

#[test]
fn a_lock_lets_in_who_replaces_itself_and_outlives_its_room_for_ten_minutes() {
    let now = Instant::now();
    let (mut moderation, here) = (moderation(now), room("a"));
    assert!(moderation.lock(&here, true, now) && !moderation.lock(&here, true, now));
    let judged = |moderation: &Moderation, replaces, at| moderation.judge(&here, || from(1), replaces, at);
    let long_after = now + 100 * MINUTE;
    assert_eq!(judged(&moderation, false, long_after), Err(Denial::Locked));
    assert_eq!(judged(&moderation, true, long_after), Ok(()));
    moderation.ended(&here, now);
    assert_eq!(judged(&moderation, false, now + 9 * MINUTE), Err(Denial::Locked));
    assert_eq!(judged(&moderation, false, now + LOCK_OUTLIVES), Ok(()));
    moderation.opened(&here, now + LOCK_OUTLIVES);
    assert!(moderation.rooms.is_empty() && moderation.gone.is_empty(), "a new room is not locked");
}

#[test]
fn of_too_many_rooms_that_are_gone_the_longest_gone_is_forgotten() {
    let now = Instant::now();
    let mut moderation = moderation(now);
    let names = ["a", "b", "c"].map(room);
    for name in &names {
        moderation.ban(name, &[from(1)], MINUTE, now).expect("the first");
    }
    for name in &names {
        moderation.ended(name, now);
    }
    assert_eq!((moderation.take_forgotten(), moderation.take_forgotten()), (1, 0));
    assert_eq!((moderation.of(&names[0], now), moderation.in_force()), (None, (0, 2)));
    moderation.opened(&names[1], now);
    moderation.ended(&names[0], now);
    assert_eq!((moderation.gone.len(), moderation.take_forgotten()), (1, 0), "nothing is known of it");
    moderation.sweep(now + MINUTE);
    assert!(moderation.rooms.is_empty() && moderation.gone.is_empty());
}

#[test]
fn locks_and_bans_go_through_a_restart_with_the_time_that_is_left() {
    let clocks = crate::utc::Clocks::read();
    let now = clocks.now;
    let mut before = moderation(now);
    let (here, gone) = (room("a"), room("b"));
    before.ban(&here, &[from(1), from(2)], 2 * MINUTE, now).expect("two bans");
    before.lock(&gone, true, now);
    before.ended(&gone, now);
    let records = before.records(crate::utc::Clocks { now: now + MINUTE, now_ms: clocks.now_ms + 60_000 });
    let mut after = moderation(now);
    // The next process has another clock: there it is as late as it was before.
    after.restore(records, clocks);
    assert_eq!(after.judge(&here, || from(1), false, now), Err(Denial::Banned(2 * MINUTE)));
    assert_eq!(after.judge(&gone, || from(1), false, now + LOCK_OUTLIVES), Ok(()));
    assert_eq!(after.judge(&gone, || from(1), false, now + 9 * MINUTE), Err(Denial::Locked));
    // Bans keep their names, and later ones have others.
    let first = after.of(&here, now).expect("bans").bans[0].id;
    after.lift(&here, first, now);
    after.ban(&here, &[from(3)], MINUTE, now).expect("one was lifted");
    let ids: Vec<_> = after.of(&here, now).expect("bans").bans.iter().map(|ban| ban.id).collect();
    assert!(ids.len() == 2 && !ids.contains(&first), "{ids:?}");
    // A room that is there is locked for as long as it is, and one that nobody comes back to for its time.
    after.opened(&gone, now);
    assert_eq!(after.judge(&gone, || from(1), false, now + 100 * MINUTE), Err(Denial::Locked));
}

#[test]
fn rooms_that_are_restored_are_none_of_those_that_are_gone() {
    let clocks = crate::utc::Clocks::read();
    let now = clocks.now;
    let mut before = moderation(now);
    let names = ["a", "b", "c", "d"].map(room);
    for name in &names {
        before.lock(name, true, now);
    }
    let mut after = moderation(now);
    after.restore(before.records(clocks), clocks);
    for name in &names {
        after.opened(name, now);
        assert_eq!(after.judge(name, || from(1), false, now), Err(Denial::Locked), "{name:?}");
    }
    assert_eq!(after.take_forgotten(), 0);
}
