//! Tests of every elementwise function: its error, and the same bits from every instruction set.
//!
//! The `exhaustive_*` tests go through all 2³² inputs of the functions of one number and need minutes and `--release`:
//! `cargo test --release --package repro-burn --lib -- --ignored exhaustive --nocapture` prints the table of NUMERICS.md.

use rayon::prelude::*;

use super::cpu::level::Level;
use super::cpu::map::{map, zip};
use super::kernels::{BinaryFunction, Function};
use super::ops::fma::Fused;
use super::ops::ulp::error;
use super::ops::{Real, apply, apply_binary};
use crate::rng::{CounterRng, Stream};

/// Inputs that one task takes.
const CHUNK: u32 = 1 << 14;
/// Every so many chunks the slow ways are compared as well: the scalar truth and the fused multiply-add made of f64.
const SLOW: u32 = 61;

/// How a function treats the sign, which spares half of the references.
#[derive(Clone, Copy, PartialEq)]
enum Symmetry {
    None,
    /// f(−x) = −f(x).
    Odd,
    /// f(−x) = f(x).
    Even,
}

/// What is known of a function.
struct Case {
    function: Function,
    exact: fn(f64) -> f64,
    /// Largest error in units of the last place.
    bound: f64,
    symmetry: Symmetry,
    /// Of the results of the sampled test; a change of it is a change of the numerics version.
    digest: u64,
}

/// What was measured of a function.
#[derive(Default, Clone, Copy)]
struct Measured {
    error: f64,
    at: f32,
    misrounded: u64,
    digest: u64,
}

impl Measured {
    fn and(self, other: Self) -> Self {
        let worse = if other.error > self.error { other } else { self };
        Self {
            error: worse.error,
            at: worse.at,
            misrounded: self.misrounded + other.misrounded,
            digest: self.digest.wrapping_add(other.digest),
        }
    }
}

fn canonical(x: f32) -> u32 {
    if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }
}

/// A sum over all inputs of products that are one-to-one in the result.
fn mixed(input: u32, result: u32) -> u64 {
    (u64::from(result) + 1).wrapping_mul((u64::from(input) << 32 | 0x9e37_79b9).wrapping_mul(0xff51_afd7_ed55_8ccd) | 1)
}

fn results(level: Level, function: Function, inputs: &[f32]) -> Vec<f32> {
    let mut values = inputs.to_vec();
    map(level, function, &mut values);
    values
}

/// Every `stride`-th input of chunk `chunk`, counted from its first.
fn chunk(case: &Case, chunk: u32, stride: usize) -> Measured {
    let Case { function, exact, symmetry, .. } = *case;
    let first = chunk * CHUNK;
    let inputs: Vec<f32> = (first..=first + (CHUNK - 1)).step_by(stride).map(f32::from_bits).collect();
    let values = results(Level::detected(), function, &inputs);
    let same = |other: f32, value: f32, x: f32, what: &dyn std::fmt::Debug| {
        assert_eq!(canonical(other), canonical(value), "{function:?}({x:e}): {what:?} gives {other:e}, not {value:e}");
    };
    for level in Level::available() {
        if level == Level::PORTABLE && !chunk.is_multiple_of(SLOW) {
            continue;
        }
        for ((other, value), x) in results(level, function, &inputs).into_iter().zip(&values).zip(&inputs) {
            same(other, *value, *x, &level);
        }
    }
    if chunk.is_multiple_of(SLOW) {
        for (value, x) in values.iter().zip(&inputs) {
            same(apply::<Real<Fused>>(function, (*x).into()).get(), *value, *x, &"the scalar truth");
        }
    }
    let mut measured = Measured::default();
    for (value, x) in values.iter().zip(&inputs) {
        measured.digest = measured.digest.wrapping_add(mixed(x.to_bits(), canonical(*value)));
    }
    if symmetry != Symmetry::None && first >= 1 << 31 {
        let mirrored: Vec<f32> = inputs.iter().map(|x| -x).collect();
        for ((other, value), x) in results(Level::detected(), function, &mirrored).into_iter().zip(&values).zip(&inputs)
        {
            same(if symmetry == Symmetry::Odd { -other } else { other }, *value, *x, &"its symmetry");
        }
        return measured;
    }
    let weight = if symmetry == Symmetry::None { 1 } else { 2 };
    for (value, x) in values.iter().zip(&inputs) {
        let want = exact(f64::from(*x));
        let error = error(*value, want);
        if error > measured.error {
            (measured.error, measured.at) = (error, *x);
        }
        if canonical(*value) != canonical(want as f32) {
            measured.misrounded += weight;
        }
    }
    measured
}

/// Every `stride`-th input of all chunks whose number is a multiple of `step`.
fn measure(case: &Case, step: u32, stride: usize) -> Measured {
    let chunks = (u32::MAX / CHUNK + 1) / step;
    let measured = (0..chunks)
        .into_par_iter()
        .map(|number| chunk(case, number * step, stride))
        .reduce(Default::default, Measured::and);
    let Measured { error, at, .. } = measured;
    assert!(error <= case.bound, "{:?}({at:e}) is {error} units off", case.function);
    measured
}

fn exhaustive(case: &Case) {
    let start = std::time::Instant::now();
    let Measured { error, at, misrounded, digest } = measure(case, 1, 1);
    let share = misrounded as f64 / 2f64.powi(32) * 100.0;
    let seconds = start.elapsed().as_secs();
    println!("| {:?} | {error:.3} | {at:?} | {share:.2} % | {digest:#018x} in {seconds} s", case.function);
}

macro_rules! cases {
    ($( $test:ident: $function:ident $exact:expr, $bound:literal, $symmetry:ident, $digest:literal; )*) => {
        const CASES: &[Case] = &[ $( Case {
            function: Function::$function,
            exact: $exact,
            bound: $bound,
            symmetry: Symmetry::$symmetry,
            digest: $digest,
        } ),* ];

        $(
            #[test]
            #[ignore = "all 2³² inputs: minutes, in a release build"]
            fn $test() {
                let case = CASES.iter().find(|case| case.function == Function::$function);
                exhaustive(case.expect("each case is in the list"));
            }
        )*
    };
}

/// Where e⁻ˣ is infinite in f32, the result is +0 instead of a subnormal number.
fn sigmoid(x: f64) -> f64 {
    if x < -88.722_84 { 0.0 } else { 1.0 / (1.0 + libm::exp(-x)) }
}

/// libm's gives numbers from −2 down.
fn acosh(x: f64) -> f64 {
    if x < 1.0 { f64::NAN } else { libm::acosh(x) }
}

cases! {
    exhaustive_exp: Exp libm::exp, 0.9, None, 0x5a1a_03d0_756f_5f55;
    exhaustive_log: Log libm::log, 0.94, None, 0x46ae_0a74_1584_d870;
    exhaustive_log1p: Log1p libm::log1p, 1.55, None, 0xb771_0394_1d36_4802;
    exhaustive_tanh: Tanh libm::tanh, 1.4, Odd, 0x314b_7c02_b24d_20e2;
    exhaustive_erf: Erf libm::erf, 1.1, Odd, 0x3601_7d6d_d97d_740e;
    exhaustive_round: Round libm::rint, 0.5, Odd, 0xd649_f7ab_9d27_8000;
    exhaustive_sigmoid: Sigmoid sigmoid, 2.6, None, 0x438a_5bdc_6df0_36c3;
    exhaustive_sin: Sin libm::sin, 0.8, Odd, 0xf6a7_ed86_8915_8142;
    exhaustive_cos: Cos libm::cos, 0.8, Even, 0xf373_a7dd_0ba4_eeea;
    exhaustive_tan: Tan libm::tan, 1.2, Odd, 0xe0ca_5311_8499_86e6;
    exhaustive_sinh: Sinh libm::sinh, 0.8, Odd, 0x66c0_ec4e_f174_0980;
    exhaustive_cosh: Cosh libm::cosh, 0.8, Even, 0xe758_bc37_dfdd_a616;
    exhaustive_asin: Asin libm::asin, 0.8, Odd, 0xc18d_39f6_8094_4d02;
    exhaustive_acos: Acos libm::acos, 0.8, None, 0x2c01_63ea_294e_3cc7;
    exhaustive_atan: Atan libm::atan, 0.8, Odd, 0xbfc1_e844_8852_0606;
    exhaustive_asinh: Asinh libm::asinh, 0.8, Odd, 0x575d_314a_5560_f182;
    exhaustive_acosh: Acosh acosh, 0.8, None, 0xffea_34c3_07e7_c8e8;
    exhaustive_atanh: Atanh libm::atanh, 0.8, Odd, 0x25d4_aa1b_17de_f418;
}

#[test]
fn every_function_is_within_its_bound_and_the_same_on_every_level() {
    for case in CASES {
        // Chunks of all exponents and signs, and inputs in them that are not all even.
        let Measured { digest, .. } = measure(case, 1, 1009);
        assert_eq!(digest, case.digest, "digest of {:?}: {digest:#018x}", case.function);
    }
}

/// Numbers whose pairs are the special cases of functions of two numbers.
fn special() -> Vec<f32> {
    let positive = [
        0.0,
        1e-45,
        f32::MIN_POSITIVE.next_down(),
        f32::MIN_POSITIVE,
        1e-20,
        0.5,
        1f32.next_down(),
        1.0,
        1f32.next_up(),
        1.5,
        2.0,
        2.5,
        3.0,
        std::f32::consts::PI,
        1024.0,
        4_194_303.5,
        8_388_607.5,
        8_388_608.0,
        8_388_609.0,
        16_777_215.0,
        16_777_216.0,
        16_777_218.0,
        1e20,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];
    positive.into_iter().flat_map(|x| [x, -x]).collect()
}

/// Pairs that are special, random, near 1, near the ends of the range of a power, and nearly multiples of each other.
fn pairs(count: u64) -> (Vec<f32>, Vec<f32>) {
    let rng = CounterRng::new(5, Stream::workload(1), 0);
    let special = special();
    let adversarial = |index: u64| {
        let word = |k: u64| rng.u32(8 * index + k);
        let uniform = |k: u64| f64::from(word(k)) / 2f64.powi(32);
        let any = f32::from_bits(word(0));
        let near_one = f32::from_bits(0x3f80_0000u32.wrapping_add_signed((word(0) as i32) >> (8 + word(1) % 20)));
        let power_of = |x: f32, exponent: f64| (x, (exponent / f64::from(x.abs()).ln()) as f32);
        let whole = ((word(2) >> (word(3) % 32)) as f32).copysign(f32::from_bits(word(4)));
        match index % 8 {
            0 => (any, f32::from_bits(word(2))),
            1 => power_of(near_one, uniform(2) * 194.0 - 105.0),
            2 => power_of(any, 88.73 - uniform(2) / 16.0),
            3 => power_of(any, -87.0 - uniform(2) * 18.0),
            4 => power_of(any, uniform(2) * 4.0 - 2.0),
            5 => (any, whole),
            6 => (near_one, f32::from_bits(word(2) & 0x007f_ffff | 0x3f80_0000)),
            _ => (any * whole, any),
        }
    };
    let squared = special.iter().flat_map(|x| special.iter().map(move |y| (*x, *y)));
    squared.chain((0..count).map(adversarial)).unzip()
}

/// The error in units of the last place; Remainder is exact or rounded once. Not of the gradients, which are compositions.
fn binary_error(function: BinaryFunction, x: f32, y: f32, got: f32) -> f64 {
    match function {
        BinaryFunction::Atan2 => error(got, libm::atan2(f64::from(x), f64::from(y))),
        BinaryFunction::Pow => error(got, libm::pow(f64::from(x), f64::from(y))),
        BinaryFunction::Divide => error(got, f64::from(x / y)),
        BinaryFunction::Remainder => {
            let r = x % y;
            let r = if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r };
            if canonical(got) == canonical(r) { 0.0 } else { f64::INFINITY }
        }
        BinaryFunction::ReluBackward | BinaryFunction::SigmoidBackward | BinaryFunction::GeluBackward => f64::NAN,
    }
}

fn check_pairs(count: u64) {
    let (x, y) = pairs(count);
    for (function, bound) in
        [(BinaryFunction::Atan2, 0.8), (BinaryFunction::Pow, 0.8), (BinaryFunction::Remainder, 0.0)]
    {
        let results = |level| {
            let mut values = x.clone();
            zip(level, function, &mut values, &y);
            values
        };
        let values = results(Level::detected());
        for level in Level::available() {
            for (index, (other, value)) in results(level).into_iter().zip(&values).enumerate() {
                let (x, y) = (x[index], y[index]);
                assert_eq!(
                    canonical(other),
                    canonical(*value),
                    "{function:?}({x:e}, {y:e}): {level:?} gives {other:e}"
                );
            }
        }
        let (mut worst, mut at) = (0.0, (0.0, 0.0));
        for (index, value) in values.into_iter().enumerate() {
            let (x, y) = (x[index], y[index]);
            if index < 100_000 {
                let scalar = apply_binary::<Real<Fused>>(function, x.into(), y.into()).get();
                assert_eq!(canonical(scalar), canonical(value), "{function:?}({x:e}, {y:e}) is {scalar:e}");
            }
            let error = binary_error(function, x, y, value);
            assert!(error <= bound, "{function:?}({x:e}, {y:e}) = {value:e} is {error} units off");
            if error > worst {
                (worst, at) = (error, (x, y));
            }
        }
        println!("| {function:?} | {worst:.3} | {at:?} |");
    }
}

#[test]
fn functions_of_two_numbers_are_within_their_bounds_and_the_same_on_every_level() {
    check_pairs(400_000);
}

#[test]
#[ignore = "many pairs, in a release build"]
fn exhaustive_pairs() {
    check_pairs(16_000_000);
}
