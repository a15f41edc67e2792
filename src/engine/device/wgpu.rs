//! Devices over wgpu, asked for in the way CubeCL will ask for them.

use burn::backend::wgpu::WgpuDevice;
use burn::backend::wgpu::graphics::{AutoGraphicsApi, GraphicsApi};
use burn::tensor::try_read_sync;
use wgpu::{Backend, DeviceType, Instance, InstanceDescriptor};

use super::backend::Handle;
use super::{Device, Kind};

/// The adapters of the graphics interface that CubeCL uses here: GPUs first, software last.
///
/// # Errors
/// Says what is missing.
pub(super) fn devices() -> Result<Vec<Device>, String> {
    let backend = AutoGraphicsApi::backend();
    let interface = match backend {
        Backend::Metal => "Metal",
        _ => "Vulkan",
    };
    let descriptor =
        InstanceDescriptor { backends: backend.into(), ..InstanceDescriptor::new_without_display_handle() };
    // Without a driver, or a loader for drivers, the list is empty.
    let adapters = try_read_sync(Instance::new(descriptor).enumerate_adapters(backend.into()))
        .expect("adapters are listed at once but in a browser");
    // CubeCL numbers the devices of each type apart, in the order of this list.
    let mut numbers = [0, 0, 0];
    let mut numbered = |place: usize| {
        numbers[place] += 1;
        numbers[place] - 1
    };
    let mut found = Vec::new();
    for adapter in adapters {
        let info = adapter.get_info();
        let (rank, device) = match info.device_type {
            DeviceType::DiscreteGpu => (0, WgpuDevice::DiscreteGpu(numbered(0))),
            DeviceType::IntegratedGpu => (1, WgpuDevice::IntegratedGpu(numbered(1))),
            DeviceType::VirtualGpu => (2, WgpuDevice::VirtualGpu(numbered(2))),
            DeviceType::Cpu => (3, WgpuDevice::Cpu),
            // CubeCL has no name for it.
            DeviceType::Other => continue,
        };
        let driver = format!("{} {}", info.driver, info.driver_info).trim().to_owned();
        let device = Device {
            kind: Kind::Wgpu,
            name: info.name,
            interface,
            driver: Some(driver).filter(|driver| !driver.is_empty()),
            // wgpu does not tell.
            memory_bytes: None,
            is_software: info.device_type == DeviceType::Cpu,
            handle: Handle::Wgpu(device),
        };
        found.push((rank, device));
    }
    found.sort_by_key(|(rank, _)| *rank);
    if found.is_empty() {
        return Err(format!("no {interface} driver reports a device"));
    }
    Ok(found.into_iter().map(|(_, device)| device).collect())
}
