//! The `optimizer` group: by which rule parameters are moved. The formulas are in [`engine::optimizer`](super::super::optimizer).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use super::named::{self, refuse_others, take};
use super::{UnsupportedSetting, required};

/// The `optimizer` group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OptimizerSettings {
    /// The rule: the key `name`, and the keys that only it has.
    #[serde(flatten)]
    pub rule: Rule,
    /// Learning rate, before the schedule and a group's factor.
    pub lr: f64,
    /// Weight decay: decoupled and multiplied by the learning rate in `adamw` and `lion`, an L2 penalty in `adam` and `sgd`.
    pub weight_decay: f64,
    /// Slow weights around the rule; `null` is none.
    pub lookahead: Option<LookaheadSettings>,
    /// Parameters with a pace of their own; a parameter is in the first group that matches it.
    pub groups: Vec<ParameterGroup>,
}

/// An update rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Rule {
    /// Loshchilov & Hutter, "Decoupled weight decay regularization", 2019.
    Adamw(AdamSettings),
    /// Kingma & Ba, "Adam: a method for stochastic optimization", 2015.
    Adam(AdamSettings),
    /// Stochastic gradient descent.
    Sgd(SgdSettings),
    /// Chen et al., "Symbolic discovery of optimization algorithms", 2023.
    Lion(LionSettings),
}

/// What `adamw` and `adam` have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct AdamSettings {
    /// Decay of the first and second moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
}

/// What `sgd` has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct SgdSettings {
    /// How much of the sum of earlier gradients stays at each step; 0 is none.
    pub momentum: f64,
    /// Whether a step looks ahead along the momentum.
    pub nesterov: bool,
}

/// What `lion` has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct LionSettings {
    /// Weight of the momentum in the direction of a step, and its decay.
    pub betas: [f64; 2],
}

/// Slow weights that follow the rule's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookaheadSettings {
    /// Steps of the rule for one of the slow weights.
    #[schemars(range(min = 1))]
    pub k: u32,
    /// How far the slow weights go towards the rule's.
    #[schemars(range(min = 0, max = 1))]
    pub alpha: f64,
}

/// Parameters with a pace of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// Glob over the whole path of a parameter, e.g. `encoder.*.bias`: `*` is any text, dots included.
    pub pattern: String,
    /// What the learning rate is multiplied by.
    pub lr_factor: f64,
    /// Weight decay; `null` is the optimizer's.
    #[serde(deserialize_with = "required")]
    pub weight_decay: Option<f64>,
    /// Whether they stay as they are. They have no gradient then, so its norm is without them.
    pub frozen: bool,
}

/// The values of `configs/optimizer/adamw.yaml`, for use as a library.
impl Default for OptimizerSettings {
    fn default() -> Self {
        Self {
            rule: Rule::Adamw(AdamSettings::default()),
            lr: 1e-3,
            weight_decay: 0.01,
            lookahead: None,
            groups: Vec::new(),
        }
    }
}

/// The values of `configs/optimizer/adamw.yaml` and `adam.yaml`, for use as a library.
impl Default for AdamSettings {
    fn default() -> Self {
        Self { betas: [0.9, 0.999], eps: 1e-8 }
    }
}

/// The values of `configs/optimizer/sgd.yaml`, for use as a library.
impl Default for SgdSettings {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false }
    }
}

/// The values of `configs/optimizer/lion.yaml`, for use as a library.
impl Default for LionSettings {
    fn default() -> Self {
        Self { betas: [0.9, 0.99] }
    }
}

/// The group as it is written: all keys of all rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: RuleName,
    lr: f64,
    weight_decay: f64,
    #[serde(deserialize_with = "required")]
    lookahead: Option<LookaheadSettings>,
    groups: Vec<ParameterGroup>,
    betas: Option<[f64; 2]>,
    eps: Option<f64>,
    momentum: Option<f64>,
    nesterov: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RuleName {
    Adamw,
    Adam,
    Sgd,
    Lion,
}

impl<'de> Deserialize<'de> for OptimizerSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { name, lr, weight_decay, lookahead, groups, mut betas, mut eps, mut momentum, mut nesterov } =
            Written::deserialize(deserializer)?;
        let rule = match name {
            RuleName::Adamw | RuleName::Adam => {
                let settings = AdamSettings { betas: take(&mut betas, "betas")?, eps: take(&mut eps, "eps")? };
                if matches!(name, RuleName::Adamw) { Rule::Adamw(settings) } else { Rule::Adam(settings) }
            }
            RuleName::Sgd => Rule::Sgd(SgdSettings {
                momentum: take(&mut momentum, "momentum")?,
                nesterov: take(&mut nesterov, "nesterov")?,
            }),
            RuleName::Lion => Rule::Lion(LionSettings { betas: take(&mut betas, "betas")? }),
        };
        let others = [
            ("betas", betas.is_some()),
            ("eps", eps.is_some()),
            ("momentum", momentum.is_some()),
            ("nesterov", nesterov.is_some()),
        ];
        refuse_others(&others, rule.keys())?;
        Ok(Self { rule, lr, weight_decay, lookahead, groups })
    }
}

impl JsonSchema for OptimizerSettings {
    fn schema_name() -> Cow<'static, str> {
        "OptimizerSettings".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        /// What all rules have.
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "read by the derive")]
        struct Common {
            /// Learning rate, before the schedule and a group's factor.
            lr: f64,
            /// Weight decay: decoupled in adamw and lion, an L2 penalty in adam and sgd.
            weight_decay: f64,
            /// Slow weights around the rule; null is none.
            lookahead: Option<LookaheadSettings>,
            /// Parameters with a pace of their own; a parameter is in the first group that matches it.
            groups: Vec<ParameterGroup>,
        }
        let variants = [
            ("adamw", AdamSettings::json_schema(generator)),
            ("adam", AdamSettings::json_schema(generator)),
            ("sgd", SgdSettings::json_schema(generator)),
            ("lion", LionSettings::json_schema(generator)),
        ];
        named::schema("By which rule parameters are moved.", &Common::json_schema(generator), &variants)
    }
}

impl Rule {
    /// All keys of the group with this rule.
    fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Adamw(_) | Self::Adam(_) => &["name", "lr", "weight_decay", "lookahead", "groups", "betas", "eps"],
            Self::Sgd(_) => &["name", "lr", "weight_decay", "lookahead", "groups", "momentum", "nesterov"],
            Self::Lion(_) => &["name", "lr", "weight_decay", "lookahead", "groups", "betas"],
        }
    }
}

impl OptimizerSettings {
    /// Refuses numbers that no step can be made with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        let refuse = |key, expected, got: String| Err(UnsupportedSetting::Invalid { key, expected, got });
        if !(self.lr.is_finite() && self.lr > 0.0) {
            return refuse("optimizer.lr", "a positive number", self.lr.to_string());
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return refuse("optimizer.weight_decay", "a number from 0", self.weight_decay.to_string());
        }
        self.rule.check()?;
        if let Some(LookaheadSettings { k, alpha }) = self.lookahead {
            if k == 0 {
                return refuse("optimizer.lookahead.k", "at least 1", "0".into());
            }
            if !(alpha > 0.0 && alpha <= 1.0) {
                return refuse("optimizer.lookahead.alpha", "a number above 0 and at most 1", alpha.to_string());
            }
        }
        for ParameterGroup { pattern, lr_factor, weight_decay, .. } in &self.groups {
            if !(lr_factor.is_finite() && *lr_factor > 0.0) {
                let expected = "groups with a positive lr_factor (frozen is what does not train)";
                return refuse("optimizer.groups", expected, format!("{lr_factor} for {pattern}"));
            }
            if weight_decay.is_some_and(|decay| !(decay.is_finite() && decay >= 0.0)) {
                let got = format!("{} for {pattern}", weight_decay.unwrap_or(f64::NAN));
                return refuse("optimizer.groups", "groups with a weight_decay from 0, or null", got);
            }
        }
        Ok(())
    }
}

impl Rule {
    fn check(&self) -> Result<(), UnsupportedSetting> {
        let refuse = |key, expected, got: String| Err(UnsupportedSetting::Invalid { key, expected, got });
        let is_decay = |number: &f64| (0.0..1.0).contains(number);
        match *self {
            Self::Adamw(AdamSettings { betas, .. })
            | Self::Adam(AdamSettings { betas, .. })
            | Self::Lion(LionSettings { betas })
                if !betas.iter().all(is_decay) =>
            {
                refuse("optimizer.betas", "two numbers from 0 to below 1", format!("{betas:?}"))
            }
            Self::Adamw(AdamSettings { eps, .. }) | Self::Adam(AdamSettings { eps, .. })
                if !(eps.is_finite() && eps > 0.0) =>
            {
                refuse("optimizer.eps", "a positive number", eps.to_string())
            }
            Self::Sgd(SgdSettings { momentum, .. }) if !is_decay(&momentum) => {
                refuse("optimizer.momentum", "a number from 0 to below 1", momentum.to_string())
            }
            Self::Sgd(SgdSettings { momentum: 0.0, nesterov: true }) => {
                refuse("optimizer.nesterov", "false without momentum", "true".into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(name: &str) -> Value {
        let mut written = json!({ "name": name, "lr": 0.1, "weight_decay": 0, "lookahead": null, "groups": [] });
        let own = match name {
            "sgd" => json!({ "momentum": 0.9, "nesterov": true }),
            "lion" => json!({ "betas": [0.9, 0.99] }),
            _ => json!({ "betas": [0.9, 0.999], "eps": 1e-8 }),
        };
        written.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
        written
    }

    fn read(written: Value) -> Result<OptimizerSettings, String> {
        serde_json::from_value(written).map_err(|error| error.to_string())
    }

    const NAMES: [&str; 4] = ["adamw", "adam", "sgd", "lion"];

    #[test]
    fn every_rule_reads_what_it_writes_and_its_schema_agrees() {
        let schema = schemars::schema_for!(OptimizerSettings).to_value();
        for name in NAMES {
            let settings = read(written(name)).expect(name);
            let again = serde_json::to_value(&settings).expect("JSON");
            assert_eq!(again["name"], name);
            assert_eq!(read(again.clone()).expect(name), settings);
            assert!(jsonschema::is_valid(&schema, &again), "{again}");
        }
    }

    #[test]
    fn a_key_of_another_rule_and_a_missing_one_are_refused_by_name_and_by_the_schema() {
        let schema = schemars::schema_for!(OptimizerSettings).to_value();
        for name in NAMES {
            let keys: Vec<_> = written(name).as_object().expect("an object").keys().cloned().collect();
            for key in &keys {
                let mut fewer = written(name);
                fewer.as_object_mut().expect("an object").remove(key);
                assert!(
                    read(fewer.clone()).expect_err(key).contains(&format!("missing field `{key}`")),
                    "{name} {key}"
                );
                assert!(!jsonschema::is_valid(&schema, &fewer), "{name} without {key}");
            }
            for (key, value) in
                [("momentum", json!(0.9)), ("eps", json!(1e-8)), ("betas", json!([0.9, 0.9])), ("foo", json!(1))]
            {
                if keys.iter().any(|own| own == key) {
                    continue;
                }
                let mut more = written(name);
                more[key] = value;
                assert!(read(more.clone()).expect_err(key).contains(&format!("unknown field `{key}`")), "{name} {key}");
                assert!(!jsonschema::is_valid(&schema, &more), "{name} with {key}");
            }
        }
        assert!(read(written("adagrad")).expect_err("no such rule").contains("adagrad"));
    }

    #[test]
    fn numbers_that_no_step_can_be_made_with_are_refused_by_key() {
        let refused = |settings: OptimizerSettings| settings.check().expect_err("refused").to_string();
        let with = |rule| refused(OptimizerSettings { rule, ..OptimizerSettings::default() });
        let adam = AdamSettings::default();
        assert!(with(Rule::Adam(AdamSettings { betas: [0.9, 1.0], ..adam })).starts_with("optimizer.betas: "));
        assert!(with(Rule::Adamw(AdamSettings { eps: 0.0, ..adam })).starts_with("optimizer.eps: "));
        assert!(with(Rule::Lion(LionSettings { betas: [f64::NAN, 0.9] })).starts_with("optimizer.betas: "));
        assert!(with(Rule::Sgd(SgdSettings { momentum: 1.0, nesterov: false })).starts_with("optimizer.momentum: "));
        assert!(with(Rule::Sgd(SgdSettings { momentum: 0.0, nesterov: true })).starts_with("optimizer.nesterov: "));
        let lookahead = |k, alpha| {
            refused(OptimizerSettings {
                lookahead: Some(LookaheadSettings { k, alpha }),
                ..OptimizerSettings::default()
            })
        };
        assert!(lookahead(0, 0.5).starts_with("optimizer.lookahead.k: "));
        assert!(lookahead(5, 0.0).starts_with("optimizer.lookahead.alpha: "));
        assert!(lookahead(5, f64::NAN).starts_with("optimizer.lookahead.alpha: "));
        let group = |lr_factor, weight_decay| {
            refused(OptimizerSettings {
                groups: vec![ParameterGroup { pattern: "*.bias".into(), lr_factor, weight_decay, frozen: false }],
                ..OptimizerSettings::default()
            })
        };
        assert!(group(0.0, None).contains("got 0 for *.bias"));
        assert!(group(1.0, Some(-1.0)).contains("got -1 for *.bias"));
    }
}
