//! Matrix products of `Repro<Flex>` against Flex's own: shapes of the workload and squares, as they come and transposed.
//!
//! The contestants take turns within one process, because the machine's speed changes; what counts is the best of many
//! runs. `cargo bench --bench matmul` prints the table and then criterion's estimates of ours; with
//! `SPECTRAMIND_BENCH_TABLE=1` it prints `name ours_us flex_us` alone, for `matmul_vs_torch.sh`.
//! `RAYON_NUM_THREADS` and `SPECTRAMIND_CPU_LEVEL` hold here as well.

use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::backend::Flex;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use spectramind::burn;
use spectramind::engine::device::CPU_LEVEL_VARIABLE;
use spectramind::engine::repro::{Cpu, CpuLevel};

/// One product: `batch` × [m, k] × [k, n]; a transposed operand is stored as its transpose.
struct Shape {
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    transposed: [bool; 2],
}

const fn shape(m: usize, k: usize, n: usize, transposed: [bool; 2]) -> Shape {
    Shape { batch: 1, m, k, n, transposed }
}

const SHAPES: [Shape; 14] = [
    shape(512, 512, 512, [false, false]),
    shape(1024, 1024, 1024, [false, false]),
    shape(64, 96, 566, [false, false]),
    shape(12_000, 96, 32, [false, false]),
    // The gradients of the two above: Xᵀ · G and G · Wᵀ.
    shape(96, 64, 566, [true, false]),
    shape(64, 566, 96, [false, true]),
    shape(96, 12_000, 32, [true, false]),
    shape(12_000, 32, 96, [false, true]),
    shape(512, 512, 512, [true, false]),
    shape(512, 512, 512, [false, true]),
    // Attention over fifty positions.
    Shape { batch: 64, m: 50, k: 50, n: 50, transposed: [false, true] },
    Shape { batch: 64, m: 50, k: 50, n: 50, transposed: [false, false] },
    shape(4096, 256, 1, [false, false]),
    shape(1, 256, 4096, [false, false]),
];

impl Shape {
    fn name(&self) -> String {
        let mark = |transposed| if transposed { "T" } else { "" };
        let [left, right] = self.transposed.map(mark);
        let batch = if self.batch > 1 { format!("{}x", self.batch) } else { String::new() };
        format!("{batch}{}x{}{left}x{}{right}", self.m, self.k, self.n)
    }

    fn operands<B: Backend>(&self) -> [Tensor<B, 3>; 2] {
        let operand = |rows: usize, columns: usize, transposed: bool, seed: usize| {
            let values: Vec<f32> =
                (0..self.batch * rows * columns).map(|i| ((i * 7919 + seed) % 2003) as f32 / 1001.5 - 1.0).collect();
            let stored = if transposed { [self.batch, columns, rows] } else { [self.batch, rows, columns] };
            let tensor = Tensor::<B, 3>::from_data(TensorData::new(values, stored), &Default::default());
            if transposed { tensor.swap_dims(1, 2) } else { tensor }
        };
        [operand(self.m, self.k, self.transposed[0], 1), operand(self.k, self.n, self.transposed[1], 2)]
    }
}

fn product<B: Backend>([left, right]: &[Tensor<B, 3>; 2]) -> Tensor<B, 3> {
    left.clone().matmul(right.clone())
}

/// The shortest of several runs.
fn best<B: Backend>(operands: &[Tensor<B, 3>; 2]) -> Duration {
    let run = |_| {
        let start = Instant::now();
        black_box(product(operands));
        start.elapsed()
    };
    (0..20).map(run).min().expect("several runs")
}

fn table() {
    let plain = std::env::var_os("SPECTRAMIND_BENCH_TABLE").is_some();
    if !plain {
        println!("{:<18} {:>12} {:>12} {:>9} {:>7}", "m x k x n", "ours, us", "Flex, us", "GFLOP/s", "ratio");
    }
    for shape in &SHAPES {
        let (ours, flex) = (shape.operands::<Cpu>(), shape.operands::<Flex>());
        let (mut ours_best, mut flex_best) = (Duration::MAX, Duration::MAX);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(700) {
            ours_best = ours_best.min(best(&ours));
            flex_best = flex_best.min(best(&flex));
        }
        let (ours_us, flex_us) = (ours_best.as_secs_f64() * 1e6, flex_best.as_secs_f64() * 1e6);
        if plain {
            println!("{} {ours_us:.1} {flex_us:.1}", shape.name());
            continue;
        }
        let gflops = (2 * shape.batch * shape.m * shape.k * shape.n) as f64 / ours_us / 1e3;
        println!("{:<18} {ours_us:>12.1} {flex_us:>12.1} {gflops:>9.1} {:>7.2}", shape.name(), flex_us / ours_us);
    }
}

fn estimates(criterion: &mut Criterion) {
    if let Ok(name) = std::env::var(CPU_LEVEL_VARIABLE) {
        name.parse().and_then(CpuLevel::choose).unwrap_or_else(|error| panic!("{CPU_LEVEL_VARIABLE}: {error}"));
    }
    table();
    if std::env::var_os("SPECTRAMIND_BENCH_TABLE").is_some() {
        return;
    }
    let mut group = criterion.benchmark_group("matmul");
    for shape in &SHAPES {
        let operands = shape.operands::<Cpu>();
        group.bench_function(BenchmarkId::from_parameter(shape.name()), |bencher| bencher.iter(|| product(&operands)));
    }
}

criterion_group!(benches, estimates);
criterion_main!(benches);
