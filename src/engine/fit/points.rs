//! After which steps a run leaves its whole state behind, for an auditor to begin at.
//!
//! The run is cut into segments of equal length, as many as `audit.segments` asks for, the shortest that are worth it
//! (`audit.min_segment_steps`) and the disk (`audit.max_bytes`) allow. Plan and model decide, and nothing that a trainer sees on the way.

use crate::engine::settings::AuditSettings;

/// The steps with an audit point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AuditPoints {
    planned: u64,
    segments: u64,
}

impl AuditPoints {
    /// Those of a run of so many planned steps, with a state of so many bytes.
    pub fn of(settings: &AuditSettings, planned: u64, state_bytes: u64) -> Self {
        let affordable = (settings.max_bytes / state_bytes.max(1)).saturating_add(1);
        let long_enough = planned / u64::from(settings.min_segment_steps.max(1));
        Self { planned, segments: u64::from(settings.segments).min(affordable).min(long_enough).max(1) }
    }

    /// Whether there is one after a step: number `n` of them, of `segments` − 1, is after step ⌊`planned` · n / `segments`⌋.
    pub fn is_due(&self, step: u64) -> bool {
        let Self { planned, segments } = *self;
        // The first number whose step is at least this one. Neither factor has more than 32 bits.
        let number = (step * segments).div_ceil(planned.max(1));
        (1..segments).contains(&number) && planned * number / segments == step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(settings: AuditSettings, planned: u64, bytes: u64) -> Vec<u64> {
        let points = AuditPoints::of(&settings, planned, bytes);
        (0..=planned + 2).filter(|&step| points.is_due(step)).collect()
    }

    const FOUR: AuditSettings =
        AuditSettings { state_digest_every: 0, segments: 4, min_segment_steps: 1, max_bytes: 1000 };

    #[test]
    fn a_run_is_cut_into_segments_of_equal_length() {
        assert_eq!(due(FOUR, 100, 10), [25, 50, 75]);
        assert_eq!(due(FOUR, 10, 10), [2, 5, 7]);
        for planned in 1..300 {
            for segments in 1..40 {
                let points = due(AuditSettings { segments, ..FOUR }, planned, 1);
                let expected = u64::from(segments).min(planned);
                assert_eq!(points.len() as u64, expected - 1, "{planned} steps in {segments}");
                let ends = points.iter().copied().chain([planned]);
                let lengths: Vec<_> = std::iter::once(0).chain(points.iter().copied()).zip(ends).collect();
                let lengths = lengths.iter().map(|(first, last)| last - first);
                assert!(lengths.clone().max().expect("one") - lengths.min().expect("one") <= 1);
            }
        }
    }

    #[test]
    fn short_runs_and_large_states_have_fewer() {
        assert_eq!(due(AuditSettings { min_segment_steps: 50, ..FOUR }, 8, 10), [0; 0]);
        assert_eq!(due(AuditSettings { min_segment_steps: 50, ..FOUR }, 100, 10), [50]);
        assert_eq!(due(FOUR, 100, 500), [33, 66]);
        assert_eq!(due(FOUR, 100, 1001), [0; 0]);
        assert_eq!(due(AuditSettings { segments: 0, ..FOUR }, 100, 1), [0; 0]);
    }
}
