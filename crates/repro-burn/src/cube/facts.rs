//! What a device computes by itself, found out by trying: the compilers and drivers in between do not say.

use std::sync::Mutex;

use burn_cubecl::CubeRuntime;
use cubecl::ir::{ElemType, FloatKind, UIntKind};
use cubecl::prelude::*;

use super::launch::threads;
use super::{division, fma, root};
use crate::rng::{CounterRng, Stream};

/// How a · b + c is computed with one rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FmaKind {
    /// By the device's own instruction.
    Native,
    /// By f64 arithmetic.
    Float64,
    /// By 64-bit integers.
    Integer,
}

/// How an operation is rounded correctly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// By the device's own instruction.
    Native,
    /// By 64-bit integers.
    Integer,
}

/// The way to each operation that not every device rounds correctly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exact {
    /// Fused multiply-add.
    pub fma: FmaKind,
    /// Division.
    pub division: Rounding,
    /// Square root.
    pub root: Rounding,
}

/// What a device does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The way to each operation here.
    pub exact: Exact,
    /// Whether its `fma` has one rounding.
    pub fused_fma: bool,
    /// Whether a product and a sum written as two operations became one with one rounding.
    pub contracts: bool,
    /// Whether it keeps subnormal operands and results.
    pub subnormals: bool,
    /// Whether it has f64.
    pub float64: bool,
    /// Whether it has 64-bit integers, without which nothing can be made exact.
    pub integer64: bool,
}

/// Triples tried.
const COUNT: usize = 4096;
/// Bits that no trial expects: a NaN with a payload of its own.
const UNWRITTEN: u32 = 0x7fa5_a5a5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Trial {
    Fma(FmaKind),
    MultiplyAdd,
    Divide(Rounding),
    Root(Rounding),
}

impl Trial {
    fn expected(self, a: f32, b: f32, c: f32) -> f32 {
        match self {
            Self::Fma(_) => a.mul_add(b, c),
            Self::MultiplyAdd => a * b + c,
            Self::Divide(_) => a / b,
            Self::Root(_) => a.sqrt(),
        }
    }
}

#[cube(launch_unchecked)]
fn attempt(a: &Array<f32>, b: &Array<f32>, c: &Array<f32>, out: &mut Array<f32>, zero: u32, #[comptime] trial: Trial) {
    let i = ABSOLUTE_POS;
    if i < out.len() {
        out[i] = match trial {
            Trial::Fma(kind) => fma::fused(a[i], b[i], c[i], zero, kind),
            Trial::MultiplyAdd => a[i] * b[i] + c[i],
            Trial::Divide(kind) => division::divide(a[i], b[i], zero, kind),
            Trial::Root(kind) => root::square_root(a[i], zero, kind),
        };
    }
}

/// What the device does, found out once per process.
pub fn facts<R: CubeRuntime>(device: &R::Device) -> Facts {
    static KNOWN: Mutex<Vec<(String, Facts)>> = Mutex::new(Vec::new());
    let client = R::client(device);
    let key = format!("{} {device:?}", R::name(&client));
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, facts)) = known.iter().find(|(name, _)| *name == key) {
        return *facts;
    }
    let facts = find_out(&client);
    known.push((key, facts));
    facts
}

fn find_out<R: CubeRuntime>(client: &ComputeClient<R>) -> Facts {
    let has = |elem: ElemType| client.properties().supports_type(elem);
    let (float64, integer64) = (has(FloatKind::F64.into()), has(UIntKind::U64.into()));
    let correct = |trial| first_difference(client, trial, trial, &triples(1)).is_none();
    let fused_fma = correct(Trial::Fma(FmaKind::Native));
    // SPIR-V's multiply and add may be fused in one kernel and not in the next: only a real instruction is relied on.
    let instruction = matches!(R::name(client), "cuda" | "hip");
    // Without 64-bit integers nothing is left: the kernels do not compile, and the probe refuses the device.
    let fma = if instruction && fused_fma {
        FmaKind::Native
    } else if float64 && integer64 && correct(Trial::Fma(FmaKind::Float64)) {
        FmaKind::Float64
    } else {
        FmaKind::Integer
    };
    // Vulkan promises 2.5 units in the last place, and a driver may divide by a constant in another way than by a
    // variable: some thousand right results prove nothing there.
    let rounding = |trial: fn(Rounding) -> Trial| {
        if instruction && correct(trial(Rounding::Native)) { Rounding::Native } else { Rounding::Integer }
    };
    let exact = Exact { fma, division: rounding(Trial::Divide), root: rounding(Trial::Root) };
    let multiply_add =
        |expected, inputs: [Vec<f32>; 3]| first_difference(client, Trial::MultiplyAdd, expected, &inputs).is_none();
    let contracts = multiply_add(Trial::Fma(FmaKind::Native), ordinary());
    let subnormals = multiply_add(Trial::MultiplyAdd, tiny());
    Facts { exact, fused_fma, contracts, subnormals, float64, integer64 }
}

/// The first triple for which `trial` on the device is not what `expected` is on the host, with that and what it is.
pub(super) fn first_difference<R: CubeRuntime>(
    client: &ComputeClient<R>,
    trial: Trial,
    expected: Trial,
    [a, b, c]: &[Vec<f32>; 3],
) -> Option<[f32; 5]> {
    let upload = |values: &[f32]| client.create_from_slice(f32::as_bytes(values));
    // Not what an earlier trial left: a launch that fails must not look right.
    let out = client.create_from_slice(u32::as_bytes(&[UNWRITTEN; COUNT]));
    let (count, dim) = threads(client, COUNT);
    let argument = |handle| {
        // SAFETY: every buffer has COUNT elements.
        unsafe { ArrayArg::from_raw_parts(handle, COUNT) }
    };
    // SAFETY: threads beyond the buffers do nothing.
    unsafe {
        attempt::launch_unchecked::<R>(
            client,
            count,
            dim,
            argument(upload(a)),
            argument(upload(b)),
            argument(upload(c)),
            argument(out.clone()),
            0,
            trial,
        );
    }
    let unwritten = || vec![f32::from_bits(UNWRITTEN); COUNT];
    let got = client.read_one(out).map_or_else(|_| unwritten(), |bytes| f32::from_bytes(&bytes).to_vec());
    let canonical = |x: f32| if x.is_nan() && x.to_bits() != UNWRITTEN { 0x7fc0_0000 } else { x.to_bits() };
    (0..COUNT)
        .map(|i| [a[i], b[i], c[i], expected.expected(a[i], b[i], c[i]), got[i]])
        .find(|[.., expected, got]| canonical(*expected) != canonical(*got))
}

/// Triples in which every way to be wrong shows: random bits, cancelling terms, ties, specials.
pub(super) fn triples(seed: u64) -> [Vec<f32>; 3] {
    let special = [0.0, -0.0, 1.0, f32::MIN_POSITIVE, -1e-45, f32::MAX, f32::INFINITY, f32::NAN, 1.0 + f32::EPSILON];
    made(seed, |rng, index| {
        let random = |k: u64| f32::from_bits(rng.u32(8 * index + k));
        let near_one = |k: u64| f32::from_bits(0x3f00_0000 | rng.u32(8 * index + k) & 0x00ff_ffff);
        let pick = |k: u64| special[rng.u32(8 * index + k) as usize % special.len()];
        let (a, b) = match index % 3 {
            0 => (random(0), random(1)),
            1 => (near_one(0), near_one(1)),
            _ => (pick(0), random(1)),
        };
        let c = match index % 5 {
            0 => random(2),
            1 => -(a * b),
            2 => -(a * b) * (1.0 + f32::EPSILON),
            3 => a * b * f32::from_bits(0x3300_0000),
            _ => pick(3),
        };
        [a, b, c]
    })
}

/// Triples near 1, where only the roundings differ.
fn ordinary() -> [Vec<f32>; 3] {
    made(1, |rng, index| [0, 1, 2].map(|k| 0.5 + rng.uniform_f32(4 * index + k)))
}

/// Triples of subnormal products and sums.
fn tiny() -> [Vec<f32>; 3] {
    made(1, |rng, index| {
        let subnormal = |k: u64| f32::from_bits(rng.u32(4 * index + k) & 0x007f_ffff);
        [subnormal(0), 1.0, subnormal(2)]
    })
}

fn made(seed: u64, triple: impl Fn(&CounterRng, u64) -> [f32; 3]) -> [Vec<f32>; 3] {
    let rng = CounterRng::new(seed, Stream::workload(0), 0);
    let triples: Vec<[f32; 3]> = (0..COUNT as u64).map(|index| triple(&rng, index)).collect();
    [0, 1, 2].map(|k| triples.iter().map(|triple| triple[k]).collect())
}
