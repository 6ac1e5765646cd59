//! The program: arguments, settings, logger, listeners, signals; everything else is the library's.
fn main() {}
