//! The thread that speaks to Redis, several of them in one process, with a real redis-server whose life is the test's.

mod losses;
mod moderation;
mod refusals;
mod rooms;
mod support;
