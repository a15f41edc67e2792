//! One probed op: a backend method and how it is exercised. An entry in one of the lists beside this file is all that a
//! new op needs, with its digest.

use burn_backend::DType;

use super::bench::Bench;
use super::{arithmetic, convolution, movement, norm, product, reduction, resampling};
use crate::kernels::Kernels;

/// A backend method and how it is exercised.
pub struct Op<B: Kernels> {
    /// The family it belongs to.
    pub group: &'static str,
    /// The method, and of several entries for it what this one is about: `float_cast to f16`.
    pub name: &'static str,
    /// The type without which a device cannot be asked.
    pub needs: Option<DType>,
    /// Runs it on a device.
    pub run: fn(&mut Bench<'_, B>),
}

/// An op of f32, which every device has.
pub fn op<B: Kernels>(name: &'static str, run: fn(&mut Bench<'_, B>)) -> Op<B> {
    Op { group: "", name, needs: None, run }
}

/// An op of another type, on devices that have it.
pub fn op_of<B: Kernels>(needs: DType, name: &'static str, run: fn(&mut Bench<'_, B>)) -> Op<B> {
    Op { needs: Some(needs), ..op(name, run) }
}

/// Every probed op, after those it is made of: so the first that fails is the one at fault.
pub fn ops<B: Kernels>() -> Vec<Op<B>> {
    let groups = [
        ("movement", movement::ops()),
        ("arithmetic", arithmetic::ops()),
        ("reduction", reduction::ops()),
        ("product", product::ops()),
        ("convolution", convolution::ops()),
        ("resampling", resampling::ops()),
        ("normalisation", norm::ops()),
    ];
    groups.into_iter().flat_map(|(group, ops)| ops.into_iter().map(move |op| Op { group, ..op })).collect()
}
