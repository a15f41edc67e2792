//! NVIDIA GPUs, through the driver's own library, which may not be there.

use burn::backend::cuda::CudaDevice;
use cudarc::driver::{result, sys};

use super::backend::Handle;
use super::{Device, Kind};

/// The GPUs in the driver's order.
///
/// # Errors
/// Says what is missing.
pub(super) fn devices() -> Result<Vec<Device>, String> {
    // cudarc panics where it calls into a library that is not there, so first see whether it is.
    // SAFETY: loads the driver's library and lets it go; its initialisers are those any CUDA program runs.
    if !unsafe { sys::is_culib_present() } {
        return Err("NVIDIA's driver (libcuda) is not installed".into());
    }
    // SAFETY: as above, for the run-time compiler's library.
    if !unsafe { cudarc::nvrtc::sys::is_culib_present() } {
        return Err("the kernel compiler NVRTC (libnvrtc, of the CUDA toolkit) is not installed".into());
    }
    let of_driver = |error: result::DriverError| format!("NVIDIA's driver says {error}");
    result::init().map_err(of_driver)?;
    let count = result::device::get_count().map_err(of_driver)?;
    if count == 0 {
        return Err("NVIDIA's driver reports no GPU".into());
    }
    (0..count).map(|ordinal| device(ordinal).map_err(of_driver)).collect()
}

fn device(ordinal: i32) -> Result<Device, result::DriverError> {
    let gpu = result::device::get(ordinal)?;
    // SAFETY: `gpu` comes from `device::get`.
    let memory = unsafe { result::device::total_mem(gpu) }?;
    Ok(Device {
        kind: Kind::Cuda,
        name: result::device::get_name(gpu)?,
        interface: "CUDA",
        driver: driver(),
        memory_bytes: Some(memory as u64),
        is_software: false,
        handle: Handle::Cuda(CudaDevice::new(ordinal as usize)),
    })
}

/// The kernel driver's version where the system tells, and the CUDA version it is good for.
fn driver() -> Option<String> {
    let mut version = 0;
    // SAFETY: writes one integer.
    let cuda = unsafe { sys::cuDriverGetVersion(&mut version) }.result().ok();
    let cuda = cuda.map(|()| format!("CUDA {}.{}", version / 1000, version % 1000 / 10));
    let kernel = std::fs::read_to_string("/sys/module/nvidia/version").ok().map(|text| text.trim().to_owned());
    match (kernel, cuda) {
        (Some(kernel), Some(cuda)) => Some(format!("NVIDIA {kernel}, {cuda}")),
        (kernel, cuda) => kernel.or(cuda),
    }
}
