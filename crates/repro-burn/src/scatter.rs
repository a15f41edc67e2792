//! n-dimensional scatter: slices of a tensor at tuples of indices, updated in ascending order of the tuples.
//!
//! The indices are read on the host: there they are checked, and there the updates of one slice are brought in order,
//! whatever the device would do at once. `scatter_nd` is the gradient of `gather_nd`, too.

use burn_backend::ops::IntTensorOps;
use burn_backend::tensor::{FloatTensor, IndexingUpdateOp, IntTensor};
use burn_backend::{DType, Shape, TensorData, TensorMetadata};

use super::backend::Repro;
use super::float::f32_only;
use super::kernels::Kernels;
use super::ops::scatter::{Number, update_rows};
use super::order::read;
use super::table::refuse;

/// `data` with the slices updated that the tuples along the last dimension of `indices` point to.
///
/// # Panics
/// When the shapes do not fit, an index is outside of its dimension, or a tensor is not f32.
pub(super) fn float_scatter_nd<B: Kernels>(
    data: FloatTensor<B>,
    indices: IntTensor<B>,
    values: FloatTensor<B>,
    update: IndexingUpdateOp,
) -> FloatTensor<B> {
    f32_only("float_scatter_nd", &data);
    f32_only("float_scatter_nd", &values);
    let shape = data.shape();
    let Slices { rows, count, columns } = Slices::of::<B>("float_scatter_nd", &shape, indices, &values.shape());
    if rows.is_empty() || columns == 0 {
        return data;
    }
    let data = B::float_reshape(B::dense(data), Shape::from([count, columns]));
    let values = B::float_reshape(B::dense(values), Shape::from([rows.len(), columns]));
    B::float_reshape(B::update_rows(update, data, &rows, values), shape)
}

/// The same of integers, on the host.
///
/// # Panics
/// As [`float_scatter_nd`].
pub(super) fn int_scatter_nd<B: Kernels>(
    data: IntTensor<B>,
    indices: IntTensor<B>,
    values: IntTensor<B>,
    update: IndexingUpdateOp,
) -> IntTensor<B> {
    let device = B::int_device(&data);
    let Slices { rows, columns, .. } = Slices::of::<B>("int_scatter_nd", &data.shape(), indices, &values.shape());
    let mut data = read(B::int_into_data(data));
    let values = read(B::int_into_data(values)).convert_dtype(data.dtype);
    match data.dtype {
        DType::I64 => update_data::<i64>(update, &mut data, &rows, &values, columns),
        DType::I32 => update_data::<i32>(update, &mut data, &rows, &values, columns),
        DType::I16 => update_data::<i16>(update, &mut data, &rows, &values, columns),
        DType::I8 => update_data::<i8>(update, &mut data, &rows, &values, columns),
        DType::U64 => update_data::<u64>(update, &mut data, &rows, &values, columns),
        DType::U32 => update_data::<u32>(update, &mut data, &rows, &values, columns),
        DType::U16 => update_data::<u16>(update, &mut data, &rows, &values, columns),
        DType::U8 => update_data::<u8>(update, &mut data, &rows, &values, columns),
        dtype => refuse(&format!("int_scatter_nd of {dtype:?}")),
    }
    B::int_from_data(data, &device)
}

fn update_data<T: Number + burn_backend::Element>(
    update: IndexingUpdateOp,
    data: &mut TensorData,
    rows: &[usize],
    values: &TensorData,
    columns: usize,
) {
    let values = values.as_slice::<T>().expect("values were converted to the type");
    update_rows(update, data.as_mut_slice::<T>().expect("a tensor reads as its dtype"), rows, values, columns);
}

/// A tensor as rows, one for each tuple of indices that there can be, and which of them are updated.
struct Slices {
    /// The row of each update.
    rows: Vec<usize>,
    /// How many rows there are.
    count: usize,
    /// Elements of a row.
    columns: usize,
}

impl Slices {
    fn of<B: Kernels>(op: &str, data: &Shape, indices: IntTensor<B>, values: &Shape) -> Self {
        let index_shape = indices.shape();
        let (tuple, batch) =
            index_shape.split_last().unwrap_or_else(|| panic!("`{op}` with indices without a dimension"));
        assert!(*tuple <= data.num_dims(), "`{op}` with tuples of {tuple} indices into {data:?}");
        let (indexed, slice) = data.split_at(*tuple);
        assert!(
            values.iter().eq(batch.iter().chain(slice)),
            "`{op}` with values {values:?} for indices {index_shape:?} into {data:?}: expected {:?}",
            [batch, slice].concat()
        );
        let at: Vec<i64> = read(<Repro<B> as IntTensorOps<Repro<B>>>::int_into_data(indices)).iter::<i64>().collect();
        let updates = batch.iter().product();
        let row = |update: usize| {
            let tuple = &at[update * tuple..][..*tuple];
            tuple.iter().zip(indexed).fold(0, |row, (index, size)| {
                let index = usize::try_from(*index).ok().filter(|index| index < size);
                let index = index.unwrap_or_else(|| panic!("`{op}` at {tuple:?}, which is outside of {indexed:?}"));
                row * size + index
            })
        };
        let rows = (0..updates).map(row).collect();
        Self { rows, count: indexed.iter().product(), columns: slice.iter().product() }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::{Int, Tensor};
    use burn_backend::Backend;
    use burn_flex::Flex;

    use super::*;
    use crate::Cpu;
    use crate::cpu::adversarial::{adversarial, bits, on_threads};
    use crate::rng::{CounterRng, Stream};

    const UPDATES: [IndexingUpdateOp; 5] = [
        IndexingUpdateOp::Assign,
        IndexingUpdateOp::Add,
        IndexingUpdateOp::Mul,
        IndexingUpdateOp::Min,
        IndexingUpdateOp::Max,
    ];

    fn of<B: Backend, const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<B, D> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Default::default())
    }

    fn ints<B: Backend, const D: usize>(values: Vec<i64>, shape: [usize; D]) -> Tensor<B, D, Int> {
        Tensor::from_data(TensorData::new(values, shape), &Default::default())
    }

    fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
        tensor.into_data().to_vec().expect("an f32 tensor")
    }

    fn indices(count: u64, below: u64) -> Vec<i64> {
        let rng = CounterRng::new(1, Stream::workload(6), 0);
        (0..count).map(|index| rng.below(index, below) as i64).collect()
    }

    #[test]
    fn updates_are_made_one_by_one_in_ascending_order_on_any_number_of_threads() {
        // Eight updates of each slice on average.
        let (data, update) = (adversarial(4 * 5 * 6, 1), adversarial(160 * 6, 2));
        let at = indices(2 * 160, 4);
        for kind in UPDATES {
            let mut expected = data.clone();
            for (i, tuple) in at.chunks(2).enumerate() {
                for column in 0..6 {
                    let element = &mut expected[(tuple[0] as usize * 5 + tuple[1] as usize) * 6 + column];
                    let value = update[i * 6 + column];
                    *element = match kind {
                        IndexingUpdateOp::Assign => value,
                        IndexingUpdateOp::Add => *element + value,
                        IndexingUpdateOp::Mul => *element * value,
                        IndexingUpdateOp::Min if value.is_nan() || value < *element => value,
                        IndexingUpdateOp::Max if value.is_nan() || value > *element => value,
                        IndexingUpdateOp::Min | IndexingUpdateOp::Max => *element,
                    };
                }
            }
            for threads in [1, 2, 5] {
                let got = on_threads(threads, || {
                    let (at, update) = (ints::<Cpu, 2>(at.clone(), [160, 2]), of::<Cpu, 2>(&update, [160, 6]));
                    values(of::<Cpu, 3>(&data, [4, 5, 6]).scatter_nd(at, update, kind))
                });
                assert!(bits(got) == bits(expected.clone()), "{kind:?} on {threads} threads");
            }
        }
    }

    #[test]
    fn whole_tuples_and_permuted_values_mean_what_they_mean_on_flex() {
        let (data, update): (Vec<f32>, Vec<f32>) =
            ((0..60).map(|i| i as f32).collect(), (0..24).map(|i| i as f32).collect());
        fn all<B: Backend>(data: &[f32], update: &[f32]) -> Vec<Vec<f32>> {
            let mut results = Vec::new();
            for kind in UPDATES {
                let elements = ints::<B, 3>(indices(3 * 24, 3), [4, 6, 3]);
                let scattered = of::<B, 3>(data, [3, 4, 5]).scatter_nd(elements, of::<B, 2>(update, [4, 6]), kind);
                results.push(values(scattered));
                let slices = ints::<B, 2>(vec![2, 0], [2, 1]);
                let permuted = of::<B, 3>(&update[..24], [4, 3, 2]).permute([2, 1, 0]);
                let scattered =
                    of::<B, 3>(&data[..36], [3, 4, 3]).permute([0, 2, 1]).scatter_nd(slices, permuted, kind);
                results.push(values(scattered));
            }
            results
        }
        assert_eq!(all::<Cpu>(&data, &update), all::<Flex>(&data, &update));
    }

    #[test]
    fn integers_are_scattered_too() {
        let scattered = |kind| {
            let data = ints::<Cpu, 2>(vec![1, -2, 3, 4], [2, 2]);
            let at = ints::<Cpu, 2>(vec![1, 0, 1], [3, 1]);
            let scattered = data.scatter_nd(at, ints::<Cpu, 2>(vec![5, 6, 7, -8, 9, 10], [3, 2]), kind);
            scattered.into_data().iter::<i64>().collect::<Vec<_>>()
        };
        assert_eq!(scattered(IndexingUpdateOp::Assign), [7, -8, 9, 10]);
        assert_eq!(scattered(IndexingUpdateOp::Add), [8, -10, 17, 20]);
        assert_eq!(scattered(IndexingUpdateOp::Mul), [7, 16, 135, 240]);
        assert_eq!(scattered(IndexingUpdateOp::Min), [1, -8, 3, 4]);
        assert_eq!(scattered(IndexingUpdateOp::Max), [7, -2, 9, 10]);
    }

    #[test]
    fn the_gradient_of_a_gather_adds_up_what_was_gathered_twice() {
        type B = Autodiff<Cpu>;
        // Log-probabilities of a lattice, [batch, time, target], of which a loss takes some, as RNN-T does.
        let lattice = of::<B, 3>(&[-1.0; 24], [2, 3, 4]).require_grad();
        let tuples = vec![0, 0, 1, 1, 2, 3, 0, 0, 1, 0, 2, 2];
        let taken = lattice.clone().gather_nd::<2, 1>(ints::<B, 2>(tuples, [4, 3]));
        let weights = of::<B, 1>(&[0.1, 10.0, 0.7, 3.0], [4]);
        let gradients = (taken * weights).sum().backward();
        let mut expected = vec![0.0; 24];
        expected[1] = 0.0 + 0.1 + 0.7;
        (expected[23], expected[10]) = (10.0, 3.0);
        assert_eq!(values(lattice.grad(&gradients).expect("a gradient")), expected);
    }

    #[test]
    #[should_panic(expected = "`float_scatter_nd` at [1, 5], which is outside of [4, 5]")]
    fn an_index_outside_of_its_dimension_is_refused() {
        let at = ints::<Cpu, 2>(vec![0, 0, 1, 5], [2, 2]);
        let _ = of::<Cpu, 2>(&[0.0; 20], [4, 5]).scatter_nd(at, of::<Cpu, 1>(&[1.0; 2], [2]), IndexingUpdateOp::Add);
    }
}
