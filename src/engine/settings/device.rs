//! Where a run computes: `trainer.accelerator`, `trainer.devices`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Where a run computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// The best device that is there and conforms; the run says which and why.
    Auto,
    /// The CPU, through Burn's Flex backend.
    Cpu,
    /// Vulkan, Metal or DirectX through wgpu.
    Wgpu,
    /// NVIDIA CUDA.
    Cuda,
}

impl<'de> Deserialize<'de> for Accelerator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "wgpu" => Ok(Self::Wgpu),
            "cuda" => Ok(Self::Cuda),
            // Lightning's name for either; the nearest of ours by its letters is cpu.
            "gpu" => Err(D::Error::custom(
                "expected auto, cpu, wgpu or cuda, got \"gpu\": cuda and wgpu (Vulkan, Metal) are GPUs, and auto takes the \
                 best device that is there",
            )),
            _ => Err(D::Error::unknown_variant(&name, &["auto", "cpu", "wgpu", "cuda"])),
        }
    }
}

/// How many devices of a node take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Devices {
    /// This many.
    Count(u32),
    /// All that are there.
    Auto(AutoWord),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AutoWord {
    /// `auto`
    Auto,
}
