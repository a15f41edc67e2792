//! Our sum over ranks against the MPI library's own `MPI_Allreduce`, in turns.
//!
//! ```text
//! cargo build --release -p repro-ranks --example allreduce
//! mpiexec -n 4 target/release/examples/allreduce [FLOATS [ROUNDS [DIRECTORY OF THE LIBRARY]]]
//! ```
//!
//! A round is as long as its slowest rank's. Of all rounds the quickest counts: what else the machine does only adds.
//!
//! With fewer cores than ranks, MPICH's own sum needs `MPIR_CVAR_ALLREDUCE_POSIX_INTRA_ALGORITHM=mpir`: from the sixth call on
//! it takes another way through shared memory, in which a rank that waits never lets go of its core.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use repro_ranks::{Launcher, Library, Search, Segments, World, tree_sum};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let floats: usize = arguments.next().map_or(Ok(25_000_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(9), |text| text.parse())?;
    let directories: Vec<PathBuf> = arguments.map(PathBuf::from).collect();

    let launcher = Launcher::from_environment(|name| std::env::var_os(name));
    let search = Search { directories: &directories, launcher: launcher.as_ref(), ..Search::default() };
    let mut world = World::start(Library::load(&search)?, launcher.as_ref(), Duration::from_secs(60))?;
    let segments = Segments::whole(floats, world.size());
    let mut values = vec![1.0; floats];

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        // One after the other, and each first in every second round.
        for turn in 0..2 {
            let is_ours = (round + turn) % 2 == 0;
            values.fill(1.0 + world.rank() as f32);
            world.barrier()?;
            let began = Instant::now();
            if is_ours {
                tree_sum(&mut world, &mut values, &segments)?
            } else {
                world.library_sum(&mut values)?
            }
            let seconds = slowest(&mut world, began.elapsed())?;
            let expected = (world.size() * (world.size() + 1) / 2) as f32;
            assert!(values.iter().all(|value| *value == expected), "the sum");
            // The first round has buffers to make.
            if round > 0 {
                if is_ours { &mut ours } else { &mut theirs }.push(seconds);
            }
        }
    }

    if world.rank() == 0 {
        println!("{} floats, {} ranks, {rounds} rounds; {}", floats, world.size(), world.library());
        let [ours_best, ours_median] = best_and_median(&mut ours);
        let [theirs_best, theirs_median] = best_and_median(&mut theirs);
        println!("                best      median");
        println!("tree_sum        {:6.1} ms {:6.1} ms", ours_best * 1e3, ours_median * 1e3);
        println!("MPI_Allreduce   {:6.1} ms {:6.1} ms", theirs_best * 1e3, theirs_median * 1e3);
        println!("ratio           {:6.2}    {:6.2}", ours_best / theirs_best, ours_median / theirs_median);
    }
    world.finish()?;
    Ok(())
}

/// The longest time of all ranks, in seconds.
fn slowest(world: &mut World, mine: Duration) -> Result<f64, Box<dyn Error>> {
    let all = world.gather(&mine.as_secs_f64().to_ne_bytes())?;
    let seconds =
        all.iter().map(|bytes| bytes[..].try_into().map(f64::from_ne_bytes)).collect::<Result<Vec<_>, _>>()?;
    Ok(seconds.into_iter().fold(0.0, f64::max))
}

fn best_and_median(seconds: &mut [f64]) -> [f64; 2] {
    seconds.sort_by(f64::total_cmp);
    [seconds[0], seconds[seconds.len() / 2]]
}
