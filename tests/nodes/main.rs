//! The thread that speaks to Redis, several of them in one process, with a real redis-server whose life is the test's.
#![expect(clippy::result_large_err, reason = "what is told and not looked for is kept as it is")]

mod losses;
mod moderation;
mod refusals;
mod rooms;
mod support;
