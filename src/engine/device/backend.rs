//! Which Burn backend computes on a device: the one place that names the backends.

use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::backend::Autodiff;

use super::{Device, DeviceError, Examination, Job};
use crate::digest::Blake3Digest;
use crate::engine::PortableCpu;
use crate::engine::repro::Kernels;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use crate::engine::repro::Repro;
use crate::engine::repro::probe::{WrongProduct, native_products, probe, report, subnormals};

/// A device as its backend addresses it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Handle {
    Cpu,
    #[cfg(feature = "wgpu")]
    Wgpu(burn::backend::wgpu::WgpuDevice),
    #[cfg(feature = "cuda")]
    Cuda(burn::backend::cuda::CudaDevice),
}

impl Device {
    /// Does the job here.
    pub fn run<J: Job>(&self, job: J) -> J::Output {
        match &self.handle {
            Handle::Cpu => job.run::<PortableCpu>(&Default::default()),
            #[cfg(feature = "wgpu")]
            Handle::Wgpu(device) => job.run::<Autodiff<Repro<burn::backend::Vulkan>>>(device),
            #[cfg(feature = "cuda")]
            Handle::Cuda(device) => job.run::<Autodiff<Repro<burn::backend::Cuda>>>(device),
        }
    }

    /// Probes every op and finds out what the device does by itself: for a person, or for a report.
    pub fn examine(&self) -> Examination {
        match &self.handle {
            Handle::Cpu => examine::<burn::backend::Flex>(&Default::default()),
            #[cfg(feature = "wgpu")]
            Handle::Wgpu(device) => examine::<burn::backend::Vulkan>(device),
            #[cfg(feature = "cuda")]
            Handle::Cuda(device) => examine::<burn::backend::Cuda>(device),
        }
    }

    /// Runs the numerics probe; the digest of what it computed.
    ///
    /// # Errors
    /// When the device computes other bits than the contract asks for.
    pub fn probe(&self) -> Result<Blake3Digest, DeviceError> {
        let probed = match &self.handle {
            Handle::Cpu => probe::<burn::backend::Flex>(&Default::default()),
            #[cfg(feature = "wgpu")]
            Handle::Wgpu(device) => probe::<burn::backend::Vulkan>(device),
            #[cfg(feature = "cuda")]
            Handle::Cuda(device) => probe::<burn::backend::Cuda>(device),
        };
        match probed {
            Ok(probed) => Ok(probed.digest().into()),
            Err(failure) => Err(DeviceError::NotConforming {
                kind: self.kind,
                device: self.name.clone(),
                reason: failure.to_string(),
            }),
        }
    }

    /// Checks that a GPU's own matrix products, those of native numerics, stay inside their operands.
    ///
    /// # Errors
    /// When one does not.
    pub fn check_native(&self) -> Result<(), DeviceError> {
        let checked = match &self.handle {
            Handle::Cpu => Ok(()),
            #[cfg(feature = "wgpu")]
            Handle::Wgpu(device) => native_products::<burn::backend::Vulkan>(device),
            #[cfg(feature = "cuda")]
            Handle::Cuda(device) => native_products::<burn::backend::Cuda>(device),
        };
        checked.map_err(|wrong: WrongProduct| DeviceError::NotCorrect {
            kind: self.kind,
            device: self.name.clone(),
            reason: wrong.to_string(),
        })
    }

    /// Bytes of device memory that this process holds now, of all threads' streams; 0 on the CPU, `None` where it
    /// cannot be told.
    pub fn held_bytes(&self) -> Option<u64> {
        match &self.handle {
            Handle::Cpu => Some(0),
            #[cfg(feature = "wgpu")]
            Handle::Wgpu(device) => held_bytes::<burn::backend::wgpu::WgpuRuntime>(device),
            #[cfg(feature = "cuda")]
            Handle::Cuda(device) => held_bytes::<cubecl::cuda::CudaRuntime>(device),
        }
    }
}

fn examine<B: Kernels>(device: &B::Device) -> Examination {
    Examination {
        probe: report::<B>(device),
        capabilities: catch_unwind(AssertUnwindSafe(|| B::capabilities(device))).ok(),
        subnormals: catch_unwind(AssertUnwindSafe(|| subnormals::<B>(device))).ok(),
        native_products: catch_unwind(AssertUnwindSafe(|| native_products::<B>(device))).ok(),
    }
}

/// CubeCL gives every thread a stream with memory of its own, and tells only about the caller's.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn held_bytes<R: cubecl::Runtime>(device: &R::Device) -> Option<u64> {
    let of_this_thread = || R::client(device).memory_usage().ok().map(|usage| usage.bytes_reserved);
    let of_workers: Option<u64> = rayon::broadcast(|_| of_this_thread()).into_iter().sum();
    Some(of_this_thread()? + of_workers?)
}
