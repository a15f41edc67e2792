//! Convolutions and their gradients, a part that fits a core's cache at a time: its columns, and at once the product.
//!
//! Which matrix products these are is in [`convolution`](super::super::convolution); the chain of every element is theirs.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::ops::matmul::BLOCK;
use super::super::window::Window;
use super::cache::l2_bytes;
use super::chunks::{filled, write_copy};
use super::columns::{Starts, columns_at, sum_plane};
use super::gemm::{PARALLEL_WORK, Size, View, gemm_columns};
use super::level::Level;
use super::scratch::with_scratch;
use super::team::{Shared, Team};

/// Parts per thread, so that a thread that is interrupted does not hold up the others.
const TASKS_PER_THREAD: usize = 4;
/// Positions of a part are a multiple of this: whole panels of every tile.
const POSITIONS: usize = 192;
/// Values of the partial products of a gradient that are kept at a time.
const PARTIALS: usize = 1 << 20;
/// Values of a gradient of which many are kept at a time.
const SMALL_GRADIENT: usize = PARTIALS / 16;

/// What slides over what.
#[derive(Debug, Clone, Copy)]
pub struct Convolution<'a> {
    /// The window.
    pub window: &'a Window,
    /// Samples.
    pub batch: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Channels of a group of the images under the window.
    pub channels: usize,
    /// Channels of a group of what lies at the window's positions.
    pub others: usize,
}

impl Convolution<'_> {
    /// Rows of the columns of a group.
    fn depth(&self) -> usize {
        self.channels * self.window.kernels()
    }

    /// Whether [`convolve_weight`] is worth it: it keeps a gradient for each block of positions, and shares out nothing else.
    pub fn has_small_gradient(&self) -> bool {
        let blocks = (self.batch * self.window.outputs()).div_ceil(BLOCK);
        self.groups * self.depth() * self.others <= SMALL_GRADIENT && blocks * self.groups >= self.team().threads()
    }

    fn team(&self) -> Team {
        let work = [self.batch, self.groups, self.depth(), self.others, self.window.outputs()];
        let work = work.into_iter().fold(1, usize::saturating_mul);
        if work < PARALLEL_WORK { Team::Caller } else { Team::Pool }
    }

    /// The images of a group of a sample.
    fn images<'v>(&self, values: &'v [f32], sample: usize, group: usize) -> &'v [f32] {
        let length = self.channels * self.window.inputs();
        &values[(sample * self.groups + group) * length..][..length]
    }
}

/// How many values half of the L2 cache holds.
fn cached() -> usize {
    l2_bytes() / 2 / size_of::<f32>()
}

/// Window positions of a part: as many as keep `rows` of them in the cache, and as leave a part for each thread.
fn positions_of_a_part(convolution: &Convolution<'_>, rows: usize, team: Team) -> usize {
    let outputs = convolution.window.outputs();
    let in_cache = (cached() / rows).max(POSITIONS) / POSITIONS * POSITIONS;
    let parts = (TASKS_PER_THREAD * team.threads()).div_ceil(convolution.batch * convolution.groups);
    let fair = outputs.div_ceil(parts).next_multiple_of(POSITIONS);
    in_cache.min(fair).min(outputs)
}

/// `weight`, `[groups, others, channels · kernel positions]`, times the columns of `images`, `[batch, groups · channels,
/// ..]`: `[batch, groups · others, window positions]`. Nothing of it is empty.
///
/// # Panics
/// When a slice has another length.
pub fn convolve(level: Level, convolution: &Convolution<'_>, images: &[f32], weight: &[f32]) -> Vec<f32> {
    let &Convolution { window, batch, groups, others, .. } = convolution;
    let (outputs, depth, team) = (window.outputs(), convolution.depth(), convolution.team());
    assert_eq!(images.len(), batch * groups * convolution.channels * window.inputs(), "images of a convolution");
    assert_eq!(weight.len(), groups * others * depth, "weight of a convolution");
    let width = positions_of_a_part(convolution, depth, team);
    let parts = outputs.div_ceil(width);
    written(batch * groups * others * outputs, |out| {
        team.run(batch * groups * parts, |task| {
            let (image, part) = (task / parts, task % parts);
            let (sample, group) = (image / groups, image % groups);
            let positions = part * width..outputs.min((part + 1) * width);
            let size = Size { m: others, k: depth, n: positions.len() };
            let left = rows(&weight[group * others * depth..][..others * depth], depth);
            with_scratch(depth * size.n, |columns| {
                columns_at(
                    level,
                    convolution.images(images, sample, group),
                    window,
                    positions.clone(),
                    columns,
                    (size.n, 0),
                );
                let out = out.at(image * others * outputs + positions.start);
                // SAFETY: the part is `others` rows inside the output, `outputs` apart, and each part has its own.
                unsafe { gemm_columns(level, size, left, rows(columns, size.n), out, outputs) };
            });
        });
    })
}

/// The sums of the columns that are the transposed `weight`, `[groups, others, channels · kernel positions]`, times
/// `positions`, `[batch, groups · others, window positions]`: images `[batch, groups · channels, ..]`. Nothing of it is
/// empty.
///
/// # Panics
/// When a slice has another length.
pub fn convolve_transposed(level: Level, convolution: &Convolution<'_>, positions: &[f32], weight: &[f32]) -> Vec<f32> {
    let &Convolution { window, batch, groups, channels, others } = convolution;
    let (inputs, outputs, kernels) = (window.inputs(), window.outputs(), window.kernels());
    let (depth, team) = (convolution.depth(), convolution.team());
    assert_eq!(positions.len(), batch * groups * others * outputs, "positions of a transposed convolution");
    assert_eq!(weight.len(), groups * others * depth, "weight of a transposed convolution");
    let starts = Starts::of(window);
    let tasks = (TASKS_PER_THREAD * team.threads()).div_ceil(batch * groups);
    let at_once = (cached() / (kernels * outputs)).clamp(1, channels).min(channels.div_ceil(tasks));
    let parts = channels.div_ceil(at_once);
    written(batch * groups * channels * inputs, |out| {
        team.run(batch * groups * parts, |task| {
            let (image, part) = (task / parts, task % parts);
            let channels_of_part = part * at_once..channels.min((part + 1) * at_once);
            let size = Size { m: channels_of_part.len() * kernels, k: others, n: outputs };
            let weight = View {
                values: weight,
                offset: image % groups * others * depth + channels_of_part.start * kernels,
                row_stride: 1,
                column_stride: depth,
            };
            let right = rows(&positions[image * others * outputs..][..others * outputs], outputs);
            with_scratch(size.m * outputs, |columns| {
                // SAFETY: the rows follow one another in memory that is this task's own.
                unsafe { gemm_columns(level, size, weight, right, columns.as_mut_ptr(), outputs) };
                let first = (image * channels + channels_of_part.start) * inputs;
                let images = out.at(first).cast::<MaybeUninit<f32>>();
                // SAFETY: the part is a number of whole images inside the output, and each part has its own.
                let images = unsafe { std::slice::from_raw_parts_mut(images, channels_of_part.len() * inputs) };
                for (columns, image) in columns.chunks_exact(kernels * outputs).zip(images.chunks_exact_mut(inputs)) {
                    sum_plane(columns, window, &starts, image);
                }
            });
        });
    })
}

/// The columns of `images`, `[batch, groups · channels, ..]`, times `positions`, `[batch, groups · others, window positions]`,
/// over samples and window positions: `[groups, channels · kernel positions, others]`. Nothing of it is empty.
///
/// # Panics
/// When a slice has another length.
pub fn convolve_weight(level: Level, convolution: &Convolution<'_>, images: &[f32], positions: &[f32]) -> Vec<f32> {
    let &Convolution { window, batch, groups, channels, others } = convolution;
    let (outputs, depth, team) = (window.outputs(), convolution.depth(), convolution.team());
    assert_eq!(images.len(), batch * groups * channels * window.inputs(), "images of a convolution");
    assert_eq!(positions.len(), batch * groups * others * outputs, "positions of a convolution");
    let inner = batch * outputs;
    let length = groups * others * depth;
    let blocks: Vec<Range<usize>> = (0..inner).step_by(BLOCK).map(|start| start..inner.min(start + BLOCK)).collect();
    let at_once = (PARTIALS / length).max(1);
    let mut sums: Vec<f32> = Vec::new();
    for blocks in blocks.chunks(at_once) {
        let partials = written(blocks.len() * length, |out| {
            team.run(blocks.len() * groups, |task| {
                let (block, group) = (task / groups, task % groups);
                let range = blocks[block].clone();
                let size = Size { m: depth, k: range.len(), n: others };
                with_scratch((depth + others) * size.k, |scratch| {
                    let (columns, at) = scratch.split_at_mut(depth * size.k);
                    // A block may go on from one sample to the next.
                    for part in samples_of(range.clone(), outputs) {
                        let (sample, first) = (part.start / outputs, part.start % outputs);
                        let (width, place) = (part.len(), part.start - range.start);
                        let own = first..first + width;
                        let images = convolution.images(images, sample, group);
                        let positions = &positions[(sample * groups + group) * others * outputs..][..others * outputs];
                        columns_at(level, images, window, own.clone(), columns, (size.k, place));
                        for (to, from) in at.chunks_exact_mut(size.k).zip(positions.chunks_exact(outputs)) {
                            to[place..place + width].copy_from_slice(&from[own.clone()]);
                        }
                    }
                    let right = View { values: at, offset: 0, row_stride: 1, column_stride: size.k };
                    let out = out.at(block * length + group * depth * others);
                    // SAFETY: each block and group has rows of its own inside the partial products.
                    unsafe { gemm_columns(level, size, rows(columns, size.k), right, out, others) };
                });
            });
        });
        // What was summed up before, if anything, comes first.
        let rows: Vec<&[f32]> = sums.chunks_exact(length).chain(partials.chunks_exact(length)).collect();
        let (first, others) = rows.split_first().expect("a block");
        sums = filled(length, |start, out| add(first, others, start, out));
    }
    sums
}

/// `first` + the others in their order, from element `start` on.
fn add(first: &[f32], others: &[&[f32]], start: usize, out: &mut [MaybeUninit<f32>]) {
    let first = &first[start..][..out.len()];
    let out = write_copy(out, first);
    for other in others {
        out.iter_mut().zip(&other[start..]).for_each(|(out, other)| *out += other);
    }
}

/// The parts of a range of (sample, window position) that are of one sample each.
fn samples_of(range: Range<usize>, outputs: usize) -> impl Iterator<Item = Range<usize>> {
    (range.start / outputs..range.end.div_ceil(outputs))
        .map(move |sample| range.start.max(sample * outputs)..range.end.min((sample + 1) * outputs))
}

/// A matrix whose rows follow one another.
fn rows(values: &[f32], width: usize) -> View<'_> {
    View { values, offset: 0, row_stride: width, column_stride: 1 }
}

/// A vector of which `write` writes all.
fn written(length: usize, write: impl FnOnce(&Shared)) -> Vec<f32> {
    let mut out = Vec::with_capacity(length);
    write(&Shared::new(out.as_mut_ptr()));
    // SAFETY: all of it is written: the tasks of each function here cover its output.
    unsafe { out.set_len(length) };
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::ops;
    use super::super::super::ops::fma::Fused;
    use super::super::super::ops::matmul::dot;
    use super::super::super::window::{Axis, tests::random_axis};
    use super::super::adversarial::{adversarial, bits, on_threads};
    use super::*;
    use crate::rng::{CounterRng, Stream};

    /// Windows of one to three axes, with groups; the last ones have more positions than a part, and than a block.
    fn cases() -> Vec<(Window, [usize; 4])> {
        let rng = CounterRng::new(9, Stream::workload(3), 0);
        let random = (0..40).map(|index| {
            let axis = |k: u64| random_axis(rng, 3 * index + k);
            let axes = match index % 3 {
                0 => [Axis::NONE, Axis::NONE, axis(0)],
                1 => [Axis::NONE, axis(0), axis(1)],
                _ => [axis(0), axis(1), axis(2)],
            };
            let index = index as usize;
            (Window { axes }, [1 + index % 3, 1 + index / 3 % 2, 1 + index % 4, 1 + index % 5])
        });
        let side = |input: usize, stride: usize| {
            let output = (input + 2 - 3) / stride + 1;
            Axis { input, kernel: 3, stride, padding: 1, dilation: 1, output }
        };
        let large = [
            (Window { axes: [Axis::NONE, side(21, 1), side(33, 1)] }, [3, 1, 4, 7]),
            (Window { axes: [Axis::NONE, side(40, 2), side(37, 2)] }, [2, 2, 3, 5]),
        ];
        let inside = |(window, _): &(Window, [usize; 4])| window.inputs() > 0 && window.outputs() > 0;
        random.filter(inside).chain(large).collect()
    }

    fn check(fast: impl Fn(Level) -> Vec<f32> + Send + Sync, expected: &[f32], what: &str) {
        let expected = bits(expected.iter().copied());
        for level in Level::available() {
            for threads in [1, 2, 5, 16] {
                assert_eq!(bits(on_threads(threads, || fast(level))), expected, "{what} {level:?} {threads} threads");
            }
        }
    }

    #[test]
    fn convolutions_and_gradients_are_the_products_of_whole_columns() {
        for (seed, (window, [batch, groups, channels, others])) in cases().into_iter().enumerate() {
            let convolution = Convolution { window: &window, batch, groups, channels, others };
            let (depth, outputs, seed) = (convolution.depth(), window.outputs(), seed as u64);
            let images = adversarial(batch * groups * channels * window.inputs(), seed);
            let weight = adversarial(groups * others * depth, seed + 100);
            let positions = adversarial(batch * groups * others * outputs, seed + 200);
            // [groups · depth, batch, outputs]
            let columns = ops::columns::columns(&images, batch, groups * channels, &window);
            let column = |group: usize, sample: usize, at: usize| -> Vec<f32> {
                (0..depth).map(|row| columns[((group * depth + row) * batch + sample) * outputs + at]).collect()
            };
            let (mut convolved, mut turned) = (Vec::new(), Vec::new());
            for (sample, group) in (0..batch).flat_map(|sample| (0..groups).map(move |group| (sample, group))) {
                for other in 0..others {
                    let row = &weight[(group * others + other) * depth..][..depth];
                    convolved.extend((0..outputs).map(|at| dot::<Fused>(row, &column(group, sample, at))));
                }
                let place = |other: usize, at: usize| ((sample * groups + group) * others + other) * outputs + at;
                for row in 0..depth {
                    let own: Vec<f32> =
                        (0..others).map(|other| weight[(group * others + other) * depth + row]).collect();
                    turned.extend((0..outputs).map(|at| {
                        let there: Vec<f32> = (0..others).map(|other| positions[place(other, at)]).collect();
                        dot::<Fused>(&own, &there)
                    }));
                }
            }
            let mut gradient = Vec::new();
            for (group, row) in (0..groups).flat_map(|group| (0..depth).map(move |row| (group, row))) {
                let row = &columns[(group * depth + row) * batch * outputs..][..batch * outputs];
                for other in 0..others {
                    let of =
                        |sample: usize| &positions[((sample * groups + group) * others + other) * outputs..][..outputs];
                    gradient.push(dot::<Fused>(row, &(0..batch).flat_map(of).copied().collect::<Vec<_>>()));
                }
            }
            let images_of = ops::columns::sum_columns(&turned, batch, groups * channels, &window);
            let what = format!("{window:?} {batch} {groups} {channels} {others}");
            check(|level| convolve(level, &convolution, &images, &weight), &convolved, &what);
            check(|level| convolve_transposed(level, &convolution, &positions, &weight), &images_of, &what);
            check(|level| convolve_weight(level, &convolution, &images, &positions), &gradient, &what);
        }
    }
}
