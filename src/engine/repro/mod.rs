//! temporary, replaced by the repro branch
use super::rng::CounterRng;
/// x
pub type Cpu = burn::backend::Flex;
/// x
pub const NUMERICS_VERSION: u32 = 1;
/// x
pub fn with_random<R>(_: CounterRng, body: impl FnOnce() -> R) -> R { body() }
