//! The sum of one vector per rank, in the order of a balanced binary tree over the ranks.
//!
//! Recursive halving and doubling. In the first half, partners at distance 1 exchange halves of the vector and each adds
//! the half it keeps; then those at distance 2 quarters, and so on, until each rank owns one part, summed over all ranks.
//! In the second half the parts travel back the same way. A rank sends less than twice the vector, whatever the number
//! of ranks.
//!
//! At every level the lower ranks stand on the left of the `+`, so that the sum over ranks 0 to 3 is
//! `(x0 + x1) + (x2 + x3)`, element by element, whoever computes it. That is what makes it equal to the sum of one
//! worker that adds up the same tree. An MPI library's own `MPI_Allreduce` promises no order.

use std::ops::Range;

use crate::Wire;

/// Which stretches of a vector are present on which ranks: a parameter that took no part in a rank's loss has no
/// gradient there, which is not a gradient of zeros.
///
/// An absent side is left out of a sum: the other side's bits stay as they are (`-0.0 + 0.0` would be `0.0`). A subtree
/// has a stretch if one of its ranks has it. What nobody has is unspecified, but the same on all ranks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    ranks: usize,
    runs: Vec<Run>,
}

/// Neighbours that are present on the same ranks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    elements: Range<usize>,
    /// By rank.
    present: Vec<bool>,
}

/// What becomes of a stretch when two subtrees meet, seen from one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meeting {
    Add,
    KeepMine,
    TakeTheirs,
}

impl Segments {
    /// A vector that is present everywhere.
    pub fn whole(elements: usize, ranks: usize) -> Self {
        Self::new(&[elements], &vec![[true]; ranks])
    }

    /// Stretches of these lengths (in elements), one after the other; `present[rank][stretch]` says who has them. All
    /// ranks give the same.
    ///
    /// # Panics
    /// If a rank does not say one thing of each stretch, or if there is no rank.
    pub fn new(lengths: &[usize], present: &[impl AsRef<[bool]>]) -> Self {
        assert!(!present.is_empty(), "no ranks");
        for (rank, present) in present.iter().enumerate() {
            let said = present.as_ref().len();
            assert_eq!(said, lengths.len(), "rank {rank} says of {said} segments whether it has them");
        }
        let mut runs: Vec<Run> = Vec::new();
        let mut begin = 0;
        for (index, length) in lengths.iter().enumerate() {
            let end = begin + length;
            let present: Vec<bool> = present.iter().map(|present| present.as_ref()[index]).collect();
            match runs.last_mut() {
                Some(last) if last.present == present => last.elements.end = end,
                _ => runs.push(Run { elements: begin..end, present }),
            }
            begin = end;
        }
        Self { ranks: present.len(), runs }
    }

    /// The length of the vector, in elements.
    pub fn elements(&self) -> usize {
        self.runs.last().map_or(0, |run| run.elements.end)
    }

    /// What to do with which elements of `kept` when the ranks `mine` meet the ranks `theirs`.
    fn meetings(
        &self,
        kept: &Range<usize>,
        mine: &Range<usize>,
        theirs: &Range<usize>,
    ) -> Vec<(Range<usize>, Meeting)> {
        let mut meetings: Vec<(Range<usize>, Meeting)> = Vec::new();
        for run in &self.runs {
            let elements = run.elements.start.max(kept.start)..run.elements.end.min(kept.end);
            if elements.is_empty() {
                continue;
            }
            let has = |ranks: &Range<usize>| run.present[ranks.clone()].contains(&true);
            let meeting = match (has(mine), has(theirs)) {
                (true, true) => Meeting::Add,
                (_, false) => Meeting::KeepMine,
                (false, true) => Meeting::TakeTheirs,
            };
            match meetings.last_mut() {
                Some((last, same)) if *same == meeting => last.end = elements.end,
                _ => meetings.push((elements, meeting)),
            }
        }
        meetings
    }
}

/// Replaces `values` on every rank by the sum over all ranks.
///
/// # Errors
/// As the wire; `values` are then worth nothing.
///
/// # Panics
/// If the number of ranks is no power of two, or `segments` are of another length or another number of ranks.
pub fn tree_sum<W: Wire + ?Sized>(wire: &mut W, values: &mut [f32], segments: &Segments) -> Result<(), W::Error> {
    scatter_sum(wire, values, segments)?;
    gather_ranges(wire, values)
}

/// The first half of [`tree_sum`]: of `values`, the range that is returned holds the sum over all ranks, and everything
/// else is worth nothing. The range is [`owned_range`]'s.
///
/// Several vectors can be summed so, combined, and gathered once.
///
/// # Errors
/// As the wire.
///
/// # Panics
/// If the number of ranks is no power of two, or `segments` are of another length or another number of ranks.
pub fn scatter_sum<W: Wire + ?Sized>(
    wire: &mut W,
    values: &mut [f32],
    segments: &Segments,
) -> Result<Range<usize>, W::Error> {
    let (rank, size) = (wire.rank(), wire.size());
    assert_eq!(segments.elements(), values.len(), "segments of another vector");
    assert_eq!(segments.ranks, size, "segments of another number of ranks");
    let mut owned = 0..values.len();
    for level in levels(values.len(), rank, size) {
        let subtree = |of: usize| of & !(level.distance - 1)..(of & !(level.distance - 1)) + level.distance;
        let meetings = segments.meetings(&level.kept, &subtree(rank), &subtree(level.partner));
        let (kept, given) = both(values, &level);
        let mut next = 0;
        wire.exchange_parts(level.partner, bytemuck::cast_slice(given), size_of_val(kept), &mut |at, bytes| {
            let begin = level.kept.start + at / size_of::<f32>();
            let part = begin..begin + bytes.len() / size_of::<f32>();
            while let Some((elements, meeting)) = meetings.get(next) {
                let met = elements.start.max(part.start)..elements.end.min(part.end);
                let theirs = &bytes[(met.start - begin) * size_of::<f32>()..(met.end - begin) * size_of::<f32>()];
                let mine = &mut kept[met.start - level.kept.start..met.end - level.kept.start];
                meet(mine, theirs, *meeting);
                if elements.end <= part.end {
                    next += 1;
                }
                if elements.end >= part.end {
                    break;
                }
            }
        })?;
        owned = level.kept;
    }
    Ok(owned)
}

/// The second half of [`tree_sum`]: every rank's [`owned_range`] is copied to all others.
///
/// # Errors
/// As the wire.
///
/// # Panics
/// If the number of ranks is no power of two.
pub fn gather_ranges<W: Wire + ?Sized>(wire: &mut W, values: &mut [f32]) -> Result<(), W::Error> {
    for level in levels(values.len(), wire.rank(), wire.size()).into_iter().rev() {
        let (kept, given) = both(values, &level);
        wire.exchange(level.partner, bytemuck::cast_slice(kept), bytemuck::cast_slice_mut(given))?;
    }
    Ok(())
}

/// The part of a vector whose sum `rank` of `size` owns between the two halves.
///
/// # Panics
/// If `size` is no power of two, or `rank` not below it.
pub fn owned_range(elements: usize, rank: usize, size: usize) -> Range<usize> {
    levels(elements, rank, size).pop().map_or(0..elements, |level| level.kept)
}

/// One exchange of the first half.
struct Level {
    distance: usize,
    partner: usize,
    /// The half that this rank adds up.
    kept: Range<usize>,
    /// The other half, which its partner adds up.
    given: Range<usize>,
}

fn levels(elements: usize, rank: usize, size: usize) -> Vec<Level> {
    assert!(size.is_power_of_two(), "{size} ranks, expected a power of two");
    assert!(rank < size, "rank {rank} of {size}");
    let mut owned = 0..elements;
    let mut levels = Vec::new();
    let mut distance = 1;
    while distance < size {
        let middle = owned.start + owned.len() / 2;
        let (lower, upper) = (owned.start..middle, middle..owned.end);
        let (kept, given) = if rank & distance == 0 { (lower, upper) } else { (upper, lower) };
        owned = kept.clone();
        levels.push(Level { distance, partner: rank ^ distance, kept, given });
        distance *= 2;
    }
    levels
}

/// The half that is kept and the half that is given, as two slices.
fn both<'a>(values: &'a mut [f32], level: &Level) -> (&'a mut [f32], &'a mut [f32]) {
    let (kept, given) = (&level.kept, &level.given);
    if kept.end <= given.start {
        let (left, right) = values[kept.start..given.end].split_at_mut(kept.len());
        (left, right)
    } else {
        let (left, right) = values[given.start..kept.end].split_at_mut(given.len());
        (right, left)
    }
}

/// `theirs` are the bytes of as many numbers, at any alignment.
///
/// Which side of the `+` they stand on is no matter: the sum of two floats has the same bits either way. (A NaN's payload
/// is not specified by Rust in any order.)
fn meet(mine: &mut [f32], theirs: &[u8], meeting: Meeting) {
    let numbers = theirs.as_chunks().0.iter().map(|bytes| f32::from_ne_bytes(*bytes));
    let pairs = mine.iter_mut().zip(numbers);
    match meeting {
        Meeting::KeepMine => {}
        Meeting::TakeTheirs => pairs.for_each(|(mine, theirs)| *mine = theirs),
        Meeting::Add => pairs.for_each(|(mine, theirs)| *mine += theirs),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::thread_wires;

    /// A small generator of its own: any numbers will do, as long as they are hard to add.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 32) as u32
        }

        fn float(&mut self) -> f32 {
            match self.next() % 16 {
                0 => -0.0,
                1 => 0.0,
                2 => f32::INFINITY,
                3 => f32::from_bits(self.next() % 0x80_0000),
                4 => -f32::from_bits(self.next() % 0x80_0000),
                5 => f32::MAX,
                // Of very different sizes, so that another order rounds otherwise.
                _ => (self.next() as f32 / u32::MAX as f32 - 0.5) * ((self.next() % 40) as f32).exp2(),
            }
        }
    }

    /// The sum that the module promises, of one element, by one thread.
    fn tree(values: &[Option<f32>]) -> Option<f32> {
        match values {
            [one] => *one,
            _ => {
                let (left, right) = values.split_at(values.len() / 2);
                match (tree(left), tree(right)) {
                    (Some(left), Some(right)) => Some(left + right),
                    (left, right) => left.or(right),
                }
            }
        }
    }

    /// Runs `work` on each rank, in a thread with a wire.
    fn on_ranks<T: Send>(size: usize, work: impl Fn(&mut crate::ThreadWire) -> T + Sync) -> Vec<T> {
        let work = &work;
        std::thread::scope(|scope| {
            let ranks: Vec<_> = thread_wires(size, Duration::from_secs(20))
                .into_iter()
                .map(|mut wire| scope.spawn(move || work(&mut wire)))
                .collect();
            ranks.into_iter().map(|rank| rank.join().expect("no panic")).collect()
        })
    }

    fn check(size: usize, lengths: &[usize], present: &[Vec<bool>], seed: u64) {
        let mut numbers = Numbers(seed);
        let elements = lengths.iter().sum();
        let vectors: Vec<Vec<f32>> = (0..size).map(|_| (0..elements).map(|_| numbers.float()).collect()).collect();
        let segments = Segments::new(lengths, present);
        let segment_of: Vec<usize> =
            lengths.iter().enumerate().flat_map(|(index, length)| vec![index; *length]).collect();
        let expected = |element: usize| {
            let of = |rank: usize| present[rank][segment_of[element]].then_some(vectors[rank][element]);
            tree(&(0..size).map(of).collect::<Vec<_>>())
        };
        let equal = |element: usize, got: f32| match expected(element) {
            Some(expected) if expected.is_nan() => got.is_nan(),
            Some(expected) => got.to_bits() == expected.to_bits(),
            None => true,
        };
        let sums = on_ranks(size, |wire| {
            let mut values = vectors[wire.rank()].clone();
            let owned = scatter_sum(wire, &mut values, &segments).expect("scatter");
            assert_eq!(owned, owned_range(elements, wire.rank(), size));
            assert!(
                owned.clone().all(|element| equal(element, values[element])),
                "{size} ranks, {lengths:?}: {owned:?}"
            );
            gather_ranges(wire, &mut values).expect("gather");
            let mut at_once = vectors[wire.rank()].clone();
            tree_sum(wire, &mut at_once, &segments).expect("sum");
            assert_eq!(bits(&at_once), bits(&values), "both halves apart are the whole");
            values
        });
        for (rank, sum) in sums.iter().enumerate() {
            assert_eq!(bits(sum), bits(&sums[0]), "rank {rank} of {size}, {lengths:?}");
            for (element, got) in sum.iter().enumerate() {
                assert!(equal(element, *got), "rank {rank} of {size}, {lengths:?}: element {element} is {got:e}");
            }
        }
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn every_rank_gets_the_sum_of_the_balanced_tree_bit_for_bit() {
        for size in [1, 2, 4, 8, 16] {
            for elements in [0, 1, 3, 17, 1000] {
                check(size, &[elements], &vec![vec![true]; size], (size * 10_000 + elements) as u64);
            }
        }
    }

    #[test]
    fn vectors_of_several_parts_are_summed_too() {
        // More than a part of a thread's wire per half.
        check(4, &[300_001], &vec![vec![true]; 4], 1);
    }

    #[test]
    fn absent_segments_are_left_out() {
        for size in [1, 2, 4, 8, 16] {
            for lengths in [&[1, 1, 1][..], &[0, 5, 0, 3, 9], &[17, 400, 1, 583, 0]] {
                for seed in 0..20 {
                    let mut numbers = Numbers(seed);
                    let present: Vec<Vec<bool>> = (0..size)
                        .map(|_| lengths.iter().map(|_| !numbers.next().is_multiple_of(3)).collect())
                        .collect();
                    check(size, lengths, &present, seed);
                }
            }
        }
        check(2, &[200_000, 200_000, 3], &[vec![true, false, true], vec![false, true, true]], 3);
    }

    #[test]
    fn a_negative_zero_that_nobody_else_has_stays_one() {
        let segments = Segments::new(&[1, 1], &[[true, false], [false, true]]);
        let sums = on_ranks(2, |wire| {
            let mut values = if wire.rank() == 0 { [-0.0, 7.0] } else { [7.0, f32::from_bits(0x7fc1_2345)] };
            tree_sum(wire, &mut values, &segments).expect("sum");
            bits(&values)
        });
        assert_eq!(sums, [[0x8000_0000, 0x7fc1_2345]; 2]);
    }

    #[test]
    fn owned_ranges_divide_the_vector() {
        for size in [1, 2, 4, 8, 16] {
            for elements in [0, 1, 3, 17, 1000] {
                let mut ranges: Vec<_> = (0..size).map(|rank| owned_range(elements, rank, size)).collect();
                ranges.sort_by_key(|range| (range.start, range.end));
                assert_eq!(ranges.iter().map(ExactSizeIterator::len).sum::<usize>(), elements);
                assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start), "{ranges:?}");
                assert!(ranges.iter().all(|range| range.len() <= elements.div_ceil(size)), "{ranges:?}");
            }
        }
    }

    #[test]
    fn neighbours_on_the_same_ranks_are_one_run() {
        let segments = Segments::new(&[3, 4, 5], &[[true, true, false], [false, false, true]]);
        assert_eq!(segments.runs.len(), 2);
        assert_eq!(segments.elements(), 12);
        assert_eq!(Segments::whole(12, 2).runs.len(), 1);
    }

    #[test]
    #[should_panic(expected = "3 ranks, expected a power of two")]
    fn other_numbers_of_ranks_are_refused() {
        owned_range(10, 0, 3);
    }
}
