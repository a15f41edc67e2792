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

/// Where the workers of a run compute: all on one kind of device, or one after another on the kinds of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Accelerators {
    /// Every worker on a device of its own of this kind.
    One(Accelerator),
    /// Worker k on the kind at place k of the list, which begins again after its end. Two that name the same kind share a
    /// device where there is only one.
    Mixed(#[schemars(length(min = 1))] Vec<Accelerator>),
}

impl<'de> Deserialize<'de> for Accelerators {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Names(Vec<String>),
            Name(String),
        }
        let read = |name: String| Accelerator::deserialize(serde::de::value::StringDeserializer::<D::Error>::new(name));
        match Written::deserialize(deserializer) {
            Ok(Written::Name(name)) => read(name).map(Self::One),
            Ok(Written::Names(names)) if !names.is_empty() => {
                names.into_iter().map(read).collect::<Result<_, _>>().map(Self::Mixed)
            }
            _ => Err(D::Error::custom("expected auto, cpu, wgpu, cuda, or a list of them with at least one")),
        }
    }
}

/// How many devices of a node take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number of devices, or auto")]
pub enum Devices {
    /// This many.
    Count(u32),
    /// All that are there.
    Auto(AutoWord),
}

impl Devices {
    /// The word `auto`.
    pub const AUTO: Self = Self::Auto(AutoWord::Auto);
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AutoWord {
    /// `auto`
    Auto,
}
