//! In place of Burn's common/backend.rs: the backend under test.

use std::sync::Once;

use burn_tensor::Element;
use burn_tensor::backend::Backend;

use super::{FloatElem, IntElem};

#[cfg(feature = "suites-cpu")]
pub type Portable = repro_burn::Cpu;
#[cfg(feature = "suites-vulkan")]
pub type Portable = repro_burn::Vulkan;

/// What each test begins with.
pub fn begin() {
    static TYPES: Once = Once::new();
    TYPES.call_once(|| {
        let (float, int) = (FloatElem::dtype(), IntElem::dtype());
        burn_tensor::set_default_dtypes::<Portable>(&Default::default(), float, int).expect("they are chosen once");
    });
    if std::env::var_os("UNSEEDED").is_none() {
        Portable::seed(&Default::default(), 0);
    }
}

/// The suite of tensors; that of autodiff has types of its own.
#[allow(unused)]
pub mod prelude {
    pub use burn_tensor::Tensor;

    pub type TestBackend = super::Portable;
    pub type TestTensor<const D: usize> = Tensor<TestBackend, D>;
    pub type TestTensorInt<const D: usize> = Tensor<TestBackend, D, burn_tensor::Int>;
    pub type TestTensorBool<const D: usize> = Tensor<TestBackend, D, burn_tensor::Bool>;
}

#[allow(unused)]
pub use prelude::*;
