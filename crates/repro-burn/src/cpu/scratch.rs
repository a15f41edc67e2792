//! Memory for packed operands, kept by each thread from one product to the next: fresh pages cost more than packing.

use std::cell::RefCell;

/// A cache line, so that no register of a packed panel is loaded from two of them.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; Line::LENGTH]);

impl Line {
    const LENGTH: usize = 16;
}

/// Most lines that a thread keeps: 16 MiB.
const KEPT: usize = 1 << 18;

thread_local! {
    /// As many as were in use at once: a product's own, and that of each of its panels.
    static LINES: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Hands `length` values of any content to `body`, the first at the start of a cache line.
pub fn with_scratch<R>(length: usize, body: impl FnOnce(&mut [f32]) -> R) -> R {
    if length == 0 {
        return body(&mut []);
    }
    // Taken, not borrowed: while `body` waits for other threads this one may run another product.
    let mut lines = LINES.with_borrow_mut(Vec::pop).unwrap_or_default();
    let count = length.div_ceil(Line::LENGTH);
    if lines.len() < count {
        lines = vec![Line([0.0; Line::LENGTH]); count];
    }
    // SAFETY: a line is 16 values without padding, and there are at least `length` of them, all initialised.
    let values = unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<f32>(), length) };
    let result = body(values);
    if lines.len() <= KEPT {
        LINES.with_borrow_mut(|kept| kept.push(lines));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_starts_at_a_cache_line_and_may_be_nested() {
        with_scratch(17, |outer| {
            outer.fill(1.0);
            with_scratch(1000, |inner| inner.fill(2.0));
            assert_eq!(outer.as_ptr() as usize % 64, 0);
            assert_eq!(outer, [1.0; 17]);
        });
        with_scratch(0, |nothing| assert!(nothing.is_empty()));
    }
}
