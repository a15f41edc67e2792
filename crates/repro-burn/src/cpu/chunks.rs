//! Work on elements that do not depend on each other, a chunk after the other or on threads.

use std::mem::MaybeUninit;

use super::team::Team;

/// Elements of one task: few enough for a core's own cache, enough to outweigh handing them over.
pub const CHUNK: usize = 1 << 14;

/// Calls `body` for each chunk of `values` with the number of its first element.
pub fn in_chunks<T: Send>(values: &mut [T], body: impl Fn(usize, &mut [T]) + Sync) {
    Team::Pool.run_on_parts(values, CHUNK, |number, chunk| body(number * CHUNK, chunk));
}

/// Calls `body` for each row of `length` elements of `values` with its number; `work` is how many elements a row costs,
/// those that are read included.
///
/// # Panics
/// When `values` is not a whole number of rows.
pub fn in_rows<T: Send>(values: &mut [T], length: usize, work: usize, body: impl Fn(usize, &mut [T]) + Sync) {
    if values.is_empty() {
        return;
    }
    assert!(values.len().is_multiple_of(length), "{} elements in rows of {length}", values.len());
    let rows = rows_of_a_task(work);
    Team::Pool.run_on_parts(values, rows.saturating_mul(length), |task, values| {
        for (row, values) in values.chunks_exact_mut(length).enumerate() {
            body(task * rows + row, values);
        }
    });
}

/// How many rows make up the work of a chunk.
pub fn rows_of_a_task(work: usize) -> usize {
    (CHUNK / work.max(1)).max(1)
}

/// A vector whose chunks, each with the number of its first element, `fill` writes whole.
pub fn filled(length: usize, fill: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let mut out = Vec::with_capacity(length);
    in_chunks(&mut out.spare_capacity_mut()[..length], fill);
    // SAFETY: every chunk was written.
    unsafe { out.set_len(length) };
    out
}

/// Copies all of `from`, which is as long, and returns the copy.
pub fn write_copy<'o>(out: &'o mut [MaybeUninit<f32>], from: &[f32]) -> &'o mut [f32] {
    assert_eq!(out.len(), from.len(), "a copy of another length");
    for (out, value) in out.iter_mut().zip(from) {
        out.write(*value);
    }
    // SAFETY: the lengths are equal, so all of it was written.
    unsafe { initialised(out) }
}

/// Makes all of it +0.
pub fn write_zeros(out: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    out.fill(MaybeUninit::new(0.0));
    // SAFETY: all of it was written.
    unsafe { initialised(out) }
}

/// The values of a slice.
///
/// # Safety
/// All of it has been written.
pub unsafe fn initialised(values: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    // SAFETY: the caller guarantees it, and the layouts are the same.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [f32]) }
}
