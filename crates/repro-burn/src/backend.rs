//! The decorator itself: which types it shares with the backend below it.

use std::fmt;
use std::marker::PhantomData;

use burn_backend::{Backend, BackendTypes, DType, DTypeUsageSet, ExecutionError, TensorData};

use super::kernels::Kernels;
use super::random;

/// A Burn backend with the tensors and devices of `B` whose results have the bits this module specifies.
///
/// `Autodiff<Repro<B>>` trains any Burn model reproducibly: its gradients are made of the same ops.
pub struct Repro<B>(PhantomData<B>);

impl<B> Clone for Repro<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Repro<B> {}

impl<B> Default for Repro<B> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<B> fmt::Debug for Repro<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Repro")
    }
}

impl<B: Kernels> BackendTypes for Repro<B> {
    type Device = B::Device;

    type FloatTensorPrimitive = B::FloatTensorPrimitive;
    type FloatElem = B::FloatElem;

    type IntTensorPrimitive = B::IntTensorPrimitive;
    type IntElem = B::IntElem;

    type BoolTensorPrimitive = B::BoolTensorPrimitive;
    type BoolElem = B::BoolElem;

    type QuantizedTensorPrimitive = B::QuantizedTensorPrimitive;
}

impl<B: Kernels> Backend for Repro<B> {
    fn name(device: &Self::Device) -> String {
        format!("repro<{}>", B::name(device))
    }

    /// Gives the calling thread a source of random tensors of its own: that of `seed`, from its beginning.
    ///
    /// It serves Burn code outside of the engine and of [`with_random`](super::with_random). Burn's own seed is one state
    /// of the whole process, so that what a thread draws depends on what others drew before; here a thread that has not
    /// called it has no source. All devices share it.
    ///
    /// # Panics
    /// Inside a [`with_random`](super::with_random) or [`with_arithmetic`](super::with_arithmetic) scope: a training run
    /// has its own generator, whose numbers a seed would leave as they are or make depend on the order of calls.
    fn seed(_device: &Self::Device, seed: u64) {
        random::seed(seed);
    }

    fn sync(device: &Self::Device) -> Result<(), ExecutionError> {
        B::sync(device)
    }

    fn memory_persistent_allocations<Output: Send, Input: Send, Func: Fn(Input) -> Output + Send>(
        device: &Self::Device,
        input: Input,
        func: Func,
    ) -> Output {
        B::memory_persistent_allocations(device, input, func)
    }

    fn memory_cleanup(device: &Self::Device) {
        B::memory_cleanup(device);
    }

    fn staging<'a, Iter>(data: Iter, device: &Self::Device)
    where
        Iter: Iterator<Item = &'a mut TensorData>,
    {
        B::staging(data, device);
    }

    fn supports_dtype(device: &Self::Device, dtype: DType) -> bool {
        B::supports_dtype(device, dtype)
    }

    fn dtype_usage(device: &Self::Device, dtype: DType) -> DTypeUsageSet {
        B::dtype_usage(device, dtype)
    }

    fn device_count(type_id: u16) -> usize {
        B::device_count(type_id)
    }
}
