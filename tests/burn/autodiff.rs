//! In place of Burn's common/autodiff.rs: the suite of autodiff with and without checkpointing, which Burn's own test
//! backend chooses by the device and ours by the type.

pub use super::*;

macro_rules! differentiated {
    ($backend:ty) => {
        pub type TestBackend = $backend;
        pub type TestTensor<const D: usize> = burn_tensor::Tensor<TestBackend, D>;
        pub type TestTensorInt<const D: usize> = burn_tensor::Tensor<TestBackend, D, burn_tensor::Int>;
        #[allow(unused)]
        pub type TestTensorBool<const D: usize> = burn_tensor::Tensor<TestBackend, D, burn_tensor::Bool>;

        pub struct AutodiffDevice;

        impl AutodiffDevice {
            #[allow(clippy::new_ret_no_self)]
            pub fn new() -> burn_tensor::Device<TestBackend> {
                Default::default()
            }
        }
    };
}

differentiated!(burn_autodiff::Autodiff<Portable>);

#[path = "../autodiff/mod.rs"]
mod base;

mod checkpointing {
    use burn_autodiff::checkpoint::strategy::BalancedCheckpointing;

    pub use super::FloatElem;

    differentiated!(burn_autodiff::Autodiff<super::Portable, BalancedCheckpointing>);

    include!("../autodiff/mod.rs");
}
