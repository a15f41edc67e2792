//! The gradients of a step, as a row of numbers, and their sum over all workers.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use repro_ranks::{Segments, gather_ranges, scatter_sum};

use super::member::{Meeting, Member, PartWord, StepWord, WorkerError};
use crate::engine::parameter::{self, ByPath};
use crate::engine::shard::{ShardGradient, tree_sum};

/// Which numbers stand where in a row: the gradients of the trained parameters, then the running statistics, each in path order.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Layout {
    /// The paths of the gradients, then those of the running statistics.
    paths: Vec<String>,
    /// How many of them are gradients'.
    gradients: usize,
    /// How many numbers each has.
    lengths: Vec<usize>,
    /// Where in the row each stands.
    places: Vec<Range<usize>>,
}

impl Layout {
    /// The layout for parameters and running statistics of these paths and lengths.
    pub fn new(gradients: &[(String, usize)], running: &[(String, usize)]) -> Self {
        let (paths, lengths): (Vec<_>, Vec<_>) = gradients.iter().chain(running).cloned().unzip();
        let mut end = 0;
        let mut place = |length: &usize| {
            end += length;
            end - length..end
        };
        let places = lengths.iter().map(&mut place).collect();
        Self { paths, gradients: gradients.len(), lengths, places }
    }

    /// One sum's tensors, each at its place.
    fn values<'a, B: Backend>(&self, sum: &'a ShardGradient<B>) -> Vec<Option<&'a Tensor<B, 1>>> {
        let of = |(number, path)| if number < self.gradients { &sum.gradients } else { &sum.running }.get(path);
        self.paths.iter().enumerate().map(of).collect()
    }

    /// What a worker says of its own sum of a batch.
    fn word<B: Backend>(&self, sum: &ShardGradient<B>) -> PartWord {
        let values = self.values(sum);
        let absent = (0..values.len()).filter(|&number| values[number].is_none()).collect();
        PartWord { loss_bits: sum.loss.to_bits(), absent }
    }

    /// The row of a sum; nothing in particular where something is absent.
    fn row<B: Backend>(&self, sum: Option<&ShardGradient<B>>) -> Vec<f32> {
        let mut row = vec![0.0; self.places.last().map_or(0, |last| last.end)];
        if let Some(sum) = sum {
            for (value, place) in self.values(sum).into_iter().zip(&self.places) {
                if let Some(value) = value {
                    row[place.clone()].copy_from_slice(&parameter::to_host(value));
                }
            }
        }
        row
    }

    /// What a worker has, by its word.
    fn there(&self, word: Option<&PartWord>) -> Vec<bool> {
        let mut there = vec![word.is_some(); self.paths.len()];
        for &number in word.iter().flat_map(|word| &word.absent) {
            if let Some(there) = there.get_mut(number) {
                *there = false;
            }
        }
        there
    }

    /// Adds two batches' parts of a row, which begin at `start`; what only one of them has is that one's.
    fn merge(&self, start: usize, mut left: Part, right: Part) -> Part {
        let end = start + left.numbers.len();
        for (place, (left_there, right_there)) in self.places.iter().zip(left.there.iter_mut().zip(right.there)) {
            let part = place.start.clamp(start, end) - start..place.end.clamp(start, end) - start;
            let (left, right) = (&mut left.numbers[part.clone()], &right.numbers[part]);
            match (*left_there, right_there) {
                (true, true) => left.iter_mut().zip(right).for_each(|(left, right)| *left += right),
                (false, true) => left.copy_from_slice(right),
                (_, false) => {}
            }
            *left_there |= right_there;
        }
        left
    }

    /// The way back of [`row`](Self::row).
    fn sum<B: Backend>(&self, row: &[f32], there: &[bool], loss: f32, device: &B::Device) -> ShardGradient<B> {
        let (mut gradients, mut running) = (ByPath::new(), ByPath::new());
        for (number, place) in self.places.iter().enumerate().filter(|(number, _)| there[*number]) {
            let values = parameter::from_host(row[place.clone()].to_vec(), device);
            let kind = if number < self.gradients { &mut gradients } else { &mut running };
            kind.insert(self.paths[number].clone(), values);
        }
        ShardGradient { loss, gradients, running }
    }
}

/// A worker's part of a batch's row, and what of the whole row any worker has.
struct Part {
    numbers: Vec<f32>,
    there: Vec<bool>,
}

/// The sum over the batches of a step, of all workers.
#[derive(Debug)]
pub(in crate::engine) struct Total<B: Backend> {
    /// The sum.
    pub sum: ShardGradient<B>,
    /// The first worker whose own loss is not finite.
    pub infinite: Option<usize>,
}

impl Member {
    /// Adds up what the workers have of each batch of a step, in the tree over the workers, and these sums over the batches.
    ///
    /// `None` when the leader has ended the run.
    ///
    /// # Errors
    /// When one failed, drifted, is elsewhere or does not answer.
    ///
    /// # Panics
    /// When no worker has any sample.
    pub(in crate::engine) fn total<B: Backend>(
        &mut self,
        step: u64,
        layout: &Layout,
        mut own: Vec<Option<ShardGradient<B>>>,
        device: &B::Device,
    ) -> Result<Option<Total<B>>, WorkerError> {
        if self.size() == 1 {
            // One sum only: that of all batches.
            let sum = own.pop().flatten().expect("a step has samples");
            return Ok(Some(Total { sum, infinite: None }));
        }
        let parts = own.iter().map(|sum| sum.as_ref().map(|sum| layout.word(sum))).collect();
        let Meeting::Step(words) = self.meet(step, parts)? else { return Ok(None) };
        let wire = self.link().expect("several workers are linked").wire();
        let (mut batches, mut losses) = (Vec::with_capacity(own.len()), Vec::new());
        let (mut row, mut part) = (Vec::new(), 0..0);
        for (batch, sum) in own.iter().enumerate() {
            let words: Vec<_> = words.iter().map(|word: &StepWord| word.parts[batch].as_ref()).collect();
            let there: Vec<_> = words.iter().map(|word| layout.there(*word)).collect();
            row = layout.row(sum.as_ref());
            part = scatter_sum(wire, &mut row, &Segments::new(&layout.lengths, &there)).map_err(WorkerError::Link)?;
            let anywhere = |number| there.iter().any(|there| there[number]);
            let there = (0..layout.paths.len()).map(anywhere).collect();
            batches.push(Some(Part { numbers: row[part.clone()].to_vec(), there }));
            losses.extend(words.into_iter().map(|word| word.map(|word| f32::from_bits(word.loss_bits))));
        }
        let infinite = losses.iter().position(|loss| loss.is_some_and(|loss| !loss.is_finite()));
        let infinite = infinite.map(|place| place % words.len());
        // Batch by batch, each of as many leaves as there are workers, a power of two: the tree over all is that over the batches.
        let loss = tree_sum(losses, &mut |left, right| left + right).expect("a step has samples");
        let total =
            tree_sum(batches, &mut |left, right| layout.merge(part.start, left, right)).expect("a step has batches");
        row[part].copy_from_slice(&total.numbers);
        gather_ranges(wire, &mut row).map_err(WorkerError::Link)?;
        Ok(Some(Total { sum: layout.sum(&row, &total.there, loss, device), infinite }))
    }
}
