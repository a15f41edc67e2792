//! Showing a person how data are simulated and calibrated.

use crate::ariel::preparation::Progress;

use crate::cli::progress::Stages;

/// A callback that shows preparation in `stages`.
pub fn shown(stages: &mut Stages) -> impl FnMut(Progress<'_>) {
    |progress| match progress {
        Progress::Simulating { root, done, planets } => {
            stages.show(&format!("simulating into {}", root.display()), done as u64, planets as u64, "planets");
        }
        Progress::Calibrating { out, done, visits } => {
            stages.show(&format!("calibrating into {}", out.display()), done as u64, visits as u64, "visits");
        }
    }
}
