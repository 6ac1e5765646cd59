//! TODO
#[derive(Debug)]
pub struct Tally;
