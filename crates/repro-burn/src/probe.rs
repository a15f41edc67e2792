//! The numerics probe: does this device compute the bits of the contract?
//!
//! Every forwarded and replaced float op of [`Repro`](super::Repro), the fast ones too, runs on the device over fixed
//! inputs (every kind of number, every length at which an algorithm changes), in portable arithmetic, and products in
//! mixed precision too. What it gives is compared with digests of the reference that are part of the source,
//! `probe.txt`. A device that differs in one bit anywhere is refused with the op, the input, the expected and the
//! actual number; these come from the CPU, where the same op is done again. Integer and truth-value ops are probed only
//! as far as the float ops here use them.
//!
//! What a passed probe shows is that device, driver and compiler gave the right bits for these inputs, once. It is no
//! proof for all inputs, and none against a device that computes differently when it is hot.
//!
//! # Adding an op
//! One entry in one of the lists below `probe/`, behind the ops it is made of, with sizes that other entries have: a
//! slow device spends its time on compiling a kernel for every function, geometry and layout. Then
//! `SPECTRAMIND_UPDATE=1 cargo test --package repro-burn --lib probe`, which computes its digest with plain scalar code. A test fails for a
//! float method that the backend implements and nobody probes.

mod arithmetic;
mod bench;
mod convolution;
mod failure;
mod input;
mod movement;
mod native;
mod norm;
mod op;
mod product;
mod reduction;
mod resampling;
mod subnormals;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn_backend::tensor::Device;
use burn_flex::Flex;

use self::bench::{Bench, Case};
use self::op::{Op, ops};
use super::kernels::Kernels;
use super::{Arithmetic, NUMERICS_VERSION, with_arithmetic};
use blake3::Hash;

use crate::hasher::DomainHasher;

pub use self::bench::{Kind, Number};
pub use self::failure::{Difference, ProbeFailure};
pub use self::native::{WrongProduct, native_products};
pub use self::subnormals::{Subnormals, subnormals};

/// What every op gives: its name and its digest, an op per line.
const DIGESTS: &str = include_str!("probe.txt");

/// A device that passed the probe.
///
/// Only the probe makes this value, so whoever asks for one cannot forget to probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    digest: Hash,
}

impl Probed {
    /// Digest over the bits that the device computed: one for all devices that have the same types.
    pub fn digest(&self) -> Hash {
        self.digest
    }
}

/// How a device does one op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// With the bits of the reference.
    Equal,
    /// Not at all: the device lacks a type that portable runs can do without.
    Absent,
    /// Otherwise.
    Failed(ProbeFailure),
}

/// One probed op and how a device does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The family of ops it belongs to.
    pub group: &'static str,
    /// The op: a method of Burn's backend traits, and of several entries for it which one.
    pub op: &'static str,
    /// How the device does it.
    pub verdict: Verdict,
}

/// How a device does every op: what a person is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report(Vec<Judged>);

impl Report {
    /// Every op, in the order in which they were probed.
    pub fn ops(&self) -> &[Judged] {
        &self.0
    }

    /// What [`probe`] returns for this device.
    ///
    /// # Errors
    /// The first op that failed.
    pub fn probed(&self) -> Result<Probed, ProbeFailure> {
        conclude(self.0.iter().cloned())
    }
}

/// Runs every op on `device`, until one fails.
///
/// # Errors
/// The first op that has other bits than the reference, or panics.
pub fn probe<B: Kernels>(device: &Device<B>) -> Result<Probed, ProbeFailure> {
    conclude(judged::<B>(device))
}

/// Runs every op on `device`, also after one failed.
pub fn report<B: Kernels>(device: &Device<B>) -> Report {
    Report(judged::<B>(device).collect())
}

fn conclude(judged: impl Iterator<Item = Judged>) -> Result<Probed, ProbeFailure> {
    let mut hasher = DomainHasher::new("spectramind/numerics-probed/v1");
    hasher.u64(NUMERICS_VERSION.into());
    for Judged { op, verdict, .. } in judged {
        match verdict {
            // An op that is equal gave the stored digest.
            Verdict::Equal => hasher.field(op.as_bytes()).digest(&stored(op)),
            Verdict::Absent => continue,
            Verdict::Failed(failure) => return Err(failure),
        };
    }
    Ok(Probed { digest: hasher.finish() })
}

fn judged<B: Kernels>(device: &Device<B>) -> impl Iterator<Item = Judged> {
    // The list is in the same order for every backend, so the reference is found by its position.
    ops::<B>().into_iter().enumerate().map(move |(index, op)| {
        let verdict = judge(index, &op, device);
        Judged { group: op.group, op: op.name, verdict }
    })
}

fn judge<B: Kernels>(index: usize, op: &Op<B>, device: &Device<B>) -> Verdict {
    let lacks = || op.needs.is_some_and(|dtype| !B::supports_dtype(device, dtype));
    // A panic is left to `run`, which reports it.
    if catch_unwind(AssertUnwindSafe(lacks)).unwrap_or(false) {
        return Verdict::Absent;
    }
    let failed = |difference| Verdict::Failed(ProbeFailure { op: op.name, difference });
    let got = match run(op, device) {
        Ok(cases) => cases,
        Err(message) => return failed(Difference::Panicked { message }),
    };
    let (expected, digest) = (stored(op.name), bench::digest(op.name, &got));
    if digest == expected {
        return Verdict::Equal;
    }
    let unexplained = Difference::Reference { expected, got: digest };
    let reference = run_reference(index).ok().filter(|cases| bench::digest(op.name, cases) == expected);
    failed(reference.and_then(|reference| failure::difference(&got, &reference)).unwrap_or(unexplained))
}

/// What an op gives on a device, or how it panicked: the backend traits cannot return errors.
fn run<B: Kernels>(op: &Op<B>, device: &Device<B>) -> Result<Vec<Case>, String> {
    let cases = catch_unwind(AssertUnwindSafe(|| {
        // The contract's own arithmetic, also where a run in another one asks.
        with_arithmetic(Arithmetic::PORTABLE, || {
            let mut bench = Bench::new(device);
            (op.run)(&mut bench);
            bench.cases()
        })
    }));
    cases.map_err(|payload| match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().map_or_else(|_| "no message".to_owned(), |text| (*text).to_owned()),
    })
}

fn run_reference(index: usize) -> Result<Vec<Case>, String> {
    let reference = || run(&ops::<Flex>()[index], &Default::default());
    #[cfg(test)]
    let reference = || super::fault::without_fault(reference);
    reference()
}

/// The digest of the reference for an op.
///
/// # Panics
/// When the op has no line, which a test rules out.
fn stored(op: &str) -> Hash {
    let line = DIGESTS.lines().find_map(|line| line.strip_prefix(op)?.strip_prefix(": "));
    let digest = line.unwrap_or_else(|| panic!("`{op}` has no digest: {REWRITE}"));
    digest.parse().expect("a line of probe.txt ends in a digest")
}

/// What writes the digests.
const REWRITE: &str = "SPECTRAMIND_UPDATE=1 cargo test --lib probe";

#[cfg(test)]
mod tests;
