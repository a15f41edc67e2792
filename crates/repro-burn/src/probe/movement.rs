//! Probed ops that make, move and convert numbers without computing any: what all other ops are tested with.

use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::{DType, FloatDType, IntDType, Shape, Slice};

use super::bench::Bench;
use super::input::{indices, integers, mixed, narrow_ties, rounding, special, truths};
use super::op::{Op, op, op_of};
use crate::Repro;
use crate::kernels::Kernels;

pub fn ops<B: Kernels>() -> Vec<Op<B>> {
    vec![
        op("float_from_data", |bench: &mut Bench<'_, B>| {
            let tensor = bench.floats([4096], mixed());
            bench.gives(tensor);
        }),
        op("int_from_data", |bench| {
            let tensor = bench.ints([512], integers());
            bench.gives_ints(tensor);
        }),
        op("bool_from_data", |bench| {
            let tensor = bench.bools([77], truths(77));
            bench.gives_bools(tensor);
        }),
        op("float_zeros", |bench| {
            bench.gives(Repro::<B>::float_zeros(Shape::new([3, 5]), bench.device, FloatDType::F32));
        }),
        op("float_ones", |bench| {
            bench.gives(Repro::<B>::float_ones(Shape::new([3, 5]), bench.device, FloatDType::F32));
        }),
        op("float_full", |bench| {
            for value in special() {
                let scalar = bench.scalar(value);
                bench.gives(Repro::<B>::float_full(Shape::new([5]), scalar, bench.device, FloatDType::F32));
            }
        }),
        op("float_to_device", |bench| {
            let tensor = bench.floats([32], special().into());
            bench.gives(Repro::<B>::float_to_device(tensor, bench.device));
        }),
        op("float_swap_dims", |bench| {
            let tensor = bench.floats([8, 16, 4], mixed()[..512].to_vec());
            bench.gives(Repro::<B>::float_swap_dims(tensor, 0, 2));
        }),
        op("float_transpose", |bench| {
            let tensor = bench.floats([3, 16, 5], mixed()[..240].to_vec());
            bench.gives(Repro::<B>::float_transpose(tensor));
        }),
        op("float_permute", |bench| {
            let tensor = bench.floats([8, 16, 4], mixed()[..512].to_vec());
            bench.gives(Repro::<B>::float_permute(tensor, &[1, 2, 0]));
        }),
        op("float_reshape", |bench| {
            let tensor = bench.strided([31, 32], mixed()[..992].to_vec());
            bench.gives(Repro::<B>::float_reshape(tensor, Shape::new([8, 124])));
        }),
        op("float_flip", |bench| {
            let tensor = bench.floats([8, 16, 4], mixed()[..512].to_vec());
            bench.gives(Repro::<B>::float_flip(tensor, &[0, 2]));
        }),
        op("float_slice", |bench| {
            let tensor = bench.floats([16, 32], mixed()[..512].to_vec());
            bench.gives(Repro::<B>::float_slice(tensor, &[Slice::new(3, Some(11), 1), Slice::new(1, None, 3)]));
            let tensor = bench.floats([16, 32], mixed()[..512].to_vec());
            bench.gives(Repro::<B>::float_slice(tensor, &[Slice::new(0, None, -1), Slice::new(4, Some(30), -2)]));
        }),
        op("float_slice_assign", |bench| {
            let (tensor, value) =
                (bench.floats([16, 32], mixed()[..512].to_vec()), bench.floats([8, 4], rounding(0, 32)));
            let slices = [Slice::new(3, Some(11), 1), Slice::new(2, Some(6), 1)];
            bench.gives(Repro::<B>::float_slice_assign(tensor, &slices, value));
        }),
        op("float_repeat_dim", |bench| {
            let tensor = bench.floats([4, 8, 3], mixed()[..96].to_vec());
            bench.gives(Repro::<B>::float_repeat_dim(tensor, 1, 3));
        }),
        op("float_cat", |bench| {
            let tensors = [1, 4, 3].map(|rows| bench.floats([2, rows, 32], mixed()[..rows * 64].to_vec()));
            bench.gives(Repro::<B>::float_cat(tensors.into(), 1));
        }),
        op("float_expand", |bench| {
            let tensor = bench.floats([1, 32, 1], special().into());
            bench.gives(Repro::<B>::float_expand(tensor, Shape::new([3, 32, 4])));
        }),
        op("float_unfold", |bench| {
            let tensor = bench.floats([2, 32], mixed()[..64].to_vec());
            bench.gives(Repro::<B>::float_unfold(tensor, 1, 5, 3));
        }),
        op("float_gather", |bench| {
            let (tensor, at) = (bench.floats([16, 32], mixed()[..512].to_vec()), bench.ints([7, 32], indices(224, 16)));
            bench.gives(Repro::<B>::float_gather(0, tensor, at));
        }),
        op("float_gather_nd", |bench| {
            let (tensor, at) = (bench.floats([8, 8, 8], mixed()[..512].to_vec()), bench.ints([9, 2], indices(18, 8)));
            bench.gives(Repro::<B>::float_gather_nd(tensor, at));
        }),
        op("float_select", |bench| {
            let (tensor, at) = (bench.floats([4, 16, 8], mixed()[..512].to_vec()), bench.ints([21], indices(21, 16)));
            bench.gives(Repro::<B>::float_select(tensor, 1, at));
        }),
        op("float_mask_where", |bench| {
            let (tensor, value) = (bench.floats([4096], mixed()), bench.floats([4096], rounding(0, 4096)));
            let mask = bench.bools([4096], truths(4096));
            bench.gives(Repro::<B>::float_mask_where(tensor, mask, value));
        }),
        op("float_mask_fill", |bench| {
            for value in [f32::NEG_INFINITY, -0.0] {
                let (tensor, mask) = (bench.floats([4096], mixed()), bench.bools([4096], truths(4096)));
                let value = bench.scalar(value);
                bench.gives(Repro::<B>::float_mask_fill(tensor, mask, value));
            }
        }),
        op("float_into_int", |bench| {
            let tensor = bench.floats([4096], mixed());
            bench.gives_ints(Repro::<B>::float_into_int(tensor, IntDType::I32));
        }),
        op("int_into_float", |bench| {
            let tensor = bench.ints([512], integers());
            bench.gives(Repro::<B>::int_into_float(tensor, FloatDType::F32));
        }),
        op("bool_into_float", |bench| {
            let tensor = bench.bools([77], truths(77));
            bench.gives(Repro::<B>::bool_into_float(tensor, FloatDType::F32));
        }),
        op("float_cast", |bench| cast(bench, FloatDType::F32)),
        op_of(DType::F16, "float_cast to f16", |bench| cast(bench, FloatDType::F16)),
        op_of(DType::BF16, "float_cast to bf16", |bench| cast(bench, FloatDType::BF16)),
        op_of(DType::F16, "float_cast from f16", |bench| cast_back(bench, FloatDType::F16)),
        op_of(DType::BF16, "float_cast from bf16", |bench| cast_back(bench, FloatDType::BF16)),
    ]
}

/// f32 to another type: rounding, ties, overflow and subnormals of the narrow one.
fn cast<B: Kernels>(bench: &mut Bench<'_, B>, dtype: FloatDType) {
    let tensor = bench.floats([4096], mixed());
    bench.gives(Repro::<B>::float_cast(tensor, dtype));
    let tensor = bench.floats([2048], narrow_ties());
    bench.gives(Repro::<B>::float_cast(tensor, dtype));
}

/// To the narrow type and back, which every value of it survives.
fn cast_back<B: Kernels>(bench: &mut Bench<'_, B>, dtype: FloatDType) {
    let tensor = bench.floats([4096], mixed());
    bench.gives(Repro::<B>::float_cast(Repro::<B>::float_cast(tensor, dtype), FloatDType::F32));
}
