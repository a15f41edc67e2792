//! What every launch needs: contiguous tensors in, a new tensor out, a thread per element.

use burn_backend::{DType, Shape, TensorMetadata};
use burn_cubecl::CubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Elements of a tensor, with room for the last cubes of a grid.
const MOST: usize = (1 << 31) - (1 << 24);
/// Threads of a cube in kernels with one thread per element.
const CUBE: u32 = 64;

/// How many cubes of how many threads give `threads` threads.
pub fn threads<R: CubeRuntime>(client: &ComputeClient<R>, threads: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new_1d(CUBE);
    (cubecl::calculate_cube_count_elemwise(client, threads, dim), dim)
}

/// A new f32 tensor beside `like`, its elements in row-major order.
///
/// # Panics
/// When it, or `like`, has more elements than kernels can count with 32 bits.
pub fn output<R: CubeRuntime>(like: &CubeTensor<R>, shape: Shape, dtype: DType) -> CubeTensor<R> {
    for count in [like.shape().num_elements(), shape.num_elements()] {
        assert!(count < MOST, "a tensor of {count} elements: at most {MOST} on a GPU");
    }
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape, dtype)
}

/// The tensor with its elements in row-major order.
pub fn contiguous<R: CubeRuntime>(tensor: CubeTensor<R>) -> CubeTensor<R> {
    into_contiguous(tensor)
}

/// The same f32, of which no compiler knows that it is the same; `zero` is a kernel argument that is 0.
#[cube]
pub fn zero_barrier(x: f32, zero: u32) -> f32 {
    f32::reinterpret(u32::reinterpret(x) ^ zero)
}

/// Whether a number is NaN, by its bits: a comparison with itself might be folded.
#[cube]
pub fn is_nan(x: f32) -> bool {
    (u32::reinterpret(x) & 0x7fff_ffffu32) > 0x7f80_0000u32
}
