//! What is being done, for a person who waits.

/// How far something is that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being done, such as `simulating into data/train`.
    pub stage: &'a str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is to do.
    pub total: u64,
    /// What is counted, such as `planets`.
    pub unit: &'a str,
}
