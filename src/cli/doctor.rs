//! `spectramind doctor`

use std::fmt::Write as _;
use std::time::Instant;

use crate::engine::device::{Device, Examination, Kind, devices};
use crate::engine::repro::probe::{Judged, Verdict, WrongProduct};
use crate::engine::repro::{Capabilities, CpuLevel, NUMERICS_VERSION};
use crate::envelope::Bounds;
use crate::failure::{Context, Result};
use crate::network;
use crate::provenance::environment::machine_memory;
use serde_json::{Value, json};

use crate::cli::output::{out, outln};

/// Show the devices, whether they compute the bits that portable runs promise, and the limits in force
#[derive(clap::Args)]
pub struct Arguments {
    /// List every op that was probed
    #[arg(long, short)]
    verbose: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// A device and what was found out about it.
struct Examined {
    device: Device,
    /// Instruction set; of the CPU only.
    level: Option<String>,
    memory_bytes: Option<u64>,
    findings: Examination,
    seconds: f64,
}

/// Examines every device.
///
/// # Errors
/// The first op that failed on the first device that failed, or a product of its own that is wrong.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut examined = Vec::new();
    let mut absent = Vec::new();
    for kind in Kind::ALL.into_iter().rev() {
        match devices(kind) {
            Ok(devices) => examined.extend(devices.into_iter().map(examine)),
            Err(error) => absent.push((kind, error)),
        }
    }
    if arguments.json {
        let devices: Vec<Value> = examined.iter().map(Examined::to_json).collect();
        let absent: Vec<Value> =
            absent.iter().map(|(kind, why)| json!({ "accelerator": kind.name(), "why": why.to_string() })).collect();
        let limits = limits_as_json();
        let findings =
            json!({ "numericsVersion": NUMERICS_VERSION, "devices": devices, "absent": absent, "limits": limits });
        outln!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for device in &examined {
            out!("{}\n", device.to_text(arguments.verbose));
        }
        for (kind, why) in &absent {
            out!("{kind}  absent: {why}\n\n");
        }
        out!("{}", limits_as_text());
    }
    for Examined { device, findings, .. } in examined {
        findings.probe.probed().with_context(|| format!("{} may not be used in portable mode", device.name))?;
        let native = findings.native_products.unwrap_or(Ok(()));
        native.with_context(|| format!("{} may not be used in native mode", device.name))?;
    }
    Ok(())
}

fn examine(device: Device) -> Examined {
    let is_cpu = device.kind == Kind::Cpu;
    let start = Instant::now();
    let findings = device.examine();
    Examined {
        level: is_cpu.then(|| CpuLevel::detected().to_string()),
        memory_bytes: if is_cpu { machine_memory() } else { device.memory_bytes },
        findings,
        seconds: start.elapsed().as_secs_f64(),
        device,
    }
}

impl Examined {
    fn to_text(&self, verbose: bool) -> String {
        let Self { device, findings: Examination { probe, capabilities, subnormals, native_products }, .. } = self;
        let mut text = format!("{}  {}, {}\n", device.kind, device.name, device.interface);
        let probed = match probe.probed() {
            Ok(probed) => format!("passed, digest {}", probed.digest()),
            Err(failure) => format!("FAILED at `{}`", failure.op),
        };
        let capable = |text: fn(&Capabilities) -> String| capabilities.as_ref().map_or("unknown".into(), text);
        for (name, value) in [
            ("driver", device.driver.clone().unwrap_or_else(|| "none".into())),
            ("memory", self.memory_bytes.map_or("unknown".into(), gibibytes)),
            ("instruction level", self.level.clone().unwrap_or_else(|| "the driver's".into())),
            ("its own fma", capable(|own| if own.fused_fma { "fused" } else { "not fused" }.into())),
            ("fused multiply-add", capable(|own| format!("by {}", own.fma))),
            ("contraction", capable(|own| if own.contracts { "of a product and a sum" } else { "none" }.into())),
            ("division", capable(|own| rounded(own.exact_division))),
            ("square root", capable(|own| rounded(own.exact_root))),
            ("subnormals", subnormals.map_or("unknown".into(), |subnormals| subnormals.to_string())),
            ("native products", native_products.map_or("unknown".into(), native)),
            ("numerics probe", format!("{probed}, in {:.2} s", self.seconds)),
        ] {
            let _ = writeln!(text, "  {name:20}{value}");
        }
        for group in probe.ops().chunk_by(|a, b| a.group == b.group) {
            let failed = group.iter().filter(|op| matches!(op.verdict, Verdict::Failed(_))).count();
            let absent = group.iter().filter(|op| op.verdict == Verdict::Absent).count();
            let mut counts = format!("{} equal", group.len() - failed - absent);
            for (count, word) in [(absent, "absent"), (failed, "FAILED")] {
                if count > 0 {
                    let _ = write!(counts, ", {count} {word}");
                }
            }
            let _ = writeln!(text, "    {:18}{counts}", group[0].group);
            for op in group {
                let said = match &op.verdict {
                    Verdict::Failed(failure) => format!("FAILED: {}", failure.difference),
                    _ if !verbose => continue,
                    Verdict::Equal => "equal".into(),
                    Verdict::Absent => "absent: the device lacks the type".into(),
                };
                let _ = writeln!(text, "      {:34}{said}", op.op);
            }
        }
        text
    }

    fn to_json(&self) -> Value {
        let op = |judged: &Judged| {
            let (verdict, failure) = match &judged.verdict {
                Verdict::Equal => ("equal", None),
                Verdict::Absent => ("absent", None),
                Verdict::Failed(failure) => ("failed", Some(failure.difference.to_string())),
            };
            json!({ "group": judged.group, "op": judged.op, "verdict": verdict, "failure": failure })
        };
        let Self { device, findings: Examination { probe, capabilities, subnormals, native_products }, .. } = self;
        let probed = probe.probed();
        json!({
            "accelerator": device.kind.name(),
            "name": device.name,
            "interface": device.interface,
            "driver": device.driver,
            "isSoftware": device.is_software,
            "memoryBytes": self.memory_bytes,
            "instructionLevel": self.level,
            "ownFmaIsFused": capabilities.map(|own| own.fused_fma),
            "fusedMultiplyAdd": capabilities.map(|own| own.fma),
            "contracts": capabilities.map(|own| own.contracts),
            "divisionIsExact": capabilities.map(|own| own.exact_division),
            "squareRootIsExact": capabilities.map(|own| own.exact_root),
            "subnormals": subnormals.map(|subnormals| subnormals.to_string()),
            "nativeProducts": native_products.map(native),
            "probe": {
                "passed": probed.is_ok(),
                "digest": probed.ok().map(|probed| probed.digest().to_string()),
                "seconds": self.seconds,
                "ops": probe.ops().iter().map(op).collect::<Vec<_>>(),
            },
        })
    }
}

/// What is said of the device's own matrix products.
fn native(products: Result<(), WrongProduct>) -> String {
    products.map_or_else(|wrong| format!("WRONG: {wrong}"), |()| "inside their operands".into())
}

fn rounded(exact: bool) -> String {
    if exact { "its own" } else { "made of integer operations" }.into()
}

/// What `envelope.network=deny` would be enforced by here; tried, on a thread that ends with it.
fn network_denial() -> Result<String, String> {
    let by = format!("by a {}", network::DENIED.enforcement);
    network::can_be_denied().map(|()| by).map_err(|error| error.to_string())
}

/// The limits of `envelope=kaggle`, which a run is judged by where its config sets no others.
fn limits_as_text() -> String {
    let Bounds { wall_seconds, device_memory_bytes, network, .. } = Bounds::KAGGLE;
    let wall = wall_seconds.map_or("none".into(), |seconds| format!("{seconds} s"));
    let memory = device_memory_bytes.map_or("none".into(), gibibytes);
    let denial = network_denial().unwrap_or_else(|why| format!("not here: {why}"));
    format!(
        "limits of Kaggle, recorded with every run\n  {:20}{wall}\n  {:20}{memory}\n  {:20}{network}\n  {:20}{denial}\n",
        "wall time", "device memory", "network", "network=deny",
    )
}

fn limits_as_json() -> Value {
    let Bounds { wall_seconds, device_memory_bytes, network, .. } = Bounds::KAGGLE;
    let denial = network_denial();
    let denial = json!({ "works": denial.is_ok(), "by": denial.as_ref().ok(), "why": denial.as_ref().err() });
    json!({
        "wallSeconds": wall_seconds, "deviceMemoryBytes": device_memory_bytes, "network": network, "networkDenial": denial,
    })
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}
