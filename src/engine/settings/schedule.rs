//! The `schedule` group: how the learning rate goes. The formulas are in [`engine::schedule`](super::super::schedule).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::named::{self, refuse_others, take};
use super::{UnsupportedSetting, within};

/// The `schedule` group: a warm-up, and what comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScheduleSettings {
    /// What comes after the warm-up: the key `name`, and the keys that only it has.
    #[serde(flatten)]
    pub decay: Decay,
    /// Steps in which the learning rate rises to that of the optimizer; 0 is none.
    pub warmup_steps: u32,
    /// What the learning rate is multiplied by at the first step of the warm-up.
    pub warmup_start_factor: f64,
}

/// How the learning rate goes after the warm-up. Factors are of the optimizer's learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Decay {
    /// It stays.
    Constant,
    /// It goes along a line.
    Linear {
        /// Factor at the last planned step.
        end_factor: f64,
    },
    /// It goes along half a wave of a cosine.
    Cosine {
        /// Factor at the last planned step.
        end_factor: f64,
    },
    /// It falls by steps.
    Step {
        /// After every so many optimizer steps.
        every_n_steps: u32,
        /// What it is multiplied by then.
        factor: f64,
    },
    /// It rises to that of the optimizer and falls again, each along half a wave of a cosine.
    OneCycle {
        /// Factor at the beginning.
        start_factor: f64,
        /// Share of the steps in which it rises.
        rising_share: f64,
        /// Factor at the last planned step.
        end_factor: f64,
    },
}

/// The values of `configs/schedule/constant.yaml`, for use as a library.
impl Default for ScheduleSettings {
    fn default() -> Self {
        Self { decay: Decay::Constant, warmup_steps: 0, warmup_start_factor: 0.0 }
    }
}

/// The group as it is written: all keys of all names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: DecayName,
    warmup_steps: u32,
    warmup_start_factor: f64,
    end_factor: Option<f64>,
    every_n_steps: Option<u32>,
    factor: Option<f64>,
    start_factor: Option<f64>,
    rising_share: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DecayName {
    Constant,
    Linear,
    Cosine,
    Step,
    OneCycle,
}

impl<'de> Deserialize<'de> for ScheduleSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut written = Written::deserialize(deserializer)?;
        let decay = match written.name {
            DecayName::Constant => Decay::Constant,
            DecayName::Linear => Decay::Linear { end_factor: take(&mut written.end_factor, "end_factor")? },
            DecayName::Cosine => Decay::Cosine { end_factor: take(&mut written.end_factor, "end_factor")? },
            DecayName::Step => Decay::Step {
                every_n_steps: take(&mut written.every_n_steps, "every_n_steps")?,
                factor: take(&mut written.factor, "factor")?,
            },
            DecayName::OneCycle => Decay::OneCycle {
                start_factor: take(&mut written.start_factor, "start_factor")?,
                rising_share: take(&mut written.rising_share, "rising_share")?,
                end_factor: take(&mut written.end_factor, "end_factor")?,
            },
        };
        let others = [
            ("end_factor", written.end_factor.is_some()),
            ("every_n_steps", written.every_n_steps.is_some()),
            ("factor", written.factor.is_some()),
            ("start_factor", written.start_factor.is_some()),
            ("rising_share", written.rising_share.is_some()),
        ];
        refuse_others(&others, decay.keys())?;
        let Written { warmup_steps, warmup_start_factor, .. } = written;
        Ok(Self { decay, warmup_steps, warmup_start_factor })
    }
}

impl JsonSchema for ScheduleSettings {
    fn schema_name() -> Cow<'static, str> {
        "ScheduleSettings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let factor = |description: &str| json_schema!({ "description": description, "type": "number", "minimum": 0, "maximum": 1 });
        let end = factor("What the learning rate is multiplied by at the last planned step.");
        let common = json_schema!({ "properties": {
            "warmup_steps": {
                "description": "Steps in which the learning rate rises to that of the optimizer; 0 is none.",
                "type": "integer", "minimum": 0, "maximum": u32::MAX,
            },
            "warmup_start_factor": factor("What the learning rate is multiplied by at the first step of the warm-up."),
        } });
        let variants = [
            ("constant", json_schema!({})),
            ("linear", json_schema!({ "properties": { "end_factor": end } })),
            ("cosine", json_schema!({ "properties": { "end_factor": end } })),
            (
                "step",
                json_schema!({ "properties": {
                "every_n_steps": {
                    "description": "Steps between two falls.",
                    "type": "integer", "minimum": 1, "maximum": u32::MAX,
                },
                "factor": factor("What the learning rate is multiplied by then."),
            } }),
            ),
            (
                "one_cycle",
                json_schema!({ "properties": {
                "start_factor": factor("What the learning rate is multiplied by at the beginning."),
                "rising_share": factor("Share of the steps in which it rises."),
                "end_factor": end,
            } }),
            ),
        ];
        named::schema("How the learning rate goes.", &common, &variants)
    }
}

impl Decay {
    /// All keys of the group with this name.
    fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Constant => &["name", "warmup_steps", "warmup_start_factor"],
            Self::Linear { .. } | Self::Cosine { .. } => &["name", "warmup_steps", "warmup_start_factor", "end_factor"],
            Self::Step { .. } => &["name", "warmup_steps", "warmup_start_factor", "every_n_steps", "factor"],
            Self::OneCycle { .. } => {
                &["name", "warmup_steps", "warmup_start_factor", "start_factor", "rising_share", "end_factor"]
            }
        }
    }
}

impl ScheduleSettings {
    /// Refuses numbers that no learning rate can be made with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        within("schedule.warmup_start_factor", 0.0..=1.0, self.warmup_start_factor)?;
        match self.decay {
            Decay::Constant => Ok(()),
            Decay::Linear { end_factor } | Decay::Cosine { end_factor } => {
                within("schedule.end_factor", 0.0..=1.0, end_factor)
            }
            Decay::Step { every_n_steps, factor } => {
                within("schedule.every_n_steps", 1..=u32::MAX, every_n_steps)?;
                within("schedule.factor", 0.0..=1.0, factor)
            }
            Decay::OneCycle { start_factor, rising_share, end_factor } => {
                within("schedule.start_factor", 0.0..=1.0, start_factor)?;
                within("schedule.rising_share", 0.0..=1.0, rising_share)?;
                within("schedule.end_factor", 0.0..=1.0, end_factor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_schedule_reads_what_it_writes_and_no_key_of_another() {
        let schema = schemars::schema_for!(ScheduleSettings).to_value();
        for decay in [
            Decay::Constant,
            Decay::Linear { end_factor: 0.1 },
            Decay::Cosine { end_factor: 0.0 },
            Decay::Step { every_n_steps: 5, factor: 0.5 },
            Decay::OneCycle { start_factor: 0.04, rising_share: 0.3, end_factor: 0.0 },
        ] {
            let settings = ScheduleSettings { decay, warmup_steps: 3, warmup_start_factor: 0.1 };
            let written = serde_json::to_value(settings).expect("JSON");
            assert_eq!(serde_json::from_value::<ScheduleSettings>(written.clone()).expect("reads"), settings);
            assert!(jsonschema::is_valid(&schema, &written), "{written}");
            let mut keys: Vec<_> = written.as_object().expect("an object").keys().map(String::as_str).collect();
            let mut known = decay.keys().to_vec();
            keys.sort_unstable();
            known.sort_unstable();
            assert_eq!(keys, known);
            for key in ["end_factor", "every_n_steps", "factor", "start_factor", "rising_share"] {
                let mut other = written.clone();
                let is_known = decay.keys().contains(&key);
                match is_known {
                    true => drop(other.as_object_mut().expect("an object").remove(key)),
                    false => other[key] = json!(1),
                }
                let error = serde_json::from_value::<ScheduleSettings>(other.clone()).expect_err(key).to_string();
                assert!(error.contains(if is_known { "missing field" } else { "unknown field" }), "{error}");
                assert!(error.contains(key) && !jsonschema::is_valid(&schema, &other), "{error}");
            }
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_key() {
        let refused = |decay, warmup_start_factor| {
            let settings = ScheduleSettings { decay, warmup_steps: 0, warmup_start_factor };
            settings.check().expect_err("refused").to_string()
        };
        assert!(refused(Decay::Constant, f64::NAN).starts_with("schedule.warmup_start_factor: "));
        assert!(refused(Decay::Linear { end_factor: -0.1 }, 0.0).starts_with("schedule.end_factor: "));
        assert!(refused(Decay::Cosine { end_factor: 1.1 }, 0.0).starts_with("schedule.end_factor: "));
        let step = |every_n_steps, factor| refused(Decay::Step { every_n_steps, factor }, 0.0);
        assert!(step(0, 0.5).starts_with("schedule.every_n_steps: "));
        assert!(step(1, 2.0).starts_with("schedule.factor: "));
        let cycle = Decay::OneCycle { start_factor: 0.1, rising_share: 1.5, end_factor: 0.0 };
        assert!(refused(cycle, 0.0).starts_with("schedule.rising_share: "));
    }
}
