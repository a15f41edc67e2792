//! From a composed config to a signed run, and back: the same for every workload.
//!
//! Each step takes the last one's value, so that none can be left out:
//!
//! | step | what is done | makes |
//! |---|---|---|
//! | [`Composed::of`] | the config is read and refused by key; a device is chosen for every worker | [`Composed`] |
//! | [`Composed::prepare`] | data sets are made where they can be, and hashed; the task is built | [`Prepared`] |
//! | [`Prepared::start`] | the run directory is made or gone on with; what the run starts from is written | [`Started`] |
//! | [`Started::train`] | the engine trains; the workload writes its files | [`Trained`] |
//! | [`Trained::sign`] | everything is read again, and signed | [`Signed`] |
//!
//! A [`replay`] takes a run whose signature was verified the same way in a scratch folder, and compares.
//!
//! Nothing here prints, reads a clock or the environment: they come in as [`Surroundings`].

#[cfg(feature = "plots")]
pub mod curves;
mod data;
mod loggers;
mod memory;
mod origin;
mod place;
mod ranks;
mod record;
pub mod replay;
mod sign;
mod sources;
mod surroundings;
mod team;
mod training;
mod workloads;

pub use self::data::{DataSets, HashedSet};
pub use self::memory::MemoryError;
pub use self::origin::{audit_difference, config_record, read_origin};
pub use self::place::{Place, is_complete};
pub use self::ranks::Ranks;
pub use self::record::{Composed, News, Prepared, Recording, Started, Trained, assist, record};
pub use self::sign::{Signed, signed_line};
pub use self::sources::Sources;
pub use self::surroundings::Surroundings;
pub use self::team::{Crew, Team};
pub use self::workloads::{AnyWorkload, Workloads};

pub(crate) use self::origin::{About, origin, write_beginning};
pub(crate) use self::place::{run_id, unused};
pub(crate) use self::sign::{Outcome, sign};
