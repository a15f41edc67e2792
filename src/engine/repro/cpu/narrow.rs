//! Rounding to a 16-bit format over a slice: the scalar code itself, compiled for each level so that it runs in lanes.

use rayon::prelude::*;

use super::super::kernels::Width;
use super::level::Level;

/// Elements of one task.
const CHUNK: usize = 1 << 16;

/// Replaces each value by the nearest number of the format.
pub fn narrow(level: Level, width: Width, values: &mut [f32]) {
    if values.len() > CHUNK {
        values.par_chunks_mut(CHUNK).for_each(|values| narrow_chunk(level, width, values));
    } else {
        narrow_chunk(level, width, values);
    }
}

fn narrow_chunk(level: Level, width: Width, values: &mut [f32]) {
    match level {
        Level::Portable => width.round(values),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: this level exists only where the processor has AVX2.
        Level::Avx2 => unsafe { narrow_avx2(width, values) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: this level exists only where the processor has AVX-512F.
        Level::Avx512 => unsafe { narrow_avx512(width, values) },
    }
}

/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn narrow_avx2(width: Width, values: &mut [f32]) {
    width.round(values);
}

/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn narrow_avx512(width: Width, values: &mut [f32]) {
    width.round(values);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_equals_the_scalar_function_over_all_exponents() {
        let inputs: Vec<f32> = (0..=u32::MAX).step_by(40_009).map(f32::from_bits).collect();
        for width in [Width::F16, Width::Bf16] {
            let mut expected = inputs.clone();
            expected.iter_mut().for_each(|x| width.round(std::slice::from_mut(x)));
            for level in Level::available() {
                let mut values = inputs.clone();
                narrow(level, width, &mut values);
                assert!(values.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{width:?} {level:?}");
            }
        }
    }
}
