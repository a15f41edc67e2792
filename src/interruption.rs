//! How somebody wants a run, or a program that it runs, to end.

/// A wish that something end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// By `SIGINT`, as Ctrl-C sends it.
    Interrupt,
    /// By `SIGTERM`, as batch systems send it.
    Terminate,
}
