//! The key `ema`: an exponential moving average of the weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{UnsupportedSetting, within};

/// A running mean of the parameters, which is validated, tested and predicted with instead of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmaSettings {
    /// How much of the mean stays at each step.
    #[schemars(range(min = 0, max = 1))]
    pub decay: f64,
    /// The step after which the mean begins, as the parameters are then.
    #[schemars(range(min = 1))]
    pub from_step: u64,
}

impl EmaSettings {
    /// Refuses numbers that no mean can be made with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        within("ema.decay", 0.0..=1.0, self.decay)?;
        within("ema.from_step", 1..=u64::MAX, self.from_step)
    }
}
