//! Who watches a run.

use std::ops::ControlFlow;

use burn::tensor::backend::AutodiffBackend;

use super::fit::Event;
use super::task::{InferenceModel, Metric, Moment, Task};

/// Watches a run of a task. A closure over [`Event`]s is one; a type of its own may look at the model as well.
///
/// Nothing that an observer does changes what the run computes or writes, except that it may end it.
pub trait Observer<T: Task> {
    /// Something happened; breaking ends the run after the step.
    fn observe(&mut self, event: Event<'_>) -> ControlFlow<()>;

    /// A state was validated: the model may be looked at, before the event of it. By default nobody does, and nothing is
    /// computed for it.
    ///
    /// Ops have the arithmetic of the run, and random numbers of their own.
    fn look<B: AutodiffBackend>(&mut self, _: Look<'_, T, B>) {}
}

impl<T: Task, F: FnMut(Event<'_>) -> ControlFlow<()> + ?Sized> Observer<T> for F {
    fn observe(&mut self, event: Event<'_>) -> ControlFlow<()> {
        self(event)
    }
}

/// A validated state, for an observer.
pub struct Look<'a, T: Task, B: AutodiffBackend> {
    /// What is trained.
    pub task: &'a T,
    /// When: steps done, and the epoch of the last one.
    pub moment: Moment,
    /// The figures of the validation.
    pub metrics: &'a [Metric],
    /// Where the model is.
    pub device: &'a B::Device,
    pub(super) model: &'a dyn Fn() -> InferenceModel<T, B>,
}

impl<T: Task, B: AutodiffBackend> Look<'_, T, B> {
    /// The model that was validated, in inference mode: a copy of its own.
    pub fn model(&self) -> InferenceModel<T, B> {
        (self.model)()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use burn::tensor::{Distribution, Tensor};

    use super::*;
    use crate::digest::Blake3Digest;
    use crate::engine::PortableCpu;
    use crate::engine::fit::{FitPlan, fit};
    use crate::engine::run_dir::RunDirectory;
    use crate::engine::settings::{EmaSettings, LoggerSettings, OptimizerSettings, TrainerSettings};
    use crate::engine::task::{Draws, Split};
    use crate::engine::training_tests::Curve;

    /// Judges the model again, and draws.
    #[derive(Default)]
    struct Curious {
        judged: Vec<(Moment, Vec<Metric>, Vec<Metric>)>,
        drawn: Vec<f32>,
        validated: usize,
    }

    impl Observer<Curve> for Curious {
        fn observe(&mut self, event: Event<'_>) -> ControlFlow<()> {
            self.validated += usize::from(matches!(event, Event::Validated { .. }));
            ControlFlow::Continue(())
        }

        fn look<B: AutodiffBackend>(&mut self, look: Look<'_, Curve, B>) {
            let (split, samples): (_, Vec<_>) = (Split::Val, (0..look.task.sample_ids(Split::Val).len()).collect());
            let draws = Draws::new(0, split, look.moment);
            let again = look.task.evaluate::<B>(&look.model(), split, &samples, draws, look.device).expect("figures");
            self.judged.push((look.moment, look.metrics.to_vec(), again));
            let noise = Tensor::<B, 1>::random([1], Distribution::Normal(0.0, 1.0), look.device);
            self.drawn.push(noise.into_data().into_vec::<f32>().expect("f32")[0]);
        }
    }

    fn root(observer: &mut (impl Observer<Curve> + ?Sized)) -> Blake3Digest {
        let settings = TrainerSettings { max_epochs: 3, early_stopping: None, ..TrainerSettings::default() };
        let trainer = settings.check().expect("settings the engine takes");
        let ema = Some(EmaSettings { decay: 0.5, from_step: 2 });
        let plan = FitPlan { ema, ..FitPlan::new(&trainer, OptimizerSettings::default(), 13, &|| Duration::ZERO) };
        let folder = tempfile::tempdir().expect("temp dir");
        let mut run = RunDirectory::create(&folder.path().join("run"), LoggerSettings::NONE).expect("a run directory");
        fit::<PortableCpu, _>(&Curve::new(1.0), &plan, None, &mut run, observer, &Default::default()).expect("trains");
        run.step_log().root()
    }

    #[test]
    fn an_observer_sees_the_model_that_was_validated_and_changes_no_bit() {
        let (mut first, mut second) = (Curious::default(), Curious::default());
        let nobody: &mut dyn FnMut(Event<'_>) -> ControlFlow<()> = &mut |_| ControlFlow::Continue(());
        let expected = root(nobody);
        assert_eq!([root(&mut first), root(&mut second)], [expected; 2]);
        assert_eq!((first.judged.len(), first.validated), (3, 3));
        for (epoch, (moment, metrics, again)) in first.judged.iter().enumerate() {
            assert_eq!(*moment, Moment { step: 4 * (epoch as u64 + 1), epoch: epoch as u32 });
            assert_eq!((metrics[0].value, &metrics[0].name[..]), (again[0].value, "val/worst"));
        }
        assert_eq!(first.drawn, second.drawn, "its random numbers repeat");
        assert_ne!(first.drawn[0], first.drawn[1]);
    }
}
