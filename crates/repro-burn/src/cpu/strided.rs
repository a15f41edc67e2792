//! Elements wherever strides put them: dense copies, and sums, differences, products and quotients with such an operand.
//!
//! These operations are exact on every processor (one rounding each), so nothing here decides about bits; it is faster
//! than Flex's, which walks a permuted or broadcast operand element by element on one thread.

use std::mem::MaybeUninit;

use super::super::kernels::Operation;
use super::chunks::in_chunks;

/// The elements of a tensor in row-major order of its shape.
pub struct Strided<'a> {
    values: &'a [f32],
    /// Position of the first element.
    start: isize,
    /// Size and stride of each dimension, from the outermost; neighbours that are one run are one dimension.
    dims: Vec<(usize, isize)>,
}

/// Elements at equal distances in memory, one after the other in the result.
struct Run {
    /// Position of the first in the result.
    out: usize,
    /// Position of the first in memory.
    start: isize,
    stride: isize,
    length: usize,
}

impl<'a> Strided<'a> {
    /// Elements of the shape `sizes` at `strides` from position `start` on; stride 0 repeats.
    pub fn new(values: &'a [f32], start: usize, sizes: &[usize], strides: &[isize]) -> Self {
        let mut dims: Vec<(usize, isize)> = Vec::with_capacity(sizes.len().max(1));
        for (&size, &stride) in sizes.iter().zip(strides).filter(|(size, _)| **size != 1) {
            match dims.last_mut() {
                Some(outer) if outer.1 == stride * size as isize => *outer = (outer.0 * size, stride),
                _ => dims.push((size, stride)),
            }
        }
        if dims.is_empty() {
            dims.push((1, 0));
        }
        Self { values, start: start as isize, dims }
    }

    fn length(&self) -> usize {
        self.dims.iter().map(|(size, _)| size).product()
    }

    /// Visits the elements `first..first + length` in runs.
    fn each_run(&self, first: usize, length: usize, mut visit: impl FnMut(Run)) {
        let (&(size, stride), outer) = self.dims.split_last().expect("there is a dimension");
        let (mut column, mut row) = (first % size, first / size);
        let mut index = vec![0; outer.len()];
        let mut row_start = self.start;
        for (index, (size, stride)) in index.iter_mut().zip(outer).rev() {
            *index = row % size;
            row /= size;
            row_start += *index as isize * stride;
        }
        let mut out = 0;
        loop {
            let taken = (size - column).min(length - out);
            visit(Run { out, start: row_start + column as isize * stride, stride, length: taken });
            out += taken;
            if out == length {
                return;
            }
            column = 0;
            for (index, (size, stride)) in index.iter_mut().zip(outer).rev() {
                *index += 1;
                row_start += stride;
                if *index < *size {
                    break;
                }
                row_start -= *size as isize * stride;
                *index = 0;
            }
        }
    }

    /// Writes the elements from number `first` on into `out` and returns them.
    fn copy<'o>(&self, first: usize, out: &'o mut [MaybeUninit<f32>]) -> &'o mut [f32] {
        self.each_run(first, out.len(), |run| {
            let out = &mut out[run.out..][..run.length];
            match run.stride {
                1 => {
                    let values = &self.values[run.start as usize..][..run.length];
                    for (out, value) in out.iter_mut().zip(values) {
                        out.write(*value);
                    }
                }
                0 => {
                    let value = self.values[run.start as usize];
                    for out in out {
                        out.write(value);
                    }
                }
                stride => {
                    let mut at = run.start;
                    for out in out {
                        out.write(self.values[at as usize]);
                        at += stride;
                    }
                }
            }
        });
        // SAFETY: the runs are the whole of `out`, and all of each was written.
        unsafe { &mut *(std::ptr::from_mut(out) as *mut [f32]) }
    }

    /// Replaces each element of `left` by `operation` of it and the element of this from number `first` on.
    #[inline(always)]
    fn apply(&self, first: usize, left: &mut [f32], operation: impl Fn(f32, f32) -> f32) {
        self.each_run(first, left.len(), |run| {
            let left = &mut left[run.out..][..run.length];
            match run.stride {
                1 => {
                    let values = &self.values[run.start as usize..][..run.length];
                    left.iter_mut().zip(values).for_each(|(left, value)| *left = operation(*left, *value));
                }
                0 => {
                    let value = self.values[run.start as usize];
                    left.iter_mut().for_each(|left| *left = operation(*left, value));
                }
                stride => {
                    let mut at = run.start;
                    for left in left {
                        *left = operation(*left, self.values[at as usize]);
                        at += stride;
                    }
                }
            }
        });
    }
}

/// Which operand's place the result takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The left one's.
    Left,
    /// The right one's.
    Right,
}

/// Replaces each element in `values`, the operand of that place, by `operation` of the two.
pub fn combine_in_place(operation: Operation, place: Place, values: &mut [f32], other: &Strided<'_>) {
    assert_eq!(values.len(), other.length(), "operands of {operation:?}");
    in_chunks(values, |first, chunk| apply(operation, place, first, chunk, other));
}

/// `operation` of each pair of elements.
pub fn combine(operation: Operation, left: &Strided<'_>, right: &Strided<'_>) -> Vec<f32> {
    assert_eq!(left.length(), right.length(), "operands of {operation:?}");
    filled(left.length(), |first, chunk| {
        // A chunk stays in the cache between the copy and the operation.
        let chunk = left.copy(first, chunk);
        apply(operation, Place::Left, first, chunk, right);
    })
}

/// The elements, one after the other.
pub fn dense(source: &Strided<'_>) -> Vec<f32> {
    filled(source.length(), |first, chunk| {
        source.copy(first, chunk);
    })
}

fn apply(operation: Operation, place: Place, first: usize, values: &mut [f32], other: &Strided<'_>) {
    match (operation, place) {
        (Operation::Add, _) => other.apply(first, values, |a, b| a + b),
        (Operation::Multiply, _) => other.apply(first, values, |a, b| a * b),
        (Operation::Subtract, Place::Left) => other.apply(first, values, |a, b| a - b),
        (Operation::Subtract, Place::Right) => other.apply(first, values, |b, a| a - b),
        (Operation::Divide, Place::Left) => other.apply(first, values, |a, b| a / b),
        (Operation::Divide, Place::Right) => other.apply(first, values, |b, a| a / b),
    }
}

/// A vector whose chunks, each with the number of its first element, `fill` has written whole.
fn filled(length: usize, fill: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let mut out = Vec::with_capacity(length);
    in_chunks(&mut out.spare_capacity_mut()[..length], fill);
    // SAFETY: every chunk was written.
    unsafe { out.set_len(length) };
    out
}

#[cfg(test)]
mod tests {
    use super::super::chunks::CHUNK;
    use super::*;

    const OPERATIONS: [Operation; 4] = [Operation::Add, Operation::Subtract, Operation::Multiply, Operation::Divide];

    fn scalar(operation: Operation, a: f32, b: f32) -> f32 {
        match operation {
            Operation::Add => a + b,
            Operation::Subtract => a - b,
            Operation::Multiply => a * b,
            Operation::Divide => a / b,
        }
    }

    /// Elements by their indices, one at a time.
    fn plainly(values: &[f32], start: usize, sizes: &[usize], strides: &[isize]) -> Vec<f32> {
        let count: usize = sizes.iter().product();
        (0..count)
            .map(|number| {
                let (mut rest, mut at) = (number, start as isize);
                for (size, stride) in sizes.iter().zip(strides).rev() {
                    at += (rest % size) as isize * stride;
                    rest /= size;
                }
                values[at as usize]
            })
            .collect()
    }

    /// Start, sizes and strides over 40 000 elements: dense, permuted, broadcast, flipped, cut out, without dimensions,
    /// empty, around the size of a task.
    fn layouts() -> Vec<(usize, Vec<usize>, Vec<isize>)> {
        vec![
            (0, vec![40_000], vec![1]),
            (3, vec![CHUNK + 1], vec![1]),
            (0, vec![200, 200], vec![1, 200]),
            (0, vec![5, 40, 200], vec![8000, 1, 40]),
            (0, vec![40, 5, 200], vec![1, 40, 200]),
            (7, vec![40, 5, 200], vec![0, 1, 0]),
            (0, vec![40, 5, 200], vec![200, 0, 1]),
            (39_999, vec![100, 400], vec![-400, -1]),
            (5, vec![3, 4, 5], vec![1000, 100, 2]),
            (9, vec![1, 1, 7], vec![50, 3, 2]),
            (11, vec![], vec![]),
            (11, vec![1], vec![5]),
            (0, vec![3, 0, 2], vec![1, 1, 1]),
        ]
    }

    #[test]
    fn every_layout_is_copied_as_its_strides_say() {
        let values: Vec<f32> = (0..40_000).map(|i| i as f32).collect();
        for (start, sizes, strides) in layouts() {
            let copied = dense(&Strided::new(&values, start, &sizes, &strides));
            assert!(copied == plainly(&values, start, &sizes, &strides), "{sizes:?} {strides:?}");
        }
    }

    #[test]
    fn every_operation_on_every_pair_of_layouts_is_that_of_the_elements() {
        let left: Vec<f32> = (0..40_000).map(|i| (i as f32 - 17.0) / 16.0).collect();
        let right: Vec<f32> = (0..40_000).map(|i| 3.0 - i as f32 / 7.0).collect();
        let layouts = layouts();
        for (a_start, sizes, a) in &layouts {
            for (b_start, _, b) in layouts.iter().filter(|(_, other, _)| other == sizes) {
                let (lefts, rights) = (plainly(&left, *a_start, sizes, a), plainly(&right, *b_start, sizes, b));
                let (x, y) = (Strided::new(&left, *a_start, sizes, a), Strided::new(&right, *b_start, sizes, b));
                for operation in OPERATIONS {
                    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                    let pairs = lefts.iter().zip(&rights);
                    let expected = bits(pairs.map(|(a, b)| scalar(operation, *a, *b)).collect());
                    let (mut onto_left, mut onto_right) = (lefts.clone(), rights.clone());
                    combine_in_place(operation, Place::Left, &mut onto_left, &y);
                    combine_in_place(operation, Place::Right, &mut onto_right, &x);
                    for got in [combine(operation, &x, &y), onto_left, onto_right] {
                        assert!(bits(got) == expected, "{operation:?} {sizes:?} {a:?} {b:?}");
                    }
                }
            }
        }
    }
}
