//! The learning rate of a step: a function of the step and of how many are planned, in f64.
//!
//! Steps count from 1 and are those of the step log, skipped ones included; *planned* is what the run makes if neither
//! early stopping nor a limit ends it. The factors below are multiplied by `optimizer.lr`. With w warm-up steps:
//!
//! ```text
//! mix(a, b, x) = a·(1 − x) + b·x              wave(x) = (1 − cos(π·x))/2
//! step ≤ w:    mix(warmup_start_factor, 1, (step − 1)/w)
//! after:       n = step − 1 − w                t = min(1, n / max(1, planned − 1 − w))
//!   constant   1
//!   linear     mix(1, end_factor, t)
//!   cosine     mix(1, end_factor, wave(t))
//!   step       factor ^ ⌊n/every_n_steps⌋
//!   one_cycle  t < rising_share:  mix(start_factor, 1, wave(t/rising_share))
//!              otherwise:         mix(1, end_factor, wave((t − rising_share)/(1 − rising_share))); 1 where that is 0/0
//! ```
//! `cos` and the power are those of the `libm` crate, plain Rust on every target; everything else is one correctly rounded
//! operation each.

use std::f64::consts::PI;

use super::settings::{Decay, ScheduleSettings, UnsupportedSetting};

/// The learning rate of a step.
pub fn learning_rate(schedule: &ScheduleSettings, lr: f64, step: u64, planned: u64) -> f64 {
    lr * factor(schedule, step, planned)
}

/// Refuses a warm-up that the planned steps have no room for.
///
/// # Errors
/// When it is not over before the last step.
pub fn check(schedule: &ScheduleSettings, planned: u64) -> Result<(), UnsupportedSetting> {
    match u64::from(schedule.warmup_steps) < planned {
        true => Ok(()),
        false => Err(UnsupportedSetting::OutOfRange {
            key: "schedule.warmup_steps",
            smallest: "0".into(),
            largest: format!("{}, one less than the planned steps", planned.saturating_sub(1)),
            got: schedule.warmup_steps.to_string(),
        }),
    }
}

fn factor(schedule: &ScheduleSettings, step: u64, planned: u64) -> f64 {
    let (before, warmup) = (step.saturating_sub(1), u64::from(schedule.warmup_steps));
    if before < warmup {
        return mix(schedule.warmup_start_factor, 1.0, before as f64 / warmup as f64);
    }
    let done = before - warmup;
    let last = planned.saturating_sub(1).saturating_sub(warmup).max(1);
    let share = (done as f64 / last as f64).min(1.0);
    match schedule.decay {
        Decay::Constant => 1.0,
        Decay::Linear { end_factor } => mix(1.0, end_factor, share),
        Decay::Cosine { end_factor } => mix(1.0, end_factor, wave(share)),
        Decay::Step { every_n_steps, factor } => libm::pow(factor, (done / u64::from(every_n_steps)) as f64),
        Decay::OneCycle { start_factor, rising_share, end_factor } => {
            if share < rising_share {
                mix(start_factor, 1.0, wave(share / rising_share))
            } else if rising_share < 1.0 {
                mix(1.0, end_factor, wave((share - rising_share) / (1.0 - rising_share)))
            } else {
                1.0
            }
        }
    }
}

/// From `a` to `b`: exactly these at 0 and 1.
fn mix(a: f64, b: f64, share: f64) -> f64 {
    a * (1.0 - share) + b * share
}

/// From 0 to 1 along half a wave.
fn wave(share: f64) -> f64 {
    (1.0 - libm::cos(PI * share)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(decay: Decay, warmup_steps: u32, planned: u64) -> Vec<f64> {
        let schedule = ScheduleSettings { decay, warmup_steps, warmup_start_factor: 0.2 };
        (1..=planned).map(|step| learning_rate(&schedule, 0.5, step, planned)).collect()
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn without_warm_up_and_decay_every_step_has_the_bits_of_the_optimizers_rate() {
        let schedule = ScheduleSettings::default();
        for lr in [1e-3, 0.1, f64::MIN_POSITIVE, 1.0 / 3.0] {
            for step in [1, 2, 1000, u64::from(u32::MAX)] {
                assert_eq!(learning_rate(&schedule, lr, step, 10).to_bits(), lr.to_bits());
            }
        }
    }

    #[test]
    fn every_schedule_begins_and_ends_where_it_says_after_the_warm_up() {
        let warmup = [0.1, 0.2, 0.3, 0.4];
        let with = |rest: &[f64]| [&warmup[..], rest].concat();
        assert_close(&rates(Decay::Constant, 4, 7), &with(&[0.5, 0.5, 0.5]));
        assert_close(&rates(Decay::Linear { end_factor: 0.1 }, 4, 7), &with(&[0.5, 0.275, 0.05]));
        assert_close(&rates(Decay::Cosine { end_factor: 0.1 }, 4, 7), &with(&[0.5, 0.275, 0.05]));
        let quarter = 0.5 * (0.1 + 0.9 * (1.0 + std::f64::consts::FRAC_1_SQRT_2) / 2.0);
        assert_close(&rates(Decay::Cosine { end_factor: 0.1 }, 0, 5)[..2], &[0.5, quarter]);
        let fall = Decay::Step { every_n_steps: 2, factor: 0.5 };
        assert_close(&rates(fall, 4, 9), &with(&[0.5, 0.5, 0.25, 0.25, 0.125]));
        let cycle = Decay::OneCycle { start_factor: 0.1, rising_share: 0.5, end_factor: 0.0 };
        assert_close(&rates(cycle, 4, 9), &with(&[0.05, 0.275, 0.5, 0.25, 0.0]));
    }

    #[test]
    fn the_end_is_exact_and_stays_after_the_planned_steps() {
        for decay in [Decay::Linear { end_factor: 0.3 }, Decay::Cosine { end_factor: 0.3 }] {
            let schedule = ScheduleSettings { decay, ..ScheduleSettings::default() };
            for step in [7, 8, 100] {
                assert_eq!(learning_rate(&schedule, 1.0, step, 7), 0.3);
            }
            assert_eq!(learning_rate(&schedule, 1.0, 1, 7), 1.0);
        }
    }

    #[test]
    fn odd_lengths_give_numbers() {
        for rising_share in [0.0, 1.0] {
            let cycle = Decay::OneCycle { start_factor: 0.1, rising_share, end_factor: 0.2 };
            for planned in 1..5 {
                assert!(rates(cycle, 0, planned).iter().all(|rate| (0.0..=0.5).contains(rate)));
            }
        }
        assert_eq!(rates(Decay::Linear { end_factor: 0.0 }, 0, 1), [0.5]);
        assert_eq!(rates(Decay::Cosine { end_factor: 0.0 }, 2, 3)[2], 0.5);
    }

    #[test]
    fn the_bits_of_a_schedule_are_these_on_every_machine() {
        let cosine = rates(Decay::Cosine { end_factor: 0.01 }, 3, 10);
        let fall = rates(Decay::Step { every_n_steps: 3, factor: 0.3 }, 0, 20);
        let mut hash = blake3::Hasher::new();
        for rate in cosine.into_iter().chain(fall) {
            hash.update(&rate.to_bits().to_le_bytes());
        }
        assert_eq!(&hash.finalize().to_hex()[..16], "8f92bc1d70f2b5d5");
    }

    #[test]
    fn a_warm_up_without_room_is_refused() {
        let warmup = |warmup_steps| ScheduleSettings { warmup_steps, ..ScheduleSettings::default() };
        assert_eq!(check(&warmup(9), 10), Ok(()));
        let error = check(&warmup(10), 10).expect_err("no room").to_string();
        assert!(error.starts_with("schedule.warmup_steps: ") && error.contains("to 9"), "{error}");
    }
}
