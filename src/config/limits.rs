//! The limits a configuration must keep, each with the attack it stops.
//!
//! A config may come from a stranger (an auditor re-composes what a run claims), so reading one must cost bounded
//! time and memory. All limits are far above what a real tree uses.

/// Bytes of one YAML file: stops a file that exhausts memory when it becomes a tree.
pub const MAX_FILE_BYTES: u64 = 4 << 20;

/// Nesting of one YAML file, override or interpolation: stops `[[[[…` from overflowing the stack.
pub const MAX_DEPTH: usize = 100;

/// Nodes of one YAML file after aliases are expanded: stops the "billion laughs" document.
pub const MAX_FILE_NODES: usize = 200_000;

/// Configs in one composition, counted as often as they are included: stops defaults lists that double at each
/// level.
pub const MAX_CONFIGS: usize = 2_000;

/// Nesting of defaults lists: turns configs that include each other into an error instead of a stack overflow.
pub const MAX_DEFAULTS_DEPTH: usize = 100;

/// Nodes made while composing or resolving: stops a tree that grows by copying itself through interpolations.
pub const MAX_TREE_NODES: usize = 2_000_000;

/// Interpolations that wait for one another: stops long chains from overflowing the stack.
pub const MAX_INTERPOLATION_DEPTH: usize = 200;

/// Bytes of one text made by interpolation: stops `a: ${b}${b}`, `b: ${c}${c}`, … from doubling without end.
pub const MAX_TEXT_BYTES: usize = 4 << 20;

/// Jobs of one multirun, and values of one sweep: stops `range(0, 1e18)`.
pub const MAX_JOBS: usize = 100_000;
