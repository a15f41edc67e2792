//! Updates of rows at indices: a thread per element makes all updates of it, in their order.

use burn_backend::tensor::IndexingUpdateOp;
use burn_backend::{Shape, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{contiguous, is_nan, output, threads, zero_barrier};

#[cube(launch_unchecked)]
#[expect(clippy::too_many_arguments, reason = "a kernel's arguments")]
fn update_rows_kernel(
    data: &Array<f32>,
    values: &Array<f32>,
    starts: &Array<i32>,
    order: &Array<i32>,
    out: &mut Array<f32>,
    columns: usize,
    zero: u32,
    #[comptime] update: IndexingUpdateOp,
) {
    if ABSOLUTE_POS < out.len() {
        let (row, column) = (ABSOLUTE_POS / columns, ABSOLUTE_POS % columns);
        let mut element = data[ABSOLUTE_POS];
        for place in usize::cast_from(starts[row])..usize::cast_from(starts[row + 1]) {
            let value = values[usize::cast_from(order[place]) * columns + column];
            element = updated(element, value, zero, update);
        }
        out[ABSOLUTE_POS] = element;
    }
}

#[cube]
fn updated(element: f32, value: f32, zero: u32, #[comptime] update: IndexingUpdateOp) -> f32 {
    match update {
        IndexingUpdateOp::Assign => value,
        IndexingUpdateOp::Add => zero_barrier(element + value, zero),
        IndexingUpdateOp::Mul => zero_barrier(element * value, zero),
        IndexingUpdateOp::Min => select(is_nan(value) || value < element, value, element),
        IndexingUpdateOp::Max => select(is_nan(value) || value > element, value, element),
    }
}

/// The updates sorted by their row, and where each row's begin: those of row r are `order[starts[r]..starts[r + 1]]`, in
/// ascending order.
pub fn by_row(count: usize, rows: &[usize]) -> (Vec<i32>, Vec<i32>) {
    let mut starts = vec![0i32; count + 1];
    rows.iter().for_each(|row| starts[row + 1] += 1);
    for row in 0..count {
        starts[row + 1] += starts[row];
    }
    let (mut next, mut order) = (starts.clone(), vec![0; rows.len()]);
    for (update, row) in rows.iter().enumerate() {
        order[next[*row] as usize] = update as i32;
        next[*row] += 1;
    }
    (starts, order)
}

/// See [`Kernels::update_rows`](super::super::kernels::Kernels::update_rows); `starts` and `order` are those of
/// [`by_row`], as tensors.
pub fn update_rows<R: CubeRuntime>(
    update: IndexingUpdateOp,
    data: CubeTensor<R>,
    values: CubeTensor<R>,
    starts: CubeTensor<R>,
    order: CubeTensor<R>,
) -> CubeTensor<R> {
    let (data, values) = (contiguous(data), contiguous(values));
    let [rows, columns] = [data.shape()[0], data.shape()[1]];
    let out = output(&data, Shape::from([rows, columns]), data.dtype);
    let client = data.client.clone();
    if rows * columns > 0 {
        let (cubes, dim) = threads(&client, rows * columns);
        // SAFETY: the updates are rows of the values; threads beyond the result do nothing.
        unsafe {
            update_rows_kernel::launch_unchecked::<R>(
                &client,
                cubes,
                dim,
                data.into_array_arg(),
                values.into_array_arg(),
                starts.into_array_arg(),
                order.into_array_arg(),
                out.clone().into_array_arg(),
                columns,
                0,
                update,
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::by_row;

    #[test]
    fn updates_are_sorted_by_row_and_stay_in_order() {
        assert_eq!(by_row(4, &[2, 0, 2, 3, 0, 2]), (vec![0, 2, 2, 5, 6], vec![1, 4, 0, 2, 5, 3]));
        assert_eq!(by_row(2, &[]), (vec![0, 0, 0], vec![]));
    }
}
