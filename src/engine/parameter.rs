//! A model's parameters by path, in path order: floats and their gradients on their device, integers on the host.
//!
//! Burn identifies parameters by random ids; a path (`encoder.0.weight`) is the same in every run.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Bool, Int, Tensor, TensorData};

use super::snapshot::{HostIntegers, IntegerKind};

/// Flat tensors by parameter path. The order of the map is the order of every digest and sum over parameters.
pub type ByPath<B> = BTreeMap<String, Tensor<B, 1>>;

/// The flattened values of all float parameters, on their device.
pub fn values<B: AutodiffBackend, M: Module<B>>(model: &M) -> ByPath<B::InnerBackend> {
    struct Visitor<B: AutodiffBackend> {
        path: Path,
        found: ByPath<B::InnerBackend>,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Visitor<B> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.found.insert(self.path.text(), flat(param.val().inner()));
        }
    }
    let mut visitor = Visitor { path: Path::default(), found: BTreeMap::new() };
    model.visit(&mut visitor);
    visitor.found
}

/// The shapes of all float parameters.
pub fn shapes<B: Backend, M: Module<B>>(model: &M) -> BTreeMap<String, Vec<usize>> {
    #[derive(Default)]
    struct Visitor {
        path: Path,
        found: BTreeMap<String, Vec<usize>>,
    }
    impl<B: Backend> ModuleVisitor<B> for Visitor {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.found.insert(self.path.text(), param.val().dims().to_vec());
        }
    }
    let mut visitor = Visitor::default();
    model.visit(&mut visitor);
    visitor.found
}

/// The parameters that hold integers or truth values. No gradient reaches them, and the engine never changes them.
pub fn integers<B: Backend, M: Module<B>>(model: &M) -> BTreeMap<String, HostIntegers> {
    #[derive(Default)]
    struct Visitor {
        path: Path,
        found: BTreeMap<String, HostIntegers>,
    }
    impl Visitor {
        fn insert(&mut self, kind: IntegerKind, data: &TensorData) {
            let values = data.iter::<i64>().collect();
            self.found.insert(self.path.text(), HostIntegers { kind, shape: data.shape.to_vec(), values });
        }
    }
    impl<B: Backend> ModuleVisitor<B> for Visitor {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<B, D, Int>>) {
            self.insert(IntegerKind::Int, &param.val().into_data());
        }
        fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<B, D, Bool>>) {
            self.insert(IntegerKind::Bool, &param.val().into_data());
        }
    }
    let mut visitor = Visitor::default();
    model.visit(&mut visitor);
    visitor.found
}

/// The flattened gradients of the parameters that took part in a loss.
pub fn gradients<B: AutodiffBackend, M: Module<B>>(model: &M, gradients: &B::Gradients) -> ByPath<B::InnerBackend> {
    struct Visitor<'a, B: AutodiffBackend> {
        path: Path,
        gradients: &'a B::Gradients,
        found: ByPath<B::InnerBackend>,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Visitor<'_, B> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(gradient) = param.val().grad(self.gradients) {
                self.found.insert(self.path.text(), flat(gradient));
            }
        }
    }
    let mut visitor = Visitor { path: Path::default(), gradients, found: BTreeMap::new() };
    model.visit(&mut visitor);
    visitor.found
}

/// A copy of the model that shares nothing with it: no autodiff graph and no running statistics, which clones share.
pub fn isolated<B: AutodiffBackend, M: AutodiffModule<B>>(model: &M) -> M {
    M::from_inner(model.valid())
}

/// Paths of the running statistics: values that a forward pass changes, as batch norm's mean and variance.
///
/// Burn visits them as if they were parameters. What tells them apart is that a clone shares them: a change of the
/// clone's is seen here, whatever kind of module holds them.
pub fn running<B: AutodiffBackend, M: AutodiffModule<B>>(model: &M) -> BTreeSet<String> {
    struct Track;
    impl<B: AutodiffBackend> ModuleMapper<B> for Track {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.map(Tensor::require_grad)
        }
    }
    let model = isolated::<B, M>(model);
    let before = tracked::<B, M>(&model);
    let _ = model.clone().map(&mut Track);
    tracked::<B, M>(&model).difference(&before).cloned().collect()
}

/// The model with parameters that no gradient is computed for any more.
pub fn freeze<B: AutodiffBackend, M: Module<B>>(model: M, paths: BTreeSet<String>) -> M {
    struct Mapper {
        path: Path,
        paths: BTreeSet<String>,
    }
    impl<B: AutodiffBackend> ModuleMapper<B> for Mapper {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            match self.paths.contains(&self.path.text()) {
                true => param.map(|tensor| tensor.set_require_grad(false)),
                false => param,
            }
        }
    }
    model.map(&mut Mapper { path: Path::default(), paths })
}

/// Paths of the float tensors that gradients are computed for.
pub fn tracked<B: AutodiffBackend, M: Module<B>>(model: &M) -> BTreeSet<String> {
    #[derive(Default)]
    struct Visitor {
        path: Path,
        found: BTreeSet<String>,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Visitor {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if param.val().is_require_grad() {
                self.found.insert(self.path.text());
            }
        }
    }
    let mut visitor = Visitor::default();
    model.visit(&mut visitor);
    visitor.found
}

/// The model with the given parameters replaced; paths that are not in `values` keep theirs.
///
/// # Panics
/// When a value has another number of elements than its parameter.
pub fn replace<B: AutodiffBackend, M: Module<B>>(model: M, values: ByPath<B::InnerBackend>) -> M {
    struct Mapper<B: AutodiffBackend> {
        path: Path,
        values: ByPath<B::InnerBackend>,
    }
    impl<B: AutodiffBackend> ModuleMapper<B> for Mapper<B> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let Some(value) = self.values.remove(&self.path.text()) else { return param };
            param.map(|old| {
                let tracked = old.is_require_grad();
                let new = Tensor::<B, D>::from_inner(value.reshape(old.dims()));
                if tracked { new.require_grad() } else { new }
            })
        }
    }
    model.map(&mut Mapper { path: Path::default(), values })
}

/// The model with parameters that hold integers or truth values replaced; paths that are not in `values` keep theirs.
///
/// # Panics
/// When a value has another number of elements than its parameter.
pub fn replace_integers<B: Backend, M: Module<B>>(model: M, values: BTreeMap<String, HostIntegers>) -> M {
    struct Mapper {
        path: Path,
        values: BTreeMap<String, HostIntegers>,
    }
    impl<B: Backend> ModuleMapper<B> for Mapper {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn map_int<const D: usize>(&mut self, param: Param<Tensor<B, D, Int>>) -> Param<Tensor<B, D, Int>> {
            let Some(HostIntegers { shape, values, .. }) = self.values.remove(&self.path.text()) else { return param };
            param.map(|old| Tensor::from_data(TensorData::new(values, shape), &old.device()))
        }
        fn map_bool<const D: usize>(&mut self, param: Param<Tensor<B, D, Bool>>) -> Param<Tensor<B, D, Bool>> {
            let Some(HostIntegers { shape, values, .. }) = self.values.remove(&self.path.text()) else { return param };
            let values: Vec<bool> = values.into_iter().map(|value| value != 0).collect();
            param.map(|old| Tensor::from_data(TensorData::new(values, shape), &old.device()))
        }
    }
    model.map(&mut Mapper { path: Path::default(), values })
}

/// Reads a flat tensor back to the host.
///
/// # Panics
/// When the tensor does not hold f32.
pub fn to_host<B: Backend>(tensor: &Tensor<B, 1>) -> Vec<f32> {
    tensor.to_data().into_vec().expect("parameters and moments are f32")
}

/// Puts host values onto a device.
pub fn from_host<B: Backend>(values: Vec<f32>, device: &B::Device) -> Tensor<B, 1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

fn flat<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Tensor<B, 1> {
    let length: usize = tensor.dims().iter().product();
    tensor.reshape([length])
}

#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn text(&self) -> String {
        self.0.join(".")
    }
}
