//! The limits a configuration must keep, each with the attack it stops.
//!
//! A config may come from a stranger (an auditor re-composes what a run claims), so reading one must cost bounded
//! time and memory. All limits are far above what a real tree uses.

/// Bytes of one YAML file: stops a file that exhausts memory when it becomes a tree.
pub const MAX_FILE_BYTES: u64 = 4 << 20;

/// Nesting of one YAML file, override or interpolation: stops `[[[[…` from overflowing the stack.
pub const MAX_DEPTH: usize = 100;

/// Bytes of one override, or of one text with interpolations: stops `${a}${a}…`, which parses to a hundred times its
/// size.
pub const MAX_EXPRESSION_BYTES: usize = 1 << 20;

/// Nodes of one YAML file after aliases and merge keys are expanded: stops the "billion laughs" document. Its texts,
/// expanded too, are held to [`MAX_FILE_BYTES`]: stops a long text that many aliases name.
pub const MAX_FILE_NODES: usize = 200_000;

/// Decimal digits of one integer, as in Python: stops numbers that take quadratic time to write.
pub const MAX_INTEGER_DIGITS: usize = 4300;

/// Configs in one composition, counted as often as they are included: stops defaults lists that double at each
/// level.
pub const MAX_CONFIGS: usize = 5_000;

/// Nesting of defaults lists: turns configs that include each other into an error instead of a stack overflow.
pub const MAX_DEFAULTS_DEPTH: usize = 100;

/// Nodes made while composing or resolving: stops a tree that grows by copying itself through interpolations.
pub const MAX_TREE_NODES: usize = 400_000;

/// Values resolved or copied, an interpolation counting as twenty and a byte that a resolver parses as one: stops
/// `a: ${b}${b}`, `b: ${c}${c}`, …, `z: ''`, which takes for ever to make nothing.
pub const MAX_VALUES: usize = 500_000;

/// Interpolations that wait for one another: stops long chains from overflowing the stack.
pub const MAX_INTERPOLATION_DEPTH: usize = 200;

/// Bytes of all texts of one config, those included that interpolations make, copy or parse: stops `a: ${b}${b}`,
/// `b: ${c}${c}`, … from doubling without end, and one long text that many keys name.
pub const MAX_TEXT_BYTES: usize = 8 << 20;

/// Jobs of one multirun, and values of one sweep: stops `range(0, 1e18)`.
pub const MAX_JOBS: usize = 10_000;

/// Memory for the overrides of all jobs of one multirun, in bytes: stops few jobs too many of many overrides each.
pub const MAX_JOBS_BYTES: usize = 64 << 20;
