//! How likely a random sample is to hold something bad.

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
