//! Batch norm with the numbers of [`ops::norm`](super::super::ops::norm), reading each tensor once.
//!
//! A task takes whole channels: it gathers one from all samples into memory that stays in the cache, where the sums and all that
//! follows from them are made. Where channels are fewer than threads, or too large for that, the sums are made block by block
//! of their tree, and there is a pass over the tensor for each of them.

use super::super::norm::{Gradients, Normalised};
use super::super::ops::fold::{BLOCK, LANES, fold, identity};
use super::super::ops::norm::{Affine, FOLD, Norm, Slope, Sums, squared};
use super::chunks::{CHUNK, in_rows, rows_of_a_task, write_copy};
use super::fold::whole_tree;
use super::level::{Level, per_level};
use super::scratch::with_scratch;
use super::team::{Shared, Team};

/// Most elements of a channel that one task takes whole: two tensors of them fit most cores' own cache.
const WHOLE: usize = 1 << 17;
/// Elements that are read together at least: a cache line.
const LINE: usize = 16;

/// The sizes of `[batch, channels, positions]`, none of them 0.
#[derive(Debug, Clone, Copy)]
pub struct Planes {
    /// Samples.
    pub batch: usize,
    /// Channels of each.
    pub channels: usize,
    /// Elements of each channel of each.
    pub positions: usize,
}

impl Planes {
    /// Elements of a channel.
    pub fn count(self) -> usize {
        self.batch * self.positions
    }

    fn elements(self) -> usize {
        self.count() * self.channels
    }

    /// Whether tasks that take whole channels have the cache for it, and each thread has one.
    pub fn has_small_channels(self) -> bool {
        self.count() <= WHOLE && (self.channels >= Team::Pool.threads() || self.elements() <= CHUNK)
    }

    /// Whether elements beside each other are of so many channels that each channel by itself is slow to go over.
    pub fn has_short_rows(self) -> bool {
        self.positions < LINE
    }

    /// That tensors and what there is one of for each channel have these sizes.
    fn check(self, tensors: &[&[f32]], of_channels: &[&[f32]]) {
        assert!(tensors.iter().all(|values| values.len() == self.elements()), "tensors of {self:?}");
        assert!(of_channels.iter().all(|values| values.len() == self.channels), "numbers of the channels of {self:?}");
    }

    /// How many channels a task takes `length` elements of.
    fn channels_of_a_task(self, length: usize) -> usize {
        rows_of_a_task(length).max(LINE.div_ceil(self.positions)).min(self.channels)
    }
}

/// [`Kernels::batch_norm`](super::super::kernels::Kernels::batch_norm) of whole channels.
///
/// # Panics
/// When a length is not that of the sizes.
pub fn forward(
    level: Level,
    planes: Planes,
    values: &[f32],
    [gamma, beta]: [&[f32]; 2],
    epsilon: f32,
) -> Normalised<Vec<f32>> {
    planes.check(&[values], &[gamma, beta]);
    let (count, at_once) = (planes.count(), planes.channels_of_a_task(planes.count()));
    let mut out = Vec::with_capacity(values.len());
    let (from, to) = (Shared::new(values.as_ptr().cast_mut()), Shared::new(out.as_mut_ptr()));
    let mut statistics = vec![[0.0; 3]; planes.channels];
    Team::Pool.run_on_parts(&mut statistics, at_once, |task, statistics| {
        let part = Part { planes, first: task * at_once, channels: statistics.len(), start: 0, length: count };
        with_scratch(statistics.len() * count, |scratch| {
            // SAFETY: the tensor has these channels, and nothing writes to it.
            unsafe { part.read(from, scratch) };
            for (channel, (values, found)) in scratch.chunks_exact_mut(count).zip(statistics).enumerate() {
                let channel = part.first + channel;
                let affine = Affine { gamma: gamma[channel], beta: beta[channel] };
                *found = per_level!(
                    level,
                    (values: &mut [f32] = values, affine: Affine = affine, epsilon: f32 = epsilon) -> [f32; 3],
                    forward_channel(values, affine, epsilon)
                );
            }
            // SAFETY: the memory has a place for every element, and these channels are of this task alone.
            unsafe { part.write(scratch, to) };
        });
    });
    // SAFETY: the tasks have written every channel.
    unsafe { out.set_len(values.len()) };
    let of = |index: usize| statistics.iter().map(|found| found[index]).collect();
    Normalised { out, mean: of(0), variance: of(1), std: of(2) }
}

/// Makes outputs of a channel's values; its mean, variance and std.
#[inline(always)]
fn forward_channel(values: &mut [f32], affine: Affine, epsilon: f32) -> [f32; 3] {
    let n = values.len() as f32;
    let mean = sum(Itself, values) / n;
    let variance = sum(Squared(mean), values) / n;
    let norm = Norm::new(mean, variance, epsilon);
    for value in values {
        *value = norm.output(affine, *value);
    }
    [mean, variance, norm.std]
}

/// [`Kernels::batch_norm_backward`](super::super::kernels::Kernels::batch_norm_backward) of whole channels.
///
/// # Panics
/// When a length is not that of the sizes.
pub fn backward(
    level: Level,
    planes: Planes,
    values: &[f32],
    gradient: &[f32],
    by: [&[f32]; 2],
    gamma: &[f32],
) -> Gradients<Vec<f32>> {
    planes.check(&[values, gradient], &[by[0], by[1], gamma]);
    let mut input = Vec::with_capacity(values.len());
    let from = Shared::new(gradient.as_ptr().cast_mut());
    // SAFETY: the lengths have been checked; the two lie apart.
    let [beta, gamma] = unsafe { backward_at(level, planes, values, from, Shared::new(input.as_mut_ptr()), by, gamma) };
    // SAFETY: every channel was written.
    unsafe { input.set_len(values.len()) };
    Gradients { input, gamma, beta }
}

/// The same, where the gradients of the inputs take the place of those of the outputs: those of γ and β.
///
/// # Panics
/// When a length is not that of the sizes.
pub fn backward_in_place(
    level: Level,
    planes: Planes,
    values: &[f32],
    gradient: &mut [f32],
    by: [&[f32]; 2],
    gamma: &[f32],
) -> [Vec<f32>; 2] {
    planes.check(&[values, gradient], &[by[0], by[1], gamma]);
    let place = Shared::new(gradient.as_mut_ptr());
    // SAFETY: the lengths have been checked.
    let [beta, gamma] = unsafe { backward_at(level, planes, values, place, place, by, gamma) };
    [gamma, beta]
}

/// dβ and dγ; `from` becomes dx at `to`, which may be the same place.
///
/// # Safety
/// Both have a place for each element, and nobody else uses them.
unsafe fn backward_at(
    level: Level,
    planes: Planes,
    values: &[f32],
    from: Shared,
    to: Shared,
    [mean, std]: [&[f32]; 2],
    gamma: &[f32],
) -> [Vec<f32>; 2] {
    let (count, at_once) = (planes.count(), planes.channels_of_a_task(planes.count()));
    let values = Shared::new(values.as_ptr().cast_mut());
    let mut found = vec![Sums { beta: 0.0, gamma: 0.0 }; planes.channels];
    Team::Pool.run_on_parts(&mut found, at_once, |task, found| {
        let part = Part { planes, first: task * at_once, channels: found.len(), start: 0, length: count };
        with_scratch(2 * found.len() * count, |scratch| {
            let (inputs, gradients) = scratch.split_at_mut(found.len() * count);
            // SAFETY: the tensors have these channels, and this task alone writes to them, later.
            unsafe {
                part.read(values, inputs);
                part.read(from, gradients);
            }
            let channels = inputs.chunks_exact_mut(count).zip(gradients.chunks_exact_mut(count));
            for (channel, ((inputs, gradients), found)) in channels.zip(found).enumerate() {
                let channel = part.first + channel;
                let norm = Norm { mean: mean[channel], std: std[channel] };
                let gamma = gamma[channel];
                *found = per_level!(
                    level,
                    (inputs: &mut [f32] = inputs, gradients: &mut [f32] = gradients, norm: Norm = norm, gamma: f32 = gamma) -> Sums,
                    backward_channel(inputs, gradients, norm, gamma)
                );
            }
            // SAFETY: the caller guarantees the place, and these channels are of this task alone.
            unsafe { part.write(gradients, to) };
        });
    });
    [found.iter().map(|sums| sums.beta).collect(), found.iter().map(|sums| sums.gamma).collect()]
}

/// Makes gradients of a channel's inputs of those of its outputs; what is in place of the inputs means nothing any more.
#[inline(always)]
fn backward_channel(inputs: &mut [f32], gradients: &mut [f32], norm: Norm, gamma: f32) -> Sums {
    let blocks = inputs.len().div_ceil(BLOCK);
    let (mut betas, mut gammas) = (Vec::with_capacity(blocks), Vec::with_capacity(blocks));
    for (inputs, gradients) in inputs.chunks_mut(BLOCK).zip(gradients.chunks(BLOCK)) {
        let sums = gradient_block(norm, inputs, gradients);
        betas.push(sums.beta);
        gammas.push(sums.gamma);
    }
    let sums = Sums { beta: fold(FOLD, &betas), gamma: fold(FOLD, &gammas) };
    let slope = Slope::new(norm.std, gamma, sums, inputs.len() as f32);
    for (normalised, gradient) in inputs.iter().zip(gradients) {
        *gradient = slope.gradient(*normalised, *gradient);
    }
    sums
}

/// [`Kernels::channel_sums`](super::super::kernels::Kernels::channel_sums).
///
/// # Panics
/// When a length is not that of the sizes; the same holds for what follows.
pub fn channel_sums(level: Level, planes: Planes, values: &[f32]) -> Vec<f32> {
    planes.check(&[values], &[]);
    let [sums, _] = in_blocks(planes, &[values], |_, values, _| {
        [per_level!(level, (values: &[f32] = values) -> f32, block(Itself, values)), 0.0]
    });
    sums
}

/// [`Kernels::channel_squares`](super::super::kernels::Kernels::channel_squares).
pub fn channel_squares(level: Level, planes: Planes, values: &[f32], mean: &[f32]) -> Vec<f32> {
    planes.check(&[values], &[mean]);
    let [sums, _] = in_blocks(planes, &[values], |channel, values, _| {
        let mean = mean[channel];
        [per_level!(level, (mean: f32 = mean, values: &[f32] = values) -> f32, block(Squared(mean), values)), 0.0]
    });
    sums
}

/// [`Kernels::gradient_sums`](super::super::kernels::Kernels::gradient_sums).
pub fn gradient_sums(
    level: Level,
    planes: Planes,
    values: &[f32],
    gradient: &[f32],
    [mean, std]: [&[f32]; 2],
) -> [Vec<f32>; 2] {
    planes.check(&[values, gradient], &[mean, std]);
    in_blocks(planes, &[values, gradient], |channel, values, gradient| {
        let norm = Norm { mean: mean[channel], std: std[channel] };
        let Sums { beta, gamma } = per_level!(
            level,
            (norm: Norm = norm, values: &mut [f32] = values, gradient: &[f32] = gradient) -> Sums,
            gradient_block(norm, values, gradient)
        );
        [beta, gamma]
    })
}

/// Two sums over each channel, of what `sums` makes of each of its blocks in one or two tensors.
fn in_blocks(
    planes: Planes,
    tensors: &[&[f32]],
    sums: impl Fn(usize, &mut [f32], &mut [f32]) -> [f32; 2] + Sync,
) -> [Vec<f32>; 2] {
    let (count, blocks) = (planes.count(), planes.count().div_ceil(BLOCK));
    let at_once = planes.channels_of_a_task(count.min(BLOCK));
    let groups = planes.channels.div_ceil(at_once);
    let tensors: Vec<Shared> = tensors.iter().map(|values| Shared::new(values.as_ptr().cast_mut())).collect();
    let mut partials = [0; 2].map(|_| vec![0.0; planes.channels * blocks]);
    let places = partials.each_mut().map(|partials| Shared::new(partials.as_mut_ptr()));
    Team::Pool.run(groups * blocks, |task| {
        // Tasks that follow one another read what follows in memory.
        let (block, first) = (task / groups, task % groups * at_once);
        let (start, channels) = (block * BLOCK, at_once.min(planes.channels - first));
        let part = Part { planes, first, channels, start, length: BLOCK.min(count - start) };
        let elements = channels * part.length;
        with_scratch(tensors.len() * elements, |scratch| {
            for (tensor, scratch) in tensors.iter().zip(scratch.chunks_exact_mut(elements)) {
                // SAFETY: the tensors have these channels, and nobody writes to them.
                unsafe { part.read(*tensor, scratch) };
            }
            let (one, other) = scratch.split_at_mut(elements);
            for channel in 0..channels {
                let elements = channel * part.length..(channel + 1) * part.length;
                let other = other.get_mut(elements.clone()).unwrap_or_default();
                let channel = first + channel;
                for (place, sum) in places.iter().zip(sums(channel, &mut one[elements.clone()], other)) {
                    // SAFETY: the vectors have a place for each block of each channel, and this one is of this task alone.
                    unsafe { *place.at(channel * blocks + block) = sum };
                }
            }
        });
    });
    partials.map(|partials| partials.chunks_exact(blocks).map(|partials| fold(FOLD, partials)).collect())
}

/// [`Kernels::normalise`](super::super::kernels::Kernels::normalise).
pub fn normalise(
    level: Level,
    planes: Planes,
    values: &[f32],
    [mean, std]: [&[f32]; 2],
    [gamma, beta]: [&[f32]; 2],
) -> Vec<f32> {
    planes.check(&[values], &[mean, std, gamma, beta]);
    let mut out = Vec::with_capacity(values.len());
    let rows = &mut out.spare_capacity_mut()[..values.len()];
    in_rows(rows, planes.positions, planes.positions, |row, out| {
        let channel = row % planes.channels;
        let norm = Norm { mean: mean[channel], std: std[channel] };
        let affine = Affine { gamma: gamma[channel], beta: beta[channel] };
        let out = write_copy(out, &values[row * planes.positions..][..planes.positions]);
        per_level!(
            level,
            (out: &mut [f32] = out, norm: Norm = norm, affine: Affine = affine),
            normalise_row(out, norm, affine)
        );
    });
    // SAFETY: every row was written.
    unsafe { out.set_len(values.len()) };
    out
}

#[inline(always)]
fn normalise_row(values: &mut [f32], norm: Norm, affine: Affine) {
    for value in values {
        *value = norm.output(affine, *value);
    }
}

/// [`Kernels::input_gradient`](super::super::kernels::Kernels::input_gradient).
pub fn input_gradient(
    level: Level,
    planes: Planes,
    values: &[f32],
    gradient: &[f32],
    [mean, std]: [&[f32]; 2],
    [scale, shift, tilt]: [&[f32]; 3],
) -> Vec<f32> {
    planes.check(&[values, gradient], &[mean, std, scale, shift, tilt]);
    let mut out = Vec::with_capacity(values.len());
    let rows = &mut out.spare_capacity_mut()[..values.len()];
    in_rows(rows, planes.positions, 2 * planes.positions, |row, out| {
        let channel = row % planes.channels;
        let norm = Norm { mean: mean[channel], std: std[channel] };
        let slope = Slope { scale: scale[channel], shift: shift[channel], tilt: tilt[channel] };
        let out = write_copy(out, &gradient[row * planes.positions..][..planes.positions]);
        let values = &values[row * planes.positions..][..planes.positions];
        per_level!(
            level,
            (values: &[f32] = values, out: &mut [f32] = out, norm: Norm = norm, slope: Slope = slope),
            gradient_row(values, out, norm, slope)
        );
    });
    // SAFETY: every row was written.
    unsafe { out.set_len(values.len()) };
    out
}

#[inline(always)]
fn gradient_row(values: &[f32], gradients: &mut [f32], norm: Norm, slope: Slope) {
    for (value, gradient) in values.iter().zip(gradients) {
        *gradient = slope.gradient(norm.normalised(*value), *gradient);
    }
}

/// What of an element is added up.
trait Term: Copy {
    fn of(self, x: f32) -> f32;
}

#[derive(Clone, Copy)]
struct Itself;

impl Term for Itself {
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        x
    }
}

/// The square of its distance from the mean.
#[derive(Clone, Copy)]
struct Squared(f32);

impl Term for Squared {
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        squared(self.0, x)
    }
}

/// The sum of the terms of a channel's values.
#[inline(always)]
fn sum<T: Term>(term: T, values: &[f32]) -> f32 {
    let mut partials = Vec::with_capacity(values.len().div_ceil(BLOCK));
    for values in values.chunks(BLOCK) {
        partials.push(block(term, values));
    }
    fold(FOLD, &partials)
}

/// The sum of the terms of at most [`BLOCK`] values.
#[inline(always)]
fn block<T: Term>(term: T, values: &[f32]) -> f32 {
    let mut lanes = [identity(FOLD); LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane += term.of(*value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += term.of(*value);
    }
    whole_tree(FOLD, lanes)
}

/// The sums of dy and dy·x̂ over at most [`BLOCK`] values, which x̂ takes the place of.
#[inline(always)]
fn gradient_block(norm: Norm, values: &mut [f32], gradients: &[f32]) -> Sums {
    let (mut betas, mut gammas) = ([identity(FOLD); LANES], [identity(FOLD); LANES]);
    let (whole, rest) = values.as_chunks_mut::<LANES>();
    let (whole_gradients, rest_gradients) = gradients.as_chunks::<LANES>();
    for (values, gradients) in whole.iter_mut().zip(whole_gradients) {
        for lane in 0..LANES {
            values[lane] = norm.normalised(values[lane]);
            betas[lane] += gradients[lane];
            gammas[lane] += gradients[lane] * values[lane];
        }
    }
    for (lane, (value, gradient)) in rest.iter_mut().zip(rest_gradients).enumerate() {
        *value = norm.normalised(*value);
        betas[lane] += gradient;
        gammas[lane] += gradient * *value;
    }
    Sums { beta: whole_tree(FOLD, betas), gamma: whole_tree(FOLD, gammas) }
}

/// The elements from `start` on of some channels, sample by sample.
#[derive(Debug, Clone, Copy)]
struct Part {
    planes: Planes,
    /// The first channel.
    first: usize,
    channels: usize,
    /// The first element of each.
    start: usize,
    /// Elements of each.
    length: usize,
}

impl Part {
    /// Gathers the elements, those of each channel one after the other.
    ///
    /// # Safety
    /// `from` is a tensor with these elements, to which nobody writes.
    unsafe fn read(self, from: Shared, to: &mut [f32]) {
        assert_eq!(to.len(), self.channels * self.length, "place for a part of a batch");
        self.runs(|at, offset, length| {
            let to = &mut to[offset..offset + length];
            // SAFETY: the elements are the tensor's, and `to` is as long.
            unsafe {
                match length {
                    // As a call, copying one costs more than all else.
                    1 => to[0] = *from.at(at),
                    _ => to.as_mut_ptr().copy_from_nonoverlapping(from.at(at), length),
                }
            }
        });
    }

    /// Puts them back.
    ///
    /// # Safety
    /// `to` has a place for these elements, which nobody else uses.
    unsafe fn write(self, from: &[f32], to: Shared) {
        assert_eq!(from.len(), self.channels * self.length, "a part of a batch");
        self.runs(|at, offset, length| {
            let from = &from[offset..offset + length];
            // SAFETY: the elements are the tensor's, and `from` is as long.
            unsafe {
                match length {
                    1 => *to.at(at) = from[0],
                    _ => to.at(at).copy_from_nonoverlapping(from.as_ptr(), length),
                }
            }
        });
    }

    /// Where elements that follow one another lie in the tensor, and where among the gathered, and how many.
    #[inline(always)]
    fn runs(self, mut run: impl FnMut(usize, usize, usize)) {
        let Planes { channels, positions, .. } = self.planes;
        let (mut done, mut sample, mut position) = (0, self.start / positions, self.start % positions);
        while done < self.length {
            let length = (positions - position).min(self.length - done);
            let at = (sample * channels + self.first) * positions + position;
            for channel in 0..self.channels {
                run(at + channel * positions, channel * self.length + done, length);
            }
            (done, sample, position) = (done + length, sample + 1, 0);
        }
    }
}

#[cfg(test)]
mod tests;
