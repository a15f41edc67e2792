//! Matrix products of random shapes and strides against a plain `mul_add` loop in the documented order.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::ops::matmul::BLOCK;
use super::batch::multiply;
use super::gemm::{Size, View};
use super::level::Level;
use crate::rng::{CounterRng, Stream};

/// A batch of products, generated from its index.
struct Case {
    size: Size,
    count: usize,
    left: Operand,
    right: Operand,
}

struct Operand {
    values: Vec<f32>,
    offset: usize,
    batch_stride: usize,
    row_stride: usize,
    column_stride: usize,
}

impl Operand {
    fn view(&self, batch: usize) -> View<'_> {
        let offset = self.offset + batch * self.batch_stride;
        View { values: &self.values, offset, row_stride: self.row_stride, column_stride: self.column_stride }
    }

    fn random(rng: &CounterRng, start: u64, count: usize, rows: usize, columns: usize) -> Self {
        let pad = below(rng, start, 20);
        let (row_stride, column_stride) = match below(rng, start + 1, 8) {
            0..=2 => (columns, 1),
            3 | 4 => (1, rows),
            5 => (columns + pad, 1),
            6 => (1, rows + pad),
            _ if pad.is_multiple_of(3) => (0, 1),
            _ => (columns * 3 + pad, 3),
        };
        let extent = (rows - 1) * row_stride + (columns - 1) * column_stride + 1;
        let broadcast = below(rng, start + 2, 3) == 0;
        let batch_stride = if broadcast { 0 } else { extent + pad };
        let length = pad + (count - 1) * batch_stride + extent;
        let values = (0..length as u64).map(|i| {
            let bits = rng.u32(start + 100 + i);
            let scale = [1.0, -1.0, 1e8, 1e-8, 3.0][bits as usize % 5];
            (rng.uniform_f32(start + 100 + i) - 0.5) * scale
        });
        Self { values: values.collect(), offset: pad, batch_stride, row_stride, column_stride }
    }
}

fn below(rng: &CounterRng, index: u64, bound: usize) -> usize {
    rng.u32(index) as usize % bound
}

impl Case {
    /// Few large shapes, because the reference is slow; every size up to 700 occurs, and every remainder of a tile.
    fn random(index: u32) -> Self {
        let rng = CounterRng::new(7, Stream::workload(2), index);
        let length = |at: u64| {
            let u = rng.uniform_f32(at);
            // Powers of 700: as many below 26 as above.
            1 + (f64::from(u) * 700f64.ln()).exp() as usize % 700
        };
        let mut size = Size { m: length(0), k: length(1), n: length(2) };
        if index.is_multiple_of(10) {
            size.k = 500 + below(&rng, 3, 200);
        }
        let count = if index.is_multiple_of(4) { 1 + below(&rng, 4, 12) } else { 1 };
        while size.work() * count > 3_000_000 {
            if size.m > size.n { size.m = size.m.div_ceil(2) } else { size.n = size.n.div_ceil(2) }
        }
        let left = Operand::random(&rng, 1000, count, size.m, size.k);
        let right = Operand::random(&rng, 100_000_000, count, size.k, size.n);
        Self { size, count, left, right }
    }

    fn product(&self, level: Level) -> Vec<u32> {
        let mut out = vec![MaybeUninit::new(f32::NAN); self.count * self.size.m * self.size.n];
        multiply(level, self.size, |batch| (self.left.view(batch), self.right.view(batch)), &mut out);
        // SAFETY: initialised with NaN.
        out.into_iter().map(|x| unsafe { x.assume_init() }.to_bits()).collect()
    }

    fn reference(&self) -> Vec<u32> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the instruction.
            return unsafe { self.reference_fma() };
        }
        self.chains()
    }

    /// The same, `mul_add` compiled to an instruction instead of a call of a slow library function.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "fma")]
    fn reference_fma(&self) -> Vec<u32> {
        self.chains()
    }

    #[inline(always)]
    fn chains(&self) -> Vec<u32> {
        let Size { m, k, n } = self.size;
        let mut out = Vec::with_capacity(self.count * m * n);
        for batch in 0..self.count {
            let (a, b) = (self.left.view(batch), self.right.view(batch));
            for i in 0..m {
                for j in 0..n {
                    let mut total = 0.0;
                    for start in (0..k).step_by(BLOCK) {
                        let mut partial = 0f32;
                        for k in start..k.min(start + BLOCK) {
                            let a = a.values[a.offset + i * a.row_stride + k * a.column_stride];
                            let b = b.values[b.offset + k * b.row_stride + j * b.column_stride];
                            partial = a.mul_add(b, partial);
                        }
                        total = if start == 0 { partial } else { total + partial };
                    }
                    out.push(total.to_bits());
                }
            }
        }
        out
    }
}

#[test]
fn five_hundred_random_products_equal_the_loop_at_every_level() {
    let pools = [1, 2, 5].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool"));
    for index in 0..500 {
        let case = Case::random(index);
        let expected = case.reference();
        for level in Level::available() {
            // Without the instruction a fused multiply-add takes fifty times as long.
            if level == Level::PORTABLE && case.size.work() * case.count > 100_000 {
                continue;
            }
            let got = pools[index as usize % 3].install(|| case.product(level));
            let (size, count) = (case.size, case.count);
            assert!(got == expected, "case {index}: {count} of {size:?}, {level:?}");
        }
    }
}

#[test]
fn a_hundred_repeats_under_load_give_the_same_bits() {
    // The second and third are products of the hyperspectral workload's kind, large enough for all threads.
    let shapes = [(33, 700, 50), (64, 96, 566), (600, 96, 32), (1, 700, 700)];
    let cases = shapes.map(|(m, k, n)| {
        let rng = CounterRng::new(8, Stream::workload(2), (m + k + n) as u32);
        let left = Operand::random(&rng, 1000, 1, m, k);
        let right = Operand::random(&rng, 100_000_000, 1, k, n);
        Case { size: Size { m, k, n }, count: 1, left, right }
    });
    let expected = cases.each_ref().map(Case::reference);
    let level = Level::detected();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (cases, expected, done) = (&cases, &expected, &done);
            scope.spawn(move || {
                let mut index = thread;
                while !done.load(Ordering::Relaxed) {
                    assert!(cases[index % 4].product(level) == expected[index % 4], "thread {thread}");
                    index += 1;
                }
            });
        }
        // Asserted after the others have been told to stop: a panic here would wait for them for ever.
        let differing = (0..100 * cases.len()).find(|i| cases[i % 4].product(level) != expected[i % 4]);
        done.store(true, Ordering::Relaxed);
        assert_eq!(differing, None, "product of {shapes:?}");
    });
}
