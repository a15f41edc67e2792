//! What the ops of a thread gave, for whoever looks for the first one that differs between two devices or programs.
//!
//! Where nobody listens it costs a look at a thread-local flag per op.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use burn_backend::ops::{
    DeformConv2dBackward, MaxPool1dBackward, MaxPool1dWithIndices, MaxPool2dBackward, MaxPool2dWithIndices,
};
use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{DType, TensorData, TensorMetadata};

use super::Repro;
use super::kernels::Kernels;

/// Hears of an op's method name and of a tensor that it gave: floats or integers; of several, one after the other.
type Listener = Rc<RefCell<dyn FnMut(&'static str, TensorData)>>;

thread_local! {
    static IS_HEARD: Cell<bool> = const { Cell::new(false) };
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Runs `body` with `listener` hearing of every op that this thread calls in it, in order. Every tensor is copied to the host for
/// that.
///
/// Scopes nest: the outer one goes on when the inner one ends, also by a panic. A rayon worker that waits inside one may run
/// another job, which has to have a scope of its own, or [`without_trace`].
pub fn with_trace<R>(listener: impl FnMut(&'static str, TensorData) + 'static, body: impl FnOnce() -> R) -> R {
    scoped(Some(Rc::new(RefCell::new(listener))), body)
}

/// Runs `body` with nobody listening.
pub fn without_trace<R>(body: impl FnOnce() -> R) -> R {
    scoped(None, body)
}

fn scoped<R>(listener: Option<Listener>, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<Listener>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let listener = self.0.take();
            IS_HEARD.set(listener.is_some());
            LISTENER.set(listener);
        }
    }
    let is_heard = listener.is_some();
    let _restore = Restore(LISTENER.replace(listener));
    IS_HEARD.set(is_heard);
    body()
}

/// Does an op, and tells what it gave if anybody listens.
#[inline]
pub(super) fn traced<B: Kernels, T: 'static>(op: &'static str, method: impl FnOnce() -> T) -> T {
    let result = method();
    if IS_HEARD.get() {
        tell::<B>(op, &result);
    }
    result
}

#[cold]
fn tell<B: Kernels>(op: &'static str, result: &dyn Any) {
    let Some(listener) = LISTENER.with_borrow(Clone::clone) else { return };
    // Reading a tensor calls no op of ours, but nothing that it calls is to be heard of either.
    without_trace(|| {
        for data in tensors::<B>(result) {
            listener.borrow_mut()(op, data);
        }
    });
}

/// The tensors of what an op gave; none of truth values, futures and nothing.
fn tensors<B: Kernels>(result: &dyn Any) -> Vec<TensorData> {
    let found = if let Some((first, second)) = result.downcast_ref::<(FloatTensor<B>, FloatTensor<B>)>() {
        vec![either::<B>(first), either::<B>(second)]
    } else if let Some((first, second)) = result.downcast_ref::<(FloatTensor<B>, IntTensor<B>)>() {
        vec![float::<B>(first), integer::<B>(second)]
    } else if let Some(pooled) = result.downcast_ref::<MaxPool1dWithIndices<Repro<B>>>() {
        vec![float::<B>(&pooled.output), integer::<B>(&pooled.indices)]
    } else if let Some(pooled) = result.downcast_ref::<MaxPool2dWithIndices<Repro<B>>>() {
        vec![float::<B>(&pooled.output), integer::<B>(&pooled.indices)]
    } else if let Some(gradient) = result.downcast_ref::<MaxPool1dBackward<Repro<B>>>() {
        vec![float::<B>(&gradient.x_grad)]
    } else if let Some(gradient) = result.downcast_ref::<MaxPool2dBackward<Repro<B>>>() {
        vec![float::<B>(&gradient.x_grad)]
    } else if let Some(gradient) = result.downcast_ref::<DeformConv2dBackward<Repro<B>>>() {
        let others = [&gradient.offset_grad, &gradient.weight_grad].map(|gradient| float::<B>(gradient));
        let mask = gradient.mask_grad.as_ref().and_then(|mask| float::<B>(mask));
        let bias = gradient.bias_grad.as_ref().and_then(|bias| float::<B>(bias));
        [float::<B>(&gradient.x_grad)].into_iter().chain(others).chain([mask, bias]).collect()
    } else if let Some(tensor) = result.downcast_ref::<FloatTensor<B>>() {
        vec![either::<B>(tensor)]
    } else if let Some(tensor) = result.downcast_ref::<IntTensor<B>>() {
        vec![integer::<B>(tensor)]
    } else {
        Vec::new()
    };
    found.into_iter().flatten().collect()
}

fn float<B: Kernels>(tensor: &FloatTensor<B>) -> Option<TensorData> {
    tensor.dtype().is_float().then(|| B::float_into_data(tensor.clone())).and_then(read)
}

fn integer<B: Kernels>(tensor: &IntTensor<B>) -> Option<TensorData> {
    tensor.dtype().is_int().then(|| B::int_into_data(tensor.clone())).and_then(read)
}

/// A tensor of the type of floats, which on some backends is that of integers, too.
fn either<B: Kernels>(tensor: &FloatTensor<B>) -> Option<TensorData> {
    match tensor.dtype().is_float() {
        true => float::<B>(tensor),
        false => (tensor as &dyn Any).downcast_ref::<IntTensor<B>>().and_then(integer::<B>),
    }
}

/// What comes of a read that is done, as the CPU's and, after waiting, a GPU's are.
fn read<E>(future: impl Future<Output = Result<TensorData, E>> + Send) -> Option<TensorData> {
    burn_backend::read_sync(future).ok().map(canonical)
}

fn canonical(data: TensorData) -> TensorData {
    if data.dtype == DType::F32 { super::float::canonical_nans(data) } else { data }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use super::*;
    use crate::Cpu;

    fn heard(body: impl FnOnce()) -> Vec<(&'static str, Vec<usize>)> {
        let heard = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&heard);
        with_trace(move |op, data| sink.borrow_mut().push((op, data.shape.to_vec())), body);
        heard.take()
    }

    fn tensor() -> Tensor<Cpu, 2> {
        Tensor::from_data([[1.0_f32, 2.0], [3.0, 4.0]], &Default::default())
    }

    #[test]
    fn ops_are_heard_of_in_order_with_what_they_gave_and_only_inside_of_the_scope() {
        let outside = tensor();
        let ops = heard(|| drop(outside.clone().matmul(outside.clone()).exp().sum()));
        assert_eq!(ops.first(), Some(&("float_matmul", vec![2, 2])));
        assert_eq!(ops[1], ("float_exp", vec![2, 2]));
        assert_eq!(ops.last().map(|(op, shape)| (*op, shape.len())), Some(("float_sum", 1)));
        assert_eq!(heard(|| without_trace(|| drop(outside.clone().exp()))), []);
        let ops = heard(|| drop(outside.clone().argmax(1)));
        assert!(ops.iter().any(|(op, shape)| *op == "float_argmax" && *shape == [2, 1]), "integers, too: {ops:?}");
    }

    #[test]
    fn a_scope_within_another_leaves_it_as_it_was() {
        let outside = tensor();
        let ops = heard(|| {
            let _ = heard(|| drop(outside.clone().exp()));
            drop(outside.clone().log());
        });
        assert_eq!(ops, [("float_log", vec![2, 2])]);
    }
}
