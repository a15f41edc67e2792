//! Which segments of a run are trained again, and how likely a false one is among them.

use crate::digest::{Blake3Digest, DomainHasher};

/// Segments drawn by something that the trainer could not know when signing: what is signed, and a nonce that the checker chose after.
///
/// The first and the last are always among them. Of those between, the ones whose BLAKE3 over (step root, nonce, number) is smallest
/// follow: whoever knows the nonce can draw them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// Their numbers from 0, in order.
    pub chosen: Vec<usize>,
    /// Of how many.
    pub all: usize,
}

impl Draw {
    /// Draws `count` of `all` segments, at least the first and the last.
    pub fn of(all: usize, count: usize, step_root: Blake3Digest, nonce: &str) -> Self {
        let mut between: Vec<_> = (1..all.saturating_sub(1))
            .map(|number| {
                let mut hasher = DomainHasher::new("spectramind/audit-draw/v1");
                hasher.digest(&step_root).field(nonce.as_bytes()).u64(number as u64);
                (hasher.finish().to_string(), number)
            })
            .collect();
        between.sort_unstable();
        let ends = [0, all.saturating_sub(1)].into_iter().take(all);
        let drawn = between.into_iter().take(count.saturating_sub(2)).map(|(_, number)| number);
        let mut chosen: Vec<_> = ends.chain(drawn).collect();
        chosen.sort_unstable();
        chosen.dedup();
        Self { chosen, all }
    }

    /// Probability that so many false segments, none of which is the first or the last, are not all missed.
    pub fn finds(&self, bad: usize) -> f64 {
        detection_probability(self.all.saturating_sub(2), bad, self.chosen.len().saturating_sub(2))
    }

    /// What it finds, in words: of one, five and ten per cent of false segments.
    pub fn odds(&self) -> String {
        let Self { all, chosen } = self;
        if chosen.len() == *all {
            return "all segments were looked at: a false one is found with certainty".into();
        }
        let mut counts: Vec<_> = [1, 5, 10].map(|percent| (all * percent).div_ceil(100).min(all - 2)).into();
        counts.dedup();
        let odds: Vec<_> = counts
            .into_iter()
            .map(|bad| {
                format!(
                    "{bad} false of {all} ({:.0} %) with probability {:.1} %",
                    percent(bad, *all),
                    100.0 * self.finds(bad)
                )
            })
            .collect();
        format!("such a draw finds {}", odds.join(", "))
    }
}

fn percent(part: usize, all: usize) -> f64 {
    100.0 * part as f64 / all as f64
}

/// Probability that a sample of `looked_at` out of `all`, drawn without repetition, holds at least one of the `bad` ones:
/// 1 − C(N − b, k) / C(N, k).
pub fn detection_probability(all: usize, bad: usize, looked_at: usize) -> f64 {
    let good = all.saturating_sub(bad);
    if looked_at > good {
        return if bad == 0 { 0.0 } else { 1.0 };
    }
    // A product of ratios: the binomials themselves would not fit into any number.
    let missed = |drawn: usize| (good - drawn) as f64 / (all - drawn) as f64;
    1.0 - (0..looked_at).map(missed).product::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_has_both_ends_can_be_drawn_again_and_is_another_one_for_another_nonce_or_root() {
        let root = crate::digest::FileDigest::blake3_of_bytes(b"steps");
        let draw = |count, nonce: &str| Draw::of(40, count, root, nonce).chosen;
        for count in 0..45 {
            let chosen = draw(count, "a");
            assert_eq!(chosen.len(), count.clamp(2, 40));
            assert!(chosen.contains(&0) && chosen.contains(&39) && chosen.is_sorted());
        }
        assert_eq!(draw(8, "a"), draw(8, "a"));
        assert_ne!(draw(8, "a"), draw(8, "b"));
        assert_ne!(
            draw(8, "a"),
            Draw::of(40, 8, crate::digest::FileDigest::blake3_of_bytes(b"other steps"), "a").chosen
        );
        assert_eq!(Draw::of(1, 5, root, "a").chosen, [0]);
        assert_eq!(Draw::of(0, 5, root, "a").chosen, [0; 0]);
    }

    /// The acceptance of the issue: over 200 nonces a false segment is hit as often as is printed, within three standard errors.
    #[test]
    fn a_false_segment_is_drawn_as_often_as_is_said() {
        let root = crate::digest::FileDigest::blake3_of_bytes(b"steps");
        for (count, bad) in [(4, vec![17]), (8, vec![3]), (8, vec![1, 20]), (20, vec![5, 6, 7, 38])] {
            let draws = 200;
            let hits = (0..draws)
                .filter(|nonce| Draw::of(40, count, root, &nonce.to_string()).chosen.iter().any(|n| bad.contains(n)))
                .count();
            let said = Draw::of(40, count, root, "").finds(bad.len());
            let error = (said * (1.0 - said) / f64::from(draws)).sqrt();
            let measured = hits as f64 / f64::from(draws);
            assert!((measured - said).abs() <= 3.0 * error, "{count} of 40, {bad:?}: said {said}, measured {measured}");
        }
    }

    /// Counts every sample, one by one.
    fn counted(all: usize, bad: usize, looked_at: usize) -> f64 {
        let samples = (0u32..1 << all).filter(|sample| sample.count_ones() as usize == looked_at);
        let holds_a_bad_one = |sample: &u32| sample & ((1 << bad) - 1) != 0;
        let (hits, count) =
            samples.fold((0, 0), |(hits, count), sample| (hits + u32::from(holds_a_bad_one(&sample)), count + 1));
        f64::from(hits) / f64::from(count)
    }

    #[test]
    fn the_formula_gives_what_counting_every_sample_gives() {
        for all in 1..=10 {
            for bad in 0..=all {
                for looked_at in 0..=all {
                    let (formula, counted) = (detection_probability(all, bad, looked_at), counted(all, bad, looked_at));
                    assert!((formula - counted).abs() < 1e-12, "{all} {bad} {looked_at}: {formula}, {counted}");
                }
            }
        }
    }

    #[test]
    fn the_table_in_the_docs_is_right() {
        let page = include_str!("../../docs/what-an-audit-proves.md");
        let (_, table) = page.split_once("| N | b | K = 1 |").expect("the table");
        let rows: Vec<Vec<&str>> = table
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        assert_eq!(rows.len(), 11);
        for row in rows {
            let number = |text: &str| text.parse::<usize>().expect("a number");
            let (all, bad) = (number(row[0]), number(row[1]));
            for (looked_at, shown) in [1, all / 10, all / 4, all / 2].into_iter().zip(&row[2..6]) {
                let probability = detection_probability(all, bad, looked_at);
                let expected = match probability > 0.9999 {
                    true => "> 99.99 %".to_owned(),
                    false => format!("{:.1} %", 100.0 * probability),
                };
                assert_eq!(*shown, expected, "N = {all}, b = {bad}, K = {looked_at}");
            }
            let enough = (1..=all).find(|&looked_at| detection_probability(all, bad, looked_at) > 0.95 - 1e-9);
            assert_eq!(enough, Some(number(row[6])), "N = {all}, b = {bad}");
        }
    }
}
