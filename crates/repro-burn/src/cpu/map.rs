//! Functions of one and two f32 over slices: the scalar code itself, compiled for each level so that it runs in lanes.

use super::super::kernels::{BinaryFunction, Function};
use super::super::ops::{Fma, Real, apply, apply_binary};
use super::chunks::in_chunks;
use super::level::{Level, per_level};
use super::strided::Strided;

/// Replaces each value by `function` of it.
pub fn map(level: Level, function: Function, values: &mut [f32]) {
    in_chunks(values, |_, values| map_chunk(level, function, values));
}

/// `function` of each element of a tensor.
pub fn mapped(level: Level, function: Function, source: &Strided<'_>) -> Vec<f32> {
    // A chunk stays in the cache between the copy and the function.
    source.changed(|_, values| map_chunk(level, function, values))
}

fn map_chunk(level: Level, function: Function, values: &mut [f32]) {
    per_level!(level, (function: Function = function, values: &mut [f32] = values), each::<LevelFma>(function, values))
}

/// One loop per function, so that each is a straight line of lane instructions.
#[inline(always)]
fn each<F: Fma>(function: Function, values: &mut [f32]) {
    macro_rules! loops {
        ($($function:ident),*) => {
            match function {
                // Not `for_each`: a function of its own, which is not inlined here if large, has not the level's features.
                $( Function::$function => {
                    for x in values {
                        *x = apply::<Real<F>>(Function::$function, (*x).into()).get();
                    }
                } )*
            }
        };
    }
    loops!(
        Exp, Log, Log1p, Tanh, Erf, Round, Sigmoid, Gelu, Sin, Cos, Tan, Sinh, Cosh, Asin, Acos, Atan, Asinh, Acosh,
        Atanh, ToF16, ToBf16, Recip, Sqrt, Relu
    );
}

/// Replaces each value of `left` by `function` of it and the value of `right` beside it.
pub fn zip(level: Level, function: BinaryFunction, left: &mut [f32], right: &[f32]) {
    assert_eq!(left.len(), right.len(), "operands of {function:?}");
    in_chunks(left, |first, left| zip_chunk(level, function, left, &right[first..][..left.len()]));
}

/// Replaces each value of `right` by `function` of the value of `left` beside it and it.
pub fn zip_to_right(level: Level, function: BinaryFunction, left: &[f32], right: &mut [f32]) {
    assert_eq!(left.len(), right.len(), "operands of {function:?}");
    in_chunks(right, |first, right| {
        let left = &left[first..][..right.len()];
        per_level!(
            level,
            (function: BinaryFunction = function, left: &[f32] = left, right: &mut [f32] = right),
            both::<LevelFma, _, _>(function, left.iter(), right.iter_mut())
        );
    });
}

/// `function` of each element of a tensor and the value of `right` at its place.
pub fn zipped(level: Level, function: BinaryFunction, left: &Strided<'_>, right: &[f32]) -> Vec<f32> {
    left.changed(|first, left| zip_chunk(level, function, left, &right[first..][..left.len()]))
}

fn zip_chunk(level: Level, function: BinaryFunction, left: &mut [f32], right: &[f32]) {
    per_level!(
        level,
        (function: BinaryFunction = function, left: &mut [f32] = left, right: &[f32] = right),
        both::<LevelFma, _, _>(function, left.iter_mut(), right.iter())
    )
}

/// A place of one operand, of which one kind takes the results.
trait Operand {
    fn get(&self) -> f32;
    /// Does nothing to an operand that is only read.
    fn set(self, value: f32);
}

impl Operand for &f32 {
    #[inline(always)]
    fn get(&self) -> f32 {
        **self
    }

    #[inline(always)]
    fn set(self, _: f32) {}
}

impl Operand for &mut f32 {
    #[inline(always)]
    fn get(&self) -> f32 {
        **self
    }

    #[inline(always)]
    fn set(self, value: f32) {
        *self = value;
    }
}

/// One loop per function, as in [`each`].
#[inline(always)]
fn both<F: Fma, L, R>(function: BinaryFunction, left: L, right: R)
where
    L: Iterator<Item: Operand>,
    R: Iterator<Item: Operand>,
{
    macro_rules! loops {
        ($($function:ident),*) => {
            match function {
                $( BinaryFunction::$function => {
                    for (x, y) in left.zip(right) {
                        let value =
                            apply_binary::<Real<F>>(BinaryFunction::$function, x.get().into(), y.get().into()).get();
                        x.set(value);
                        y.set(value);
                    }
                } )*
            }
        };
    }
    loops!(Atan2, Pow, Remainder, Divide, ReluBackward, SigmoidBackward, GeluBackward);
}

#[cfg(test)]
mod tests {
    use super::super::adversarial::adversarial;
    use super::super::chunks::CHUNK;
    use super::*;
    use crate::ops::fma::Fused;

    fn scalar(function: Function, x: f32) -> f32 {
        apply::<Real<Fused>>(function, x.into()).get()
    }

    fn bits(x: f32) -> u32 {
        if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }
    }

    #[test]
    fn every_level_equals_the_scalar_function_over_all_exponents() {
        // 104729 is prime to the mantissa's size: every exponent and sign comes with many mantissas.
        let inputs: Vec<f32> = (0..=u32::MAX).step_by(104_729).map(f32::from_bits).collect();
        for function in Function::ALL {
            let expected: Vec<u32> = inputs.iter().map(|x| bits(scalar(function, *x))).collect();
            for level in Level::available() {
                for threads in [1, 2, 5] {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                    let mut values = inputs.clone();
                    pool.install(|| map(level, function, &mut values));
                    let got: Vec<u32> = values.into_iter().map(bits).collect();
                    assert!(got == expected, "{function:?} {level:?} {threads} threads");
                }
            }
        }
    }

    #[test]
    fn every_place_of_a_result_of_two_operands_has_the_same_bits() {
        for (case, length) in [0, 1, 33, CHUNK + 17].into_iter().enumerate() {
            let [left, right] = [0, 1].map(|part| adversarial(length, 2 * case as u64 + part));
            for function in BinaryFunction::ALL {
                let pairs = left.iter().zip(&right);
                let expected: Vec<u32> = pairs
                    .map(|(x, y)| bits(apply_binary::<Real<Fused>>(function, (*x).into(), (*y).into()).get()))
                    .collect();
                for level in Level::available() {
                    let [mut to_left, mut to_right] = [left.clone(), right.clone()];
                    zip(level, function, &mut to_left, &right);
                    zip_to_right(level, function, &left, &mut to_right);
                    let new = zipped(level, function, &Strided::new(&left, 0, &[length], &[1]), &right);
                    for got in [to_left, to_right, new] {
                        let got: Vec<u32> = got.into_iter().map(bits).collect();
                        assert!(got == expected, "{function:?} {level:?} {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_length_around_the_lane_and_chunk_sizes_is_handled() {
        for length in (0..70).chain([CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7]) {
            let inputs: Vec<f32> = (0..length).map(|i| i as f32 / 16.0 - 3.0).collect();
            let mut values = inputs.clone();
            map(Level::detected(), Function::Exp, &mut values);
            for (value, input) in values.iter().zip(&inputs) {
                assert_eq!(value.to_bits(), scalar(Function::Exp, *input).to_bits(), "length {length}");
            }
        }
    }
}
