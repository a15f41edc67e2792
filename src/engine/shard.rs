//! The gradient of a batch: defined over fixed micro-shards and a fixed reduction tree.
//!
//! A batch of n samples is cut into S shards, shard s holding samples `s·n/S .. (s+1)·n/S`. Shards are computed
//! independently, by whichever thread or worker, and added in a tree over s = 0..S that splits at the largest power of
//! two below its width; a shard without samples is left out of its sum. So the result depends on S and on the batch,
//! and on nothing else. Running statistics (batch norm's) start a step equal in every shard; after it each is the mean
//! of the shards' new values, weighted by their samples and added in the same tree. Workers that divide S own whole subtrees when S is a power of two.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::parameter::ByPath;

/// The samples of shard `shard` of `shards`, as places in a batch of `samples`.
pub(super) fn shard_range(shard: usize, shards: usize, samples: usize) -> Range<usize> {
    shard * samples / shards..(shard + 1) * samples / shards
}

/// Adds the leaves in the documented tree; `None` leaves are left out.
pub(super) fn tree_sum<T>(leaves: Vec<Option<T>>, add: &mut impl FnMut(T, T) -> T) -> Option<T> {
    fn sum<T>(leaves: &mut [Option<T>], add: &mut impl FnMut(T, T) -> T) -> Option<T> {
        match leaves {
            [] => None,
            [leaf] => leaf.take(),
            _ => {
                let middle = 1 << (usize::BITS - 1 - (leaves.len() - 1).leading_zeros());
                let (left, right) = leaves.split_at_mut(middle);
                match (sum(left, add), sum(right, add)) {
                    (Some(left), Some(right)) => Some(add(left, right)),
                    (left, right) => left.or(right),
                }
            }
        }
    }
    let mut leaves = leaves;
    sum(&mut leaves, add)
}

/// Samples that are computed together, and how many they are.
#[derive(Debug)]
pub(super) struct Shard<T> {
    /// The samples.
    pub batch: T,
    /// How many.
    pub samples: usize,
}

/// A leaf of a step's tree, with its number among all shards of the step; `None` where it has no samples.
pub(super) type Leaf<T> = Option<(usize, Shard<T>)>;

/// A worker's shards of one optimizer step.
#[derive(Debug)]
pub(super) struct StepShards<T> {
    /// Subtrees of the step's tree, in order: all of it where there is one worker, else one of each batch. Each is its leaves.
    pub subtrees: Vec<Vec<Leaf<T>>>,
    /// How many of a subtree's leaves are of the same batch.
    pub per_batch: usize,
    /// Samples of the step, those of other workers included.
    pub samples: usize,
}

/// What one shard contributes: the sums over its samples.
#[derive(Debug, Clone)]
pub(super) struct ShardGradient<B: Backend> {
    /// Sum of the losses.
    pub loss: f32,
    /// Sum of the gradients.
    pub gradients: ByPath<B>,
    /// New values of the running statistics, times the number of samples.
    pub running: ByPath<B>,
}

impl<B: Backend> ShardGradient<B> {
    /// The sum of two contributions; a parameter that only one of them used keeps that one's gradient.
    pub fn combine(self, other: Self) -> Self {
        Self {
            loss: self.loss + other.loss,
            gradients: sum(self.gradients, other.gradients),
            running: sum(self.running, other.running),
        }
    }

    /// Mean over `samples`: one division per element.
    pub fn mean(self, samples: usize) -> Self {
        let count = samples as f32;
        let divided = |sums: ByPath<B>| sums.into_iter().map(|(path, sum)| (path, sum.div_scalar(count))).collect();
        Self { loss: self.loss / count, gradients: divided(self.gradients), running: divided(self.running) }
    }

    /// The gradients divided by the power of two that the loss was multiplied by. The loss is kept as it was before.
    pub fn unscale(self, factor: f32) -> Self {
        let gradients = self.gradients.into_iter().map(|(path, g)| (path, g.div_scalar(factor))).collect();
        Self { gradients, ..self }
    }

    /// Euclidean norm over all gradients: squares summed per parameter, parameters added in path order.
    pub fn norm(&self) -> f32 {
        let squares = self.gradients.values().map(|gradient| {
            let square: Tensor<B, 1> = gradient.clone() * gradient.clone();
            super::parameter::to_host(&square.sum())[0]
        });
        squares.fold(0.0, |total: f32, square| total + square).sqrt()
    }

    /// Scales the gradients down so that their norm is at most `bound`: by `bound / (norm + 1e-6)`, as PyTorch does.
    pub fn clip(self, norm: f32, bound: Option<f64>) -> Self {
        match bound {
            Some(bound) if norm > bound as f32 => {
                let factor = bound as f32 / (norm + 1e-6);
                let gradients = self.gradients.into_iter().map(|(path, g)| (path, g.mul_scalar(factor))).collect();
                Self { gradients, ..self }
            }
            _ => self,
        }
    }
}

/// Sums by path; a path that only one side has keeps that side's value.
fn sum<B: Backend>(mut left: ByPath<B>, right: ByPath<B>) -> ByPath<B> {
    for (path, right) in right {
        let sum = match left.remove(&path) {
            Some(left) => left + right,
            None => right,
        };
        left.insert(path, sum);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(leaves: &[bool]) -> Option<String> {
        let leaves = leaves.iter().enumerate().map(|(i, &there)| there.then(|| i.to_string())).collect();
        tree_sum(leaves, &mut |left, right| format!("({left} {right})"))
    }

    #[test]
    fn the_tree_has_its_documented_shape_and_leaves_out_empty_shards() {
        assert_eq!(shape(&[true; 5]).as_deref(), Some("(((0 1) (2 3)) 4)"));
        assert_eq!(shape(&[true; 6]).as_deref(), Some("(((0 1) (2 3)) (4 5))"));
        assert_eq!(shape(&[false, true, false, true]).as_deref(), Some("(1 3)"));
        assert_eq!(shape(&[false, false]), None);
        assert_eq!(shape(&[]), None);
    }

    #[test]
    fn shards_cover_a_batch_once_and_in_order() {
        for samples in 0..40 {
            for shards in 1..20 {
                let covered: Vec<_> = (0..shards).flat_map(|s| shard_range(s, shards, samples)).collect();
                assert_eq!(covered, (0..samples).collect::<Vec<_>>());
            }
        }
    }
}
