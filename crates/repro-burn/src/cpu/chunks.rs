//! Work on elements that do not depend on each other, a chunk after the other or on threads.

use rayon::prelude::*;

/// Elements of one task: few enough for a core's own cache, enough to outweigh handing them over.
pub const CHUNK: usize = 1 << 14;

/// Calls `body` for each chunk of `values` with the number of its first element.
pub fn in_chunks<T: Send>(values: &mut [T], body: impl Fn(usize, &mut [T]) + Sync) {
    let chunk = |(number, chunk): (usize, &mut [T])| body(number * CHUNK, chunk);
    // A pool of one thread would only wake it and wait.
    if values.len() > CHUNK && rayon::current_num_threads() > 1 {
        values.par_chunks_mut(CHUNK).enumerate().for_each(chunk);
    } else {
        values.chunks_mut(CHUNK).enumerate().for_each(chunk);
    }
}
