//! For tests only: makes one backend method wrong by one unit in the last place, to show that the probe, or a dispute, notices.

use std::any::Any;
use std::cell::Cell;

use burn_backend::ops::{
    DeformConv2dBackward, MaxPool1dBackward, MaxPool1dWithIndices, MaxPool2dBackward, MaxPool2dWithIndices,
};
use burn_backend::{DType, TensorData, bf16, f16};
use burn_flex::FlexTensor;

use super::Cpu;

thread_local! {
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Fault {
    op: &'static str,
    /// How many calls of it are still right; `None` where all are wrong.
    right: Option<u64>,
}

/// Runs `body` with the method `op` of the CPU backend broken on this thread.
pub fn with_fault<R>(op: &'static str, body: impl FnOnce() -> R) -> R {
    scoped(Some(Fault { op, right: None }), body)
}

/// Runs `body` with one call of the method `op` of the CPU backend on this thread broken: the one after so many `right` ones.
pub fn with_fault_after<R>(op: &'static str, right: u64, body: impl FnOnce() -> R) -> R {
    scoped(Some(Fault { op, right: Some(right) }), body)
}

/// Runs `body` with nothing broken: what a probe compares a faulty device with.
pub fn without_fault<R>(body: impl FnOnce() -> R) -> R {
    scoped(None, body)
}

fn scoped<R>(fault: Option<Fault>, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<Fault>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FAULT.set(self.0);
        }
    }
    let _restore = Restore(FAULT.replace(fault));
    body()
}

/// What the method `op` gives, wrong in one element if that method is broken.
///
/// # Panics
/// When the method is broken and its result is nothing that could be made wrong.
pub fn disturbed<T: 'static>(op: &str, method: impl FnOnce() -> T) -> T {
    let result = method();
    let Some(fault) = FAULT.get().filter(|fault| fault.op == op) else { return result };
    match fault.right {
        None => {}
        Some(0) => FAULT.set(None),
        Some(right) => {
            FAULT.set(Some(Fault { right: Some(right - 1), ..fault }));
            return result;
        }
    }
    let result = wrong(Box::new(result)).unwrap_or_else(|| panic!("the result of `{op}` holds no tensor of the CPU"));
    *result.downcast().expect("a wrong result has the type of the right one")
}

fn wrong(result: Box<dyn Any>) -> Option<Box<dyn Any>> {
    let result = match result.downcast::<FlexTensor>() {
        Ok(tensor) => return Some(Box::new(one_step_off(*tensor))),
        Err(result) => result,
    };
    let result = match result.downcast::<(FlexTensor, FlexTensor)>() {
        Ok(pair) => return Some(Box::new((one_step_off(pair.0), pair.1))),
        Err(result) => result,
    };
    let result = match result.downcast::<MaxPool1dWithIndices<Cpu>>() {
        Ok(pooled) => {
            return Some(Box::new(MaxPool1dWithIndices::<Cpu>::new(one_step_off(pooled.output), pooled.indices)));
        }
        Err(result) => result,
    };
    let result = match result.downcast::<MaxPool1dBackward<Cpu>>() {
        Ok(grad) => return Some(Box::new(MaxPool1dBackward::<Cpu>::new(one_step_off(grad.x_grad)))),
        Err(result) => result,
    };
    let result = match result.downcast::<MaxPool2dWithIndices<Cpu>>() {
        Ok(pooled) => {
            return Some(Box::new(MaxPool2dWithIndices::<Cpu>::new(one_step_off(pooled.output), pooled.indices)));
        }
        Err(result) => result,
    };
    let result = match result.downcast::<MaxPool2dBackward<Cpu>>() {
        Ok(grad) => return Some(Box::new(MaxPool2dBackward::<Cpu>::new(one_step_off(grad.x_grad)))),
        Err(result) => result,
    };
    match result.downcast::<DeformConv2dBackward<Cpu>>() {
        Ok(mut grad) => {
            grad.x_grad = one_step_off(grad.x_grad);
            Some(grad)
        }
        Err(_) => None,
    }
}

/// Flips the lowest bit of the middle element, or of the first one after it that is not NaN: all NaNs read the same.
fn one_step_off(tensor: FlexTensor) -> FlexTensor {
    let mut data = tensor.into_data();
    let count = data.num_elements();
    let is_number = number(&data);
    if let Some(element) = (0..count).map(|i| (i + count / 2) % count).find(|element| is_number[*element]) {
        let width = data.as_bytes().len() / count;
        let mut bytes = data.as_bytes().to_vec();
        bytes[element * width] ^= 1;
        data = TensorData::from_bytes_vec(bytes, data.shape, data.dtype);
    }
    FlexTensor::from_data(data)
}

fn number(data: &TensorData) -> Vec<bool> {
    fn all<T: burn_backend::Element>(data: &TensorData, is_nan: impl Fn(&T) -> bool) -> Vec<bool> {
        let values = data.as_slice::<T>().expect("a tensor reads as its dtype");
        values.iter().map(|value| !is_nan(value)).collect()
    }
    match data.dtype {
        DType::F32 => all::<f32>(data, |value| value.is_nan()),
        DType::F16 => all::<f16>(data, |value| value.is_nan()),
        DType::BF16 => all::<bf16>(data, |value| value.is_nan()),
        _ => vec![true; data.num_elements()],
    }
}
