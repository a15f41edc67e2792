//! Statistics of a whole batch, where it is computed in parts: what [`BatchNorm`](super::BatchNorm) asks.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::FloatTensor;
use burn_backend::{TensorData, TensorMetadata, try_read_sync};

use super::backend::Repro;
use super::kernels::Kernels;

/// What adds up the sums of the parts of a batch.
///
/// A part waits inside of [`sum`](Self::sum) until all others have come there, so each needs a thread of its own: not a task of a
/// pool that may have fewer. All parts ask for the same sums in the same order, those of their forward passes, then those of
/// their backward passes.
///
/// # No two parts may share a node of an autodiff graph
/// Burn's `backward` (burn-autodiff 0.21, `runtime/graph.rs`) holds the lock of its graph while it computes, so also while it waits
/// here. Graphs that share a node, as those of clones of one parameter do, are one graph with one lock, and the parts would wait
/// for each other for ever: each part's model is made of new leaves. Between separate graphs nothing is held: the lock of the
/// table of all graphs is taken to register an op and to clean up after a backward pass, but not while it computes.
///
/// # One backward pass after each forward pass
/// A backward pass that is done looks into every other graph of the process, and waits there for those that are computing. So
/// a part that is done with a first backward pass must not be awaited by another one inside its second. With a forward pass
/// through a batch norm in between it is not, because there the parts wait for each other before the second begins.
pub trait BatchStatistics: Send + Sync {
    /// The sums over all parts of the batch of each of `values`, of which each part has as many, and of `count`; every part gets
    /// the same.
    ///
    /// Floats are added in a tree over the parts that splits at the largest power of two below its width, rounded to f32 each.
    fn sum(&self, values: Vec<f32>, count: u64) -> (Vec<f32>, u64);
}

thread_local! {
    static SCOPE: RefCell<Option<Exchange>> = const { RefCell::new(None) };
}

/// Runs `body` with every [`BatchNorm`](super::BatchNorm) that this thread calls in it normalising by the statistics of the whole
/// batch, of which this thread has a part.
///
/// The gradients are those of the whole batch too, wherever and whenever they are computed; those of the parameters are the
/// part's own. With one part the bits are those without it.
pub fn with_batch_statistics<R>(exchange: Arc<dyn BatchStatistics>, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<Exchange>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0.take());
        }
    }
    let _restore = Restore(SCOPE.replace(Some(Exchange(exchange))));
    body()
}

/// What a batch norm of this thread has to ask.
pub fn in_force() -> Option<Exchange> {
    SCOPE.with_borrow(Clone::clone)
}

/// The way to the sums of all parts.
#[derive(Clone)]
pub struct Exchange(Arc<dyn BatchStatistics>);

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

impl Exchange {
    /// The sums over all parts of each element of `tensors`, `[channels]`, and of `count`.
    ///
    /// # Panics
    /// When the device cannot be read, or another number of sums comes back.
    pub fn sum<B: Kernels, const N: usize>(
        &self,
        tensors: [FloatTensor<B>; N],
        count: u64,
    ) -> ([FloatTensor<B>; N], u64) {
        let device = B::float_device(&tensors[0]);
        let shape = tensors[0].shape();
        let mut values = Vec::with_capacity(N * shape.num_elements());
        for tensor in tensors {
            let read = try_read_sync(Repro::<B>::float_into_data(tensor)).expect("a host that can wait for its device");
            values.extend(read.expect("a device that answers").to_vec::<f32>().expect("f32"));
        }
        let length = values.len();
        let (sums, count) = self.0.sum(values, count);
        assert_eq!(sums.len(), length, "sums of all parts of a batch");
        let mut parts = sums.chunks_exact(length / N);
        let tensors = [(); N].map(|()| {
            let part = parts.next().expect("N parts").to_vec();
            Repro::<B>::float_from_data(TensorData::new(part, shape.clone()), &device)
        });
        (tensors, count)
    }
}
