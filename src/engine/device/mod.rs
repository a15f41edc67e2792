//! Which device computes: the kinds compiled in, the devices of this machine, and the choice among them.
//!
//! `auto` takes the first of CUDA, a GPU over wgpu, the CPU that is there and, in portable numerics, passes the probe.
//! A Vulkan driver that is software (llvmpipe) is no GPU: `auto` leaves it alone, `wgpu` takes it. In portable numerics
//! the choice changes no bit.

mod backend;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "wgpu")]
mod wgpu;

use std::fmt;

use burn::tensor::backend::AutodiffBackend;

use self::backend::Handle;
pub use self::cpu::{CPU_LEVEL_VARIABLE, CpuLevelVariableError, choose_cpu_level};
use super::repro::Capabilities;
use super::repro::probe::{ProbeFailure, Report, Subnormals, WrongProduct};
use super::settings::{Accelerator, Accelerators, Devices, Numerics, SupportedTrainer};
use crate::digest::Blake3Digest;
use crate::failure::{Advice, FailureKind};

/// A kind of device, as `trainer.accelerator` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// NVIDIA GPUs through CUDA.
    Cuda,
    /// Vulkan (Metal on macOS) through wgpu.
    Wgpu,
    /// The CPU.
    Cpu,
}

impl Kind {
    /// Every kind, in the order in which `auto` looks.
    pub const ALL: [Self; 3] = [Self::Cuda, Self::Wgpu, Self::Cpu];

    /// Its name in configs, records and on command lines; where it needs one, the name of its Cargo feature, too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Wgpu => "wgpu",
            Self::Cpu => "cpu",
        }
    }

    /// Whether this program was built with it.
    pub fn is_compiled_in(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cpu => true,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A device of this machine.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its kind.
    pub kind: Kind,
    /// Its name, as its driver or the system tells it.
    pub name: String,
    /// The interface that reaches it: `CPU`, `CUDA`, `Vulkan`, `Metal`.
    pub interface: &'static str,
    /// Name and version of its driver; the CPU has none.
    pub driver: Option<String>,
    /// Its memory in bytes, where its interface tells; the CPU's is the machine's.
    pub memory_bytes: Option<u64>,
    /// Whether it is a program that runs on the CPU.
    pub is_software: bool,
    handle: Handle,
}

impl Device {
    /// Whether both are the same device of this machine.
    fn is_same(&self, other: &Self) -> bool {
        self.handle == other.handle
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, self.interface)
    }
}

/// What was found out about the arithmetic of a device.
#[derive(Debug, Clone)]
pub struct Examination {
    /// How it does each op.
    pub probe: Report,
    /// What it computes by itself; `None` if asking made its driver panic, of which the probe says more.
    pub capabilities: Option<Capabilities>,
    /// What it does with subnormal numbers; `None` as above.
    pub subnormals: Option<Subnormals>,
    /// Whether its own matrix products, those of native numerics, stay inside their operands; `None` as above.
    pub native_products: Option<Result<(), WrongProduct>>,
}

/// Something to do on whichever device was chosen, written once for all backends.
///
/// A trait and not a closure, because a closure cannot be generic.
pub trait Job {
    /// What comes of it.
    type Output;

    /// Does it on `device`.
    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output;
}

/// The device that was chosen, and why.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The device.
    pub device: Device,
    /// Digest of what the numerics probe computed there; `None` where it was not run.
    pub probe: Option<Blake3Digest>,
    /// Why this one: the end of a sentence that begins with "because".
    pub why: String,
}

/// A device that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The program lacks the backend.
    #[error("accelerator {kind}: this program was built without it")]
    NotCompiledIn {
        /// What was asked for.
        kind: Kind,
    },
    /// The machine has no such device, or no driver for it.
    #[error("accelerator {kind}: expected a device on this machine, got none: {reason}")]
    Absent {
        /// What was asked for.
        kind: Kind,
        /// What is missing.
        reason: String,
    },
    /// The machine has fewer than were asked for.
    #[error("accelerator {kind}: expected {expected} devices on this machine, got {}: {}", names.len(), names.join(", "))]
    TooFew {
        /// What was asked for.
        kind: Kind,
        /// How many.
        expected: usize,
        /// Those that are there.
        names: Vec<String>,
    },
    /// The device's own kernels compute something else than they should.
    #[error("accelerator {kind}: {device} cannot compute native numerics: {reason}")]
    NotCorrect {
        /// What was asked for.
        kind: Kind,
        /// Name of the device.
        device: String,
        /// What was computed, what was expected and what came out.
        reason: String,
    },
    /// The device computes other bits than the numerics contract asks for.
    #[error("accelerator {kind}: {device} does not compute portable numerics: {reason}")]
    NotConforming {
        /// What was asked for.
        kind: Kind,
        /// Name of the device.
        device: String,
        /// The op, the input, what was expected and what came out.
        reason: String,
    },
}

/// The devices of a kind that this program can use on this machine, best first; never an empty list.
///
/// # Errors
/// When the kind is not compiled in, or there is no device.
pub fn devices(kind: Kind) -> Result<Vec<Device>, DeviceError> {
    let found = match kind {
        Kind::Cpu => Ok(vec![cpu::device()]),
        #[cfg(feature = "wgpu")]
        Kind::Wgpu => wgpu::devices(),
        #[cfg(feature = "cuda")]
        Kind::Cuda => cuda::devices(),
        #[cfg(not(all(feature = "wgpu", feature = "cuda")))]
        _ => return Err(DeviceError::NotCompiledIn { kind }),
    };
    found.map_err(|reason| DeviceError::Absent { kind, reason })
}

/// Probes a device as far as its numerics promise something: in portable numerics every op, in native numerics a GPU's own
/// products.
fn examined(device: &Device, numerics: Numerics) -> Result<Option<Blake3Digest>, DeviceError> {
    match numerics {
        Numerics::Portable => device.probe().map(Some),
        Numerics::Native => device.check_native().map(|()| None),
    }
}

/// Chooses the device for a run and probes it: in portable numerics every op, in native numerics a GPU's own products.
///
/// # Errors
/// When what was asked for is not there or does not conform. `auto` always finds the CPU.
pub fn choose(accelerator: Accelerator, numerics: Numerics) -> Result<Choice, DeviceError> {
    let Some(kind) = kind_of(accelerator) else { return choose_best(devices, |device| examined(device, numerics)) };
    let device = devices(kind)?.swap_remove(0);
    let probe = examined(&device, numerics)?;
    Ok(Choice { device, probe, why: format!("accelerator={kind}") })
}

/// The kind that is asked for; none of `auto`.
fn kind_of(accelerator: Accelerator) -> Option<Kind> {
    match accelerator {
        Accelerator::Auto => None,
        Accelerator::Cpu => Some(Kind::Cpu),
        Accelerator::Wgpu => Some(Kind::Wgpu),
        Accelerator::Cuda => Some(Kind::Cuda),
    }
}

/// Chooses a device for every worker of a node, and probes each once.
///
/// With a count, as many devices of the kind, the CPU's cores divided among workers on it; `auto` is all conforming devices of the
/// kind, of which as many are taken as the micro-shards can be divided among, and one worker on the CPU. With a list, worker k
/// computes on the kind at its place k, and `auto` is a worker for every place.
///
/// # Errors
/// When a device that was asked for is not there or does not conform.
pub fn choose_for_workers(trainer: &SupportedTrainer, devices_wanted: Devices) -> Result<Vec<Choice>, DeviceError> {
    let numerics = trainer.numerics;
    match (&trainer.accelerator, devices_wanted) {
        (Accelerators::Mixed(kinds), count) => {
            let count = if let Devices::Count(count) = count { count as usize } else { kinds.len() };
            mixed(kinds, count, numerics)
        }
        (Accelerators::One(accelerator), count) => {
            let first = choose(*accelerator, numerics)?;
            let kind = first.device.kind;
            match (count, kind) {
                (Devices::Count(count), Kind::Cpu) => Ok(vec![first; count as usize]),
                (Devices::Auto(_), Kind::Cpu) | (Devices::Count(1), _) => Ok(vec![first]),
                (Devices::Count(count), _) => several(first, devices(kind)?, count as usize, numerics),
                (Devices::Auto(_), _) => {
                    let per_node =
                        |count: usize| trainer.check_workers(count as u64 * u64::from(trainer.num_nodes)).is_ok();
                    Ok(all(first, devices(kind)?, per_node, numerics))
                }
            }
        }
    }
}

/// Chooses and probes the device of one of several processes: with a list, of the kind at its number's place. Of several devices of a
/// kind each process of a host has its own, in the order of their numbers; one is what a launcher shows to each, or is shared.
///
/// # Errors
/// When it is not there or does not conform.
pub fn choose_for_rank(trainer: &SupportedTrainer, rank: usize, local_rank: usize) -> Result<Choice, DeviceError> {
    let numerics = trainer.numerics;
    let of_rank = |rank: usize| match &trainer.accelerator {
        Accelerators::One(accelerator) => *accelerator,
        Accelerators::Mixed(kinds) => kinds[rank % kinds.len()],
    };
    let accelerator = of_rank(rank);
    let Some(kind) = kind_of(accelerator).filter(|kind| *kind != Kind::Cpu) else {
        let first = choose(accelerator, numerics)?;
        return match first.device.kind {
            Kind::Cpu => Ok(first),
            kind => of_host(kind, local_rank, false, &first.why, numerics),
        };
    };
    // Ranks of a host are neighbours.
    let place = (rank - local_rank.min(rank)..rank).filter(|other| of_rank(*other) == accelerator).count();
    of_host(kind, place, true, &format!("accelerator={kind}"), numerics)
}

/// The device of a kind that the process at a place among those of its host has, software only `with_software`.
fn of_host(
    kind: Kind,
    place: usize,
    with_software: bool,
    why: &str,
    numerics: Numerics,
) -> Result<Choice, DeviceError> {
    let mut found = devices(kind)?;
    if !with_software || found.iter().any(|device| !device.is_software) {
        found.retain(|device| !device.is_software);
    }
    let names = found.iter().map(|device| device.name.clone()).collect();
    let too_few = DeviceError::TooFew { kind, expected: place + 1, names };
    let place = if found.len() == 1 { 0 } else { place };
    let device = found.into_iter().nth(place).ok_or(too_few)?;
    Ok(Choice { probe: examined(&device, numerics)?, device, why: why.to_owned() })
}

/// So many devices of the kind of the first one that conform, that first.
fn several(first: Choice, found: Vec<Device>, count: usize, numerics: Numerics) -> Result<Vec<Choice>, DeviceError> {
    let kind = first.device.kind;
    let is_alike = |device: &Device| device.is_software == first.device.is_software;
    let found: Vec<_> = found.into_iter().filter(is_alike).collect();
    let names = found.iter().map(|device| device.name.clone()).collect();
    let (why, mut refused) = (first.why.clone(), None);
    let others: Vec<_> = found.into_iter().filter(|device| !device.is_same(&first.device)).collect();
    let mut choices = vec![first];
    for device in others {
        if choices.len() == count {
            break;
        }
        match examined(&device, numerics) {
            Ok(probe) => choices.push(Choice { device, probe, why: why.clone() }),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match choices.len() == count {
        true => Ok(choices),
        false => Err(refused.unwrap_or(DeviceError::TooFew { kind, expected: count, names })),
    }
}

/// All devices of the kind of the first one that conform, that first, as many as are allowed.
fn all(first: Choice, found: Vec<Device>, allowed: impl Fn(usize) -> bool, numerics: Numerics) -> Vec<Choice> {
    let why = first.why.clone();
    let is_other = |device: &Device| !device.is_same(&first.device) && device.is_software == first.device.is_software;
    let others: Vec<_> = found.into_iter().filter(is_other).collect();
    let mut choices = vec![first];
    choices.extend(others.into_iter().filter_map(|device| {
        let probe = examined(&device, numerics).ok()?;
        Some(Choice { device, probe, why: why.clone() })
    }));
    while choices.len() > 1 && !allowed(choices.len()) {
        choices.pop();
    }
    choices
}

/// A device for each of so many workers, of the kinds of a list that begins again after its end.
fn mixed(kinds: &[Accelerator], count: usize, numerics: Numerics) -> Result<Vec<Choice>, DeviceError> {
    let why = format!(
        "accelerator=[{}]",
        kinds.iter().map(|kind| kind_of(*kind).map_or("auto", Kind::name)).collect::<Vec<_>>().join(",")
    );
    // Of each kind that is named: the choices so far, and the devices that were not handed out yet.
    let mut kinds_so_far: Vec<(Accelerator, Vec<Choice>, Vec<Device>, usize)> = Vec::new();
    let mut choices = Vec::with_capacity(count);
    for accelerator in kinds.iter().cycle().take(count) {
        let place = match kinds_so_far.iter().position(|(known, ..)| known == accelerator) {
            Some(place) => place,
            None => {
                let first = Choice { why: why.clone(), ..choose(*accelerator, numerics)? };
                let others = devices(first.device.kind)?.into_iter();
                let is_other =
                    |device: &Device| !device.is_same(&first.device) && device.is_software == first.device.is_software;
                let others = others.filter(is_other).rev().collect();
                kinds_so_far.push((*accelerator, vec![first], others, 0));
                kinds_so_far.len() - 1
            }
        };
        let (_, chosen, others, taken) = &mut kinds_so_far[place];
        // Another one that conforms, and from the beginning where there is none.
        while *taken == chosen.len()
            && let Some(device) = others.pop()
        {
            if let Ok(probe) = examined(&device, numerics) {
                chosen.push(Choice { device, probe, why: why.clone() });
            }
        }
        choices.push(chosen[*taken % chosen.len()].clone());
        *taken += 1;
    }
    Ok(choices)
}

/// The first GPU that is there and conforms, else the CPU.
fn choose_best(
    devices: impl Fn(Kind) -> Result<Vec<Device>, DeviceError>,
    probe: impl Fn(&Device) -> Result<Option<Blake3Digest>, DeviceError>,
) -> Result<Choice, DeviceError> {
    let mut passed_over = Vec::new();
    for kind in Kind::ALL {
        let found = match devices(kind) {
            Ok(found) => found,
            Err(error) => {
                passed_over.push(match error {
                    DeviceError::NotCompiledIn { .. } => format!("{kind} is not compiled in"),
                    error => error.to_string(),
                });
                continue;
            }
        };
        for device in found {
            if device.is_software {
                passed_over.push(format!("{} is software", device.name));
                continue;
            }
            match probe(&device) {
                Ok(probe) => {
                    let best = match kind {
                        Kind::Cuda => "CUDA comes first",
                        Kind::Wgpu => "a GPU comes before the CPU",
                        Kind::Cpu => "nothing faster can be used",
                    };
                    let mut why = format!("accelerator=auto, and {best}");
                    if !passed_over.is_empty() {
                        why = format!("{why} ({})", passed_over.join("; "));
                    }
                    return Ok(Choice { device, probe, why });
                }
                // There is nothing to fall back to.
                Err(error) if kind == Kind::Cpu => return Err(error),
                Err(error) => passed_over.push(error.to_string()),
            }
        }
    }
    unreachable!("the CPU is always there and is no software device")
}

impl Advice for DeviceError {
    fn hint(&self) -> Option<String> {
        let driver = |kind: &Kind| match kind {
            Kind::Cuda => "install NVIDIA's driver and the CUDA toolkit's NVRTC",
            Kind::Wgpu => "install a Vulkan driver (Mesa's package mesa-vulkan-drivers has one that needs no GPU)",
            Kind::Cpu => "use another machine",
        };
        Some(match self {
            Self::NotCompiledIn { kind } => {
                format!("build with `cargo build --release --features {kind}`, or use accelerator=cpu or auto")
            }
            Self::Absent { kind, .. } => format!("{}, or use accelerator=cpu or auto", driver(kind)),
            Self::NotConforming { .. } => {
                "use accelerator=cpu or auto; trainer.numerics=native trains there, with bits of that kind of device"
                    .into()
            }
            Self::TooFew { kind, names, .. } => format!(
                "set trainer.devices={}, or share devices by naming the kind once for each worker: trainer.accelerator=[{kind},{kind}]",
                names.len()
            ),
            Self::NotCorrect { .. } => "use accelerator=cpu, or trainer.numerics=portable, which has its own".into(),
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::NotCompiledIn { .. } | Self::Absent { .. } | Self::TooFew { .. } => FailureKind::Usage,
            Self::NotConforming { .. } | Self::NotCorrect { .. } => FailureKind::Failed,
        }
    }
}

impl Advice for ProbeFailure {
    fn hint(&self) -> Option<String> {
        let report = "report it with the output of `spectramind doctor --verbose`";
        Some(format!("use another accelerator or driver, or trainer.numerics=native; {report}"))
    }
}

impl Advice for WrongProduct {}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(kind: Kind, name: &str, is_software: bool) -> Device {
        Device { kind, name: name.into(), is_software, ..cpu::device() }
    }

    fn best(cuda: &[Device], wgpu: &[Device], conforms: &[&str]) -> Choice {
        let devices = |kind| {
            let found = match kind {
                Kind::Cuda => cuda.to_vec(),
                Kind::Wgpu => wgpu.to_vec(),
                Kind::Cpu => vec![device(Kind::Cpu, "a CPU", false)],
            };
            if found.is_empty() { Err(DeviceError::Absent { kind, reason: "no driver".into() }) } else { Ok(found) }
        };
        let probe = |device: &Device| {
            if device.kind == Kind::Cpu || conforms.contains(&device.name.as_str()) {
                return Ok(None);
            }
            let (kind, device) = (device.kind, device.name.clone());
            Err(DeviceError::NotConforming { kind, device, reason: "float_exp".into() })
        };
        choose_best(devices, probe).expect("the CPU at least")
    }

    #[test]
    fn auto_takes_cuda_then_a_gpu_then_the_cpu_and_says_why() {
        let (h100, radeon) = (device(Kind::Cuda, "H100", false), device(Kind::Wgpu, "Radeon", false));
        let both = best(std::slice::from_ref(&h100), std::slice::from_ref(&radeon), &["H100", "Radeon"]);
        assert_eq!((both.device.name.as_str(), both.why.as_str()), ("H100", "accelerator=auto, and CUDA comes first"));
        let one = best(&[], &[radeon], &["Radeon"]);
        assert_eq!(one.device.name, "Radeon");
        assert!(one.why.contains("no driver"), "{}", one.why);
        assert_eq!(best(&[], &[], &[]).device.kind, Kind::Cpu);
    }

    #[test]
    fn auto_passes_over_software_and_devices_that_do_not_conform() {
        let lavapipe = device(Kind::Wgpu, "llvmpipe", true);
        let chosen = best(&[device(Kind::Cuda, "bad GPU", false)], &[lavapipe], &["llvmpipe"]);
        assert_eq!(chosen.device.name, "a CPU");
        assert!(chosen.why.contains("llvmpipe is software"), "{}", chosen.why);
        assert!(chosen.why.contains("bad GPU does not compute portable numerics: float_exp"), "{}", chosen.why);
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        for (kind, accelerator) in [(Kind::Wgpu, Accelerator::Wgpu), (Kind::Cuda, Accelerator::Cuda)] {
            match choose(accelerator, Numerics::Portable) {
                Err(error) if !kind.is_compiled_in() => assert_eq!(error, DeviceError::NotCompiledIn { kind }),
                Err(error) => assert!(error.to_string().starts_with(&format!("accelerator {kind}: ")), "{error}"),
                Ok(choice) => assert_eq!(choice.device.kind, kind),
            }
        }
    }
}
