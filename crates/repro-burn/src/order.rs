//! Sorting, on the host: a stable order that no backend and no version of the standard library can change.
//!
//! Order: IEEE 754 `totalOrder` on values whose NaNs are canonical, so −0 < +0 and NaN is above +∞. Equal elements keep
//! their ascending index, also when the order is descending. Burn's own fallback sorts unstably.

use std::cmp::Ordering;

use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{IntDType, Shape, TensorData, TensorMetadata, try_read_sync};

use super::backend::Repro;
use super::kernels::Kernels;

/// The indices that sort a float tensor along `dim`.
pub(super) fn float_argsort<B: Kernels>(
    tensor: FloatTensor<B>,
    dim: usize,
    descending: bool,
    out_dtype: IntDType,
) -> IntTensor<B> {
    let device = B::float_device(&tensor);
    let shape = tensor.shape();
    let data = read(<Repro<B> as FloatTensorOps<Repro<B>>>::float_into_data(tensor));
    let values: Vec<f64> = data.iter::<f64>().collect();
    let order = argsort(&values, &shape, dim, |a, b| directed(a.total_cmp(b), descending));
    B::int_from_data(TensorData::new(order, shape).convert_dtype(out_dtype.into()), &device)
}

/// The indices that sort an integer tensor along `dim`, in that tensor's own dtype.
pub(super) fn int_argsort<B: Kernels>(tensor: IntTensor<B>, dim: usize, descending: bool) -> IntTensor<B> {
    let device = B::int_device(&tensor);
    let (shape, dtype) = (tensor.shape(), tensor.dtype());
    let data = read(B::int_into_data(tensor));
    // i128 holds every i64 and every u64.
    let values: Vec<i128> = if dtype.is_uint() {
        data.iter::<u64>().map(i128::from).collect()
    } else {
        data.iter::<i64>().map(i128::from).collect()
    };
    let order = argsort(&values, &shape, dim, |a, b| directed(a.cmp(b), descending));
    B::int_from_data(TensorData::new(order, shape).convert_dtype(dtype), &device)
}

/// The elements of a tensor, at once.
pub(super) fn read<E: std::fmt::Debug>(data: impl Future<Output = Result<TensorData, E>>) -> TensorData {
    try_read_sync(data).expect("a native device is read at once").expect("the tensor can be read")
}

fn directed(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}

fn argsort<T>(values: &[T], shape: &Shape, dim: usize, order: impl Fn(&T, &T) -> Ordering) -> Vec<i64> {
    let length = shape[dim];
    let inner: usize = shape[dim + 1..].iter().product();
    let mut sorted = vec![0; values.len()];
    if values.is_empty() {
        return sorted;
    }
    let mut lane: Vec<usize> = Vec::with_capacity(length);
    for block in (0..values.len()).step_by(length * inner) {
        for start in block..block + inner {
            lane.clear();
            lane.extend(0..length);
            lane.sort_by(|a, b| order(&values[start + a * inner], &values[start + b * inner]));
            for (position, index) in lane.iter().enumerate() {
                sorted[start + position * inner] = *index as i64;
            }
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_keep_ascending_indices_in_both_directions() {
        let values = [2, 1, 2, 1, 2];
        let shape = Shape::new([5]);
        let sorted = |descending| argsort(&values, &shape, 0, |a: &i32, b| directed(a.cmp(b), descending));
        assert_eq!(sorted(false), [1, 3, 0, 2, 4]);
        assert_eq!(sorted(true), [0, 2, 4, 1, 3]);
    }

    #[test]
    fn a_middle_dimension_is_sorted_lane_by_lane() {
        let values = [3, 0, 2, 1, 1, 2, 0, 1, 2, 0, 1, 2];
        let sorted = argsort(&values, &Shape::new([2, 3, 2]), 1, |a: &i32, b| a.cmp(b));
        assert_eq!(sorted, [2, 0, 1, 1, 0, 2, 0, 1, 2, 0, 1, 2]);
    }
}
