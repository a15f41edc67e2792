//! Which samples are held out, for tasks that do not bring splits of their own.

use super::rng::{CounterRng, Stream};
use super::task::Split;

/// The samples of each split: their ids, as [`Task::sample_ids`](super::task::Task::sample_ids) gives them, and where they
/// were among all.
#[derive(Debug, Clone)]
pub struct Splits {
    ids: [Vec<String>; 3],
    places: [Vec<usize>; 3],
}

impl Splits {
    /// Draws which samples are held out, a share of all for validation and one for the final test, rounded to whole samples:
    /// a function of their number, the shares and the seed. In a split samples keep their order; an id is any name.
    ///
    /// # Panics
    /// When a share is below 0, or both are more than 1 together.
    pub fn draw<Id: ToString>(ids: impl IntoIterator<Item = Id>, val_share: f64, test_share: f64, seed: u64) -> Self {
        assert!(val_share >= 0.0 && test_share >= 0.0 && val_share + test_share <= 1.0, "shares of all samples");
        let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
        let [val, test] = [val_share, test_share].map(|share| (share * ids.len() as f64).round() as usize);
        let mut split_of = vec![Split::Train; ids.len()];
        for (rank, place) in CounterRng::new(seed, Stream::SPLIT, 0).permutation(ids.len()).into_iter().enumerate() {
            match rank {
                rank if rank < val => split_of[place] = Split::Val,
                rank if rank < val + test => split_of[place] = Split::Test,
                _ => {}
            }
        }
        let mut splits = Self { ids: Default::default(), places: Default::default() };
        for ((place, id), split) in ids.into_iter().enumerate().zip(split_of) {
            splits.ids[split as usize].push(id);
            splits.places[split as usize].push(place);
        }
        splits
    }

    /// The ids of the samples of a split.
    pub fn ids(&self, split: Split) -> &[String] {
        &self.ids[split as usize]
    }

    /// Where the samples of a split were among all.
    pub fn places(&self, split: Split) -> &[usize] {
        &self.places[split as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Split; 3] = [Split::Train, Split::Val, Split::Test];

    fn splits(count: usize, val: f64, test: f64, seed: u64) -> Splits {
        Splits::draw(0..count, val, test, seed)
    }

    #[test]
    fn every_sample_is_in_one_split_under_its_own_id_and_in_order() {
        let drawn = splits(50, 0.1, 0.2, 7);
        assert_eq!(ALL.map(|split| drawn.ids(split).len()), [35, 5, 10]);
        let mut places: Vec<usize> = ALL.iter().flat_map(|&split| drawn.places(split).to_vec()).collect();
        places.sort_unstable();
        assert_eq!(places, Vec::from_iter(0..50));
        for split in ALL {
            assert!(drawn.places(split).is_sorted());
            let ids: Vec<_> = drawn.places(split).iter().map(usize::to_string).collect();
            assert_eq!(drawn.ids(split), ids);
        }
    }

    #[test]
    fn what_is_drawn_is_a_function_of_the_seed() {
        let held_out = |seed| splits(50, 0.1, 0.2, seed).places(Split::Test).to_vec();
        assert_eq!(held_out(7), held_out(7));
        assert_ne!(held_out(7), held_out(8));
        assert!(
            splits(3, 0.0, 0.0, 1).ids(Split::Val).is_empty() && splits(0, 0.5, 0.5, 1).ids(Split::Train).is_empty()
        );
    }
}
