//! Elements wherever strides put them: dense copies, and sums, differences, products and quotients with such an operand.
//!
//! These operations are exact on every processor (one rounding each), so nothing here decides about bits; it is faster
//! than Flex's, which walks a permuted or broadcast operand element by element on one thread.

use std::mem::MaybeUninit;

use super::super::kernels::Operation;
use super::chunks::{filled, in_chunks, initialised, write_copy};
use super::level::{Level, per_level};

/// The elements of a tensor in row-major order of its shape.
#[derive(Debug, Clone)]
pub struct Strided<'a> {
    values: &'a [f32],
    /// Position of the first element.
    start: isize,
    /// Size and stride of each dimension, from the outermost.
    dims: Vec<(usize, isize)>,
}

impl<'a> Strided<'a> {
    /// Elements of the shape `sizes` at `strides` from position `start` on; stride 0 repeats.
    pub fn new(values: &'a [f32], start: usize, sizes: &[usize], strides: &[isize]) -> Self {
        let dims = sizes.iter().copied().zip(strides.iter().copied()).collect();
        Self { values, start: start as isize, dims }
    }

    /// One value for all elements of the shape `sizes`.
    pub fn repeated(value: &'a f32, sizes: &[usize]) -> Self {
        Self { values: std::slice::from_ref(value), start: 0, dims: sizes.iter().map(|size| (*size, 0)).collect() }
    }

    fn length(&self) -> usize {
        self.dims.iter().map(|(size, _)| size).product()
    }

    /// The elements one after the other, each chunk changed by `change`, which is told where it starts, while it is in the
    /// cache.
    pub fn changed(&self, change: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
        let walk = Walk::new([self]);
        filled(self.length(), |first, out| change(first, copy(&walk, self.values, first, out)))
    }

    /// The elements one after the other, `value` where `mask` has another byte than 0; it begins anew where it ends.
    ///
    /// # Panics
    /// When the elements are no multiple of the mask's.
    pub fn masked(&self, mask: &[u8], value: f32) -> Vec<f32> {
        assert!(self.length() == 0 || self.length().is_multiple_of(mask.len()), "a mask that fits");
        let walk = Walk::new([self]);
        filled(self.length(), |first, out| fill_masked(mask, value, first, copy(&walk, self.values, first, out)))
    }

    /// The elements, one after the other.
    pub fn dense(&self) -> Vec<f32> {
        self.changed(|_, _| {})
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
pub fn combine_in_place(level: Level, operation: Operation, place: Place, values: &mut [f32], other: &Strided<'_>) {
    assert_eq!(values.len(), other.length(), "operands of {operation:?}");
    let walk = Walk::new([other]);
    let update = match (operation, place) {
        (Operation::Add, _) => update::<Add>,
        (Operation::Multiply, _) => update::<Multiply>,
        (Operation::Subtract, Place::Left) => update::<Subtract>,
        (Operation::Subtract, Place::Right) => update::<Swapped<Subtract>>,
        (Operation::Divide, Place::Left) => update::<Divide>,
        (Operation::Divide, Place::Right) => update::<Swapped<Divide>>,
    };
    in_chunks(values, |first, chunk| update(level, &walk, other.values, first, chunk));
}

/// `operation` of each pair of elements.
pub fn combine(level: Level, operation: Operation, left: &Strided<'_>, right: &Strided<'_>) -> Vec<f32> {
    assert_eq!(left.length(), right.length(), "operands of {operation:?}");
    let walk = Walk::new([left, right]);
    let fill = match operation {
        Operation::Add => fill::<Add>,
        Operation::Subtract => fill::<Subtract>,
        Operation::Multiply => fill::<Multiply>,
        Operation::Divide => fill::<Divide>,
    };
    filled(left.length(), |first, chunk| fill(level, &walk, [left.values, right.values], first, chunk))
}

/// The same as [`Strided::masked`] where the elements are.
pub fn mask_in_place(values: &mut [f32], mask: &[u8], value: f32) {
    assert!(values.is_empty() || values.len().is_multiple_of(mask.len()), "a mask that fits");
    in_chunks(values, |first, chunk| fill_masked(mask, value, first, chunk));
}

fn fill_masked(mask: &[u8], value: f32, first: usize, values: &mut [f32]) {
    let mut at = first % mask.len();
    let mut values = values;
    while !values.is_empty() {
        let length = values.len().min(mask.len() - at);
        let (part, rest) = values.split_at_mut(length);
        for (element, mask) in part.iter_mut().zip(&mask[at..]) {
            *element = if *mask != 0 { value } else { *element };
        }
        (values, at) = (rest, 0);
    }
}

/// An operation as a type, so that a loop over it has no branch.
trait Operate {
    fn of(left: f32, right: f32) -> f32;
}

macro_rules! operate {
    ($($name:ident $operator:tt),*) => { $(
        struct $name;
        impl Operate for $name {
            #[inline(always)]
            fn of(left: f32, right: f32) -> f32 {
                left $operator right
            }
        }
    )* };
}
operate!(Add +, Subtract -, Multiply *, Divide /);

struct Swapped<O>(std::marker::PhantomData<O>);

impl<O: Operate> Operate for Swapped<O> {
    #[inline(always)]
    fn of(left: f32, right: f32) -> f32 {
        O::of(right, left)
    }
}

fn update<O: Operate>(level: Level, walk: &Walk<1>, others: &[f32], first: usize, out: &mut [f32]) {
    per_level!(
        level,
        [O: Operate],
        (walk: &Walk<1> = walk, others: &[f32] = others, first: usize = first, out: &mut [f32] = out),
        update_runs::<O>(walk, others, first, out)
    )
}

#[inline(always)]
fn update_runs<O: Operate>(walk: &Walk<1>, others: &[f32], first: usize, out: &mut [f32]) {
    for run in walk.runs(first, out.len()) {
        let out = &mut out[run.out..][..run.length];
        match run.strides {
            [1] => {
                for (out, other) in out.iter_mut().zip(run.adjacent(0, others)) {
                    *out = O::of(*out, *other);
                }
            }
            [0] => {
                let other = others[run.starts[0] as usize];
                for out in out {
                    *out = O::of(*out, other);
                }
            }
            [stride] => {
                let mut at = run.starts[0];
                for out in out {
                    *out = O::of(*out, others[at as usize]);
                    at += stride;
                }
            }
        }
    }
}

fn fill<O: Operate>(level: Level, walk: &Walk<2>, values: [&[f32]; 2], first: usize, out: &mut [MaybeUninit<f32>]) {
    type Out = [MaybeUninit<f32>];
    per_level!(
        level,
        [O: Operate],
        (walk: &Walk<2> = walk, values: [&[f32]; 2] = values, first: usize = first, out: &mut Out = out),
        fill_runs::<O>(walk, values, first, out)
    )
}

#[inline(always)]
fn fill_runs<O: Operate>(walk: &Walk<2>, values: [&[f32]; 2], first: usize, out: &mut [MaybeUninit<f32>]) {
    let [left, right] = values;
    for run in walk.runs(first, out.len()) {
        let out = &mut out[run.out..][..run.length];
        match run.strides {
            [1, 1] => {
                for ((out, left), right) in out.iter_mut().zip(run.adjacent(0, left)).zip(run.adjacent(1, right)) {
                    out.write(O::of(*left, *right));
                }
            }
            [1, 0] => {
                let right = right[run.starts[1] as usize];
                for (out, left) in out.iter_mut().zip(run.adjacent(0, left)) {
                    out.write(O::of(*left, right));
                }
            }
            [0, 1] => {
                let left = left[run.starts[0] as usize];
                for (out, right) in out.iter_mut().zip(run.adjacent(1, right)) {
                    out.write(O::of(left, *right));
                }
            }
            strides => {
                let [mut left_at, mut right_at] = run.starts;
                for out in out {
                    out.write(O::of(left[left_at as usize], right[right_at as usize]));
                    (left_at, right_at) = (left_at + strides[0], right_at + strides[1]);
                }
            }
        }
    }
}

/// Writes the elements from number `first` on into `out` and returns them.
fn copy<'o>(walk: &Walk<1>, values: &[f32], first: usize, out: &'o mut [MaybeUninit<f32>]) -> &'o mut [f32] {
    for run in walk.runs(first, out.len()) {
        let out = &mut out[run.out..][..run.length];
        match run.strides {
            [1] => {
                write_copy(out, run.adjacent(0, values));
            }
            [0] => out.fill(MaybeUninit::new(values[run.starts[0] as usize])),
            [stride] => {
                let mut at = run.starts[0];
                for out in out {
                    out.write(values[at as usize]);
                    at += stride;
                }
            }
        }
    }
    // SAFETY: the runs are the whole of `out`, and all of each was written.
    unsafe { initialised(out) }
}

/// How to go through operands of one shape side by side: neighbouring dimensions that are one run in all of them are one.
struct Walk<const OPERANDS: usize> {
    starts: [isize; OPERANDS],
    /// Size, and the stride of each operand, from the outermost; at least one.
    dims: Vec<(usize, [isize; OPERANDS])>,
}

impl<const OPERANDS: usize> Walk<OPERANDS> {
    fn new(operands: [&Strided<'_>; OPERANDS]) -> Self {
        let mut dims: Vec<(usize, [isize; OPERANDS])> = Vec::with_capacity(operands[0].dims.len().max(1));
        for dim in 0..operands[0].dims.len() {
            let (size, strides) = (operands[0].dims[dim].0, operands.map(|operand| operand.dims[dim].1));
            match dims.last_mut() {
                _ if size == 1 => {}
                Some(outer) if outer.1 == strides.map(|stride| stride * size as isize) => {
                    *outer = (outer.0 * size, strides);
                }
                _ => dims.push((size, strides)),
            }
        }
        if dims.is_empty() {
            dims.push((1, [0; OPERANDS]));
        }
        Self { starts: operands.map(|operand| operand.start), dims }
    }

    /// The elements `first..first + length` in runs; there is at least one.
    #[inline(always)]
    fn runs(&self, first: usize, length: usize) -> Runs<'_, OPERANDS> {
        let ((size, _), outer) = self.dims.split_last().expect("there is a dimension");
        let mut row = first / size;
        let mut indices = vec![0; outer.len()];
        let mut starts = self.starts;
        for (index, (size, strides)) in indices.iter_mut().zip(outer).rev() {
            *index = row % size;
            row /= size;
            for (start, stride) in starts.iter_mut().zip(strides) {
                *start += *index as isize * stride;
            }
        }
        Runs { walk: self, indices, row: starts, column: first % size, out: 0, length }
    }
}

/// Elements at equal distances in memory, one after the other in the result.
struct Run<const OPERANDS: usize> {
    /// Position of the first in the result.
    out: usize,
    /// Position of the first in the memory of each operand.
    starts: [isize; OPERANDS],
    strides: [isize; OPERANDS],
    length: usize,
}

impl<const OPERANDS: usize> Run<OPERANDS> {
    /// The elements of an operand whose stride is 1.
    #[inline(always)]
    fn adjacent<'a>(&self, operand: usize, values: &'a [f32]) -> &'a [f32] {
        &values[self.starts[operand] as usize..][..self.length]
    }
}

/// The runs of a part of a walk.
///
/// An iterator and not a function that takes a closure, which would not be compiled for the instructions of its caller.
struct Runs<'a, const OPERANDS: usize> {
    walk: &'a Walk<OPERANDS>,
    /// Of the outer dimensions.
    indices: Vec<usize>,
    /// Where the row begins.
    row: [isize; OPERANDS],
    column: usize,
    out: usize,
    length: usize,
}

impl<const OPERANDS: usize> Iterator for Runs<'_, OPERANDS> {
    type Item = Run<OPERANDS>;

    #[inline(always)]
    fn next(&mut self) -> Option<Run<OPERANDS>> {
        if self.out == self.length {
            return None;
        }
        let ((size, strides), outer) = self.walk.dims.split_last()?;
        let length = (size - self.column).min(self.length - self.out);
        let mut starts = self.row;
        for (start, stride) in starts.iter_mut().zip(strides) {
            *start += self.column as isize * stride;
        }
        let run = Run { out: self.out, starts, strides: *strides, length };
        self.out += length;
        self.column = 0;
        for (index, (size, strides)) in self.indices.iter_mut().zip(outer).rev() {
            *index += 1;
            let has_ended = *index == *size;
            let steps = if has_ended { 1 - *size as isize } else { 1 };
            for (start, stride) in self.row.iter_mut().zip(strides) {
                *start += steps * stride;
            }
            if !has_ended {
                break;
            }
            *index = 0;
        }
        Some(run)
    }
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
            let copied = Strided::new(&values, start, &sizes, &strides).dense();
            assert!(copied == plainly(&values, start, &sizes, &strides), "{sizes:?} {strides:?}");
        }
    }

    #[test]
    fn a_mask_repeats_over_elements_in_any_layout() {
        let values: Vec<f32> = (0..40_000).map(|i| i as f32).collect();
        for (start, sizes, strides) in layouts() {
            let elements = plainly(&values, start, &sizes, &strides);
            for length in [1, 5, 20].into_iter().filter(|length| elements.len().is_multiple_of(*length)) {
                let mask: Vec<u8> = (0..length).map(|i| u8::from(i % 3 == 0)).collect();
                let masked = |(i, x): (usize, &f32)| if i % length % 3 == 0 { -1.0 } else { *x };
                let expected: Vec<f32> = elements.iter().enumerate().map(masked).collect();
                let got = Strided::new(&values, start, &sizes, &strides).masked(&mask, -1.0);
                assert!(got == expected, "{sizes:?} {strides:?} {length}");
                let mut in_place = elements.clone();
                mask_in_place(&mut in_place, &mask, -1.0);
                assert!(in_place == expected, "{sizes:?} {strides:?} {length}");
            }
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
                    for level in Level::available() {
                        let (mut onto_left, mut onto_right) = (lefts.clone(), rights.clone());
                        combine_in_place(level, operation, Place::Left, &mut onto_left, &y);
                        combine_in_place(level, operation, Place::Right, &mut onto_right, &x);
                        for got in [combine(level, operation, &x, &y), onto_left, onto_right] {
                            assert!(bits(got) == expected, "{level:?} {operation:?} {sizes:?} {a:?} {b:?}");
                        }
                    }
                }
            }
        }
    }
}
