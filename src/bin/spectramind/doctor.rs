//! `spectramind doctor`

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use spectramind::engine::repro::probe::{Judged, Report, Subnormals, Verdict, report, subnormals};
use spectramind::engine::repro::{CpuLevel, NUMERICS_VERSION};
use spectramind::envelope::Bounds;
use spectramind::provenance::environment::Environment;

use crate::output::{out, outln};

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

/// What was found out about a device.
struct Device {
    accelerator: &'static str,
    name: String,
    driver: String,
    memory_bytes: Option<u64>,
    level: String,
    fused: bool,
    subnormals: Subnormals,
    probe: Report,
    probe_seconds: f64,
}

/// Probes every device.
///
/// # Errors
/// The first op that failed on the first device that failed.
pub fn run(arguments: &Arguments) -> Result<()> {
    let devices = [cpu()?];
    if arguments.json {
        let devices: Vec<Value> = devices.iter().map(Device::to_json).collect();
        let findings = json!({ "numericsVersion": NUMERICS_VERSION, "devices": devices, "limits": limits_as_json() });
        outln!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for device in &devices {
            out!("{}\n", device.to_text(arguments.verbose));
        }
        out!("{}", limits_as_text());
    }
    for device in devices {
        device.probe.probed().with_context(|| format!("{} may not be used in portable mode", device.accelerator))?;
    }
    Ok(())
}

fn cpu() -> Result<Device> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let environment = Environment::collect(&program)?;
    let level = CpuLevel::detected();
    let device = Default::default();
    let start = Instant::now();
    let probe = report::<burn_flex::Flex>(&device);
    Ok(Device {
        accelerator: "cpu",
        name: environment.cpu_model.unwrap_or_else(|| "unknown CPU".into()),
        driver: "none".into(),
        memory_bytes: environment.memory_bytes,
        level: level.to_string(),
        fused: level.is_fused(),
        probe_seconds: start.elapsed().as_secs_f64(),
        subnormals: subnormals::<burn_flex::Flex>(&device),
        probe,
    })
}

impl Device {
    fn to_text(&self, verbose: bool) -> String {
        let mut text = format!("{}  {}\n", self.accelerator, self.name);
        let memory = self.memory_bytes.map_or("unknown".into(), gibibytes);
        let fused = if self.fused { "in hardware" } else { "made of other instructions" };
        let probed = match self.probe.probed() {
            Ok(probed) => format!("passed, digest {}", probed.digest()),
            Err(failure) => format!("FAILED at `{}`", failure.op),
        };
        for (name, value) in [
            ("driver", self.driver.clone()),
            ("memory", memory),
            ("instruction level", self.level.clone()),
            ("fused multiply-add", fused.into()),
            ("subnormals", self.subnormals.to_string()),
            ("numerics probe", format!("{probed}, in {:.2} s", self.probe_seconds)),
        ] {
            let _ = writeln!(text, "  {name:20}{value}");
        }
        for group in self.probe.ops().chunk_by(|a, b| a.group == b.group) {
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
                let _ = writeln!(text, "      {:26}{said}", op.op);
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
        let probed = self.probe.probed();
        json!({
            "accelerator": self.accelerator,
            "name": self.name,
            "driver": self.driver,
            "memoryBytes": self.memory_bytes,
            "instructionLevel": self.level,
            "fusedMultiplyAdd": self.fused,
            "subnormals": self.subnormals.to_string(),
            "probe": {
                "passed": probed.is_ok(),
                "digest": probed.ok().map(|probed| probed.digest()),
                "seconds": self.probe_seconds,
                "ops": self.probe.ops().iter().map(op).collect::<Vec<_>>(),
            },
        })
    }
}

/// The limits of `envelope=kaggle`, which a run is judged by where its config sets no others.
fn limits_as_text() -> String {
    let Bounds { wall_seconds, device_memory_bytes, network } = Bounds::KAGGLE;
    let wall = wall_seconds.map_or("none".into(), |seconds| format!("{seconds} s"));
    let memory = device_memory_bytes.map_or("none".into(), gibibytes);
    format!(
        "limits of Kaggle, recorded with every run\n  {:20}{wall}\n  {:20}{memory}\n  {:20}{network}\n",
        "wall time", "device memory", "network",
    )
}

fn limits_as_json() -> Value {
    let Bounds { wall_seconds, device_memory_bytes, network } = Bounds::KAGGLE;
    json!({ "wallSeconds": wall_seconds, "deviceMemoryBytes": device_memory_bytes, "network": network })
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}
