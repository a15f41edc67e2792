//! What several workers do together: bytes between ranks, and sums over ranks whose order is documented.
//!
//! A *rank* is a worker with a number: a thread of this process, or a process that an MPI launcher started, on this host
//! or another. The crate is named for what it is about, and like `repro-burn` for what it gives: reproducible results.
//!
//! - [`Wire`] is what a sum needs of whatever moves its bytes. [`ThreadWire`] is one, [`World`] another.
//! - [`tree_sum`] adds up one vector per rank as a balanced binary tree over the ranks, bit for bit the same whoever
//!   moves the bytes; [`Segments`] say what is absent where.
//! - [`World`] are the ranks of an MPI job: gather, broadcast, barrier, exchange; each wait ends, and an error names the
//!   rank and the host that are the cause.
//! - [`Library`] is the MPI: found and loaded at run time, through MPI's standard ABI (MPICH from 5, Open MPI from 6) or
//!   Open MPI 4's and 5's own. Nothing is needed to build this, and a program with it runs where there is no MPI.
//! - [`Launcher`] is who started this process, read from its environment.
//!
//! ```
//! use std::time::Duration;
//! use repro_ranks::{Segments, Wire, thread_wires, tree_sum};
//!
//! let sums: Vec<f32> = std::thread::scope(|scope| {
//!     let ranks: Vec<_> = thread_wires(4, Duration::from_secs(5))
//!         .into_iter()
//!         .map(|mut wire| {
//!             scope.spawn(move || {
//!                 let mut values = [[1e8, 1.0, -1e8, 1.0][wire.rank()]];
//!                 tree_sum(&mut wire, &mut values, &Segments::whole(1, 4)).map(|()| values[0])
//!             })
//!         })
//!         .collect();
//!     ranks.into_iter().map(|rank| rank.join().expect("no panic")).collect::<Result<_, _>>()
//! })?;
//! // (1e8 + 1) + (-1e8 + 1) of floats, on every rank.
//! assert_eq!(sums, [0.0; 4]);
//! # Ok::<(), repro_ranks::ThreadError>(())
//! ```
//!
//! Under MPI, in a program that `mpiexec -n 4` starts:
//!
//! ```no_run
//! use std::time::Duration;
//! use repro_ranks::{Launcher, Library, Search, Segments, World, tree_sum};
//!
//! let launcher = Launcher::from_environment(|name| std::env::var_os(name));
//! let library = Library::load(&Search { launcher: launcher.as_ref(), ..Search::default() })?;
//! let mut world = World::start(library, launcher.as_ref(), Duration::from_secs(60))?;
//! let mut values = vec![world.rank() as f32; 1000];
//! let segments = Segments::whole(values.len(), world.size());
//! if let Err(error) = tree_sum(&mut world, &mut values, &segments) {
//!     eprintln!("{error}");
//!     world.abort(1);
//! }
//! world.finish()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Numbers travel in the hosts' byte order, which is to be the same on all.
//!
//! The crate neither prints nor reads the environment: who started the process, and which library to take, are arguments.
//! It reads the clock, to end its waits. `unsafe` is in `abi.rs` and `library.rs` alone.

mod abi;
mod launcher;
mod library;
mod reduce;
mod threads;
mod wire;
mod world;

pub use abi::Abi;
pub use launcher::{Launcher, LauncherKind};
pub use library::{Library, NoLibrary, Search, Tried};
pub use reduce::{Segments, gather_ranges, owned_range, scatter_sum, tree_sum};
pub use threads::{ThreadError, ThreadWire, thread_wires};
pub use wire::Wire;
pub use world::{Peer, World, WorldError};
