//! The limits a run must keep, Kaggle's first of all: wall time, device and host memory, no network.
//!
//! Pure arithmetic over plain numbers: this module measures nothing and enforces nothing. Whoever measured says how in
//! [`Enforcement`], and that is their own word, too: every figure that [`judge`] names is called self-asserted.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run may use. An absent bound is no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Most monotonic seconds from start to end.
    pub wall_seconds: Option<u64>,
    /// Most bytes of device memory in use at one time.
    pub device_memory_bytes: Option<u64>,
    /// Most bytes of host memory that the process holds at one time.
    pub host_memory_bytes: Option<u64>,
    /// What of the network the run may use.
    pub network: NetworkMode,
}

impl Bounds {
    /// The limits of a Kaggle notebook: 9 hours, 16 GiB of device memory, no network.
    pub const KAGGLE: Self = Self {
        wall_seconds: Some(9 * 3600),
        device_memory_bytes: Some(16 << 30),
        host_memory_bytes: None,
        network: NetworkMode::None,
    };

    /// No limits.
    pub const NONE: Self = Self {
        wall_seconds: None,
        device_memory_bytes: None,
        host_memory_bytes: None,
        network: NetworkMode::Unrestricted,
    };
}

/// What of the network a run may use, or did use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NetworkMode {
    /// No network at all.
    None,
    /// No network at all, and something that keeps it away: the program's own word will not do. A limit only; what a run had is
    /// [`None`](Self::None) or not, and [`Enforcement`] says by what.
    Denied,
    /// Any network the machine has.
    Unrestricted,
}

/// What a run did use.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Seconds from start to end by a monotonic clock; the calendar may be set while a run goes on.
    pub wall_seconds: f64,
    /// Most bytes of host memory in use at one time; `None` when it was not measured.
    pub peak_host_bytes: Option<u64>,
    /// Most bytes of device memory in use at one time; `Some(0)` on the CPU, where no device is used; `None` when it
    /// was not measured.
    pub peak_device_bytes: Option<u64>,
    /// The network the run had.
    pub network: NetworkFigure,
}

/// The network a run had, and how much that statement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkFigure {
    /// The network the run had.
    pub mode: NetworkMode,
    /// How that was made so.
    pub enforcement: Enforcement,
}

impl NetworkFigure {
    /// Whether it is no more than a limit allows. Where the network is to be denied, something has to have kept it away.
    pub fn keeps(self, bound: NetworkMode) -> bool {
        match bound {
            NetworkMode::Unrestricted => true,
            NetworkMode::None => self.mode == NetworkMode::None,
            NetworkMode::Denied => self.mode == NetworkMode::None && self.enforcement != Enforcement::SelfAsserted,
        }
    }
}

/// What a config asks for: `envelope.network` of a training, `command.network` of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkRule {
    /// No network: the kernel refuses it to the run and to all that it starts, or the run does not begin.
    Deny,
    /// No network, on the run's own word: nothing keeps it away, and the record says so.
    Observe,
    /// The name that [`Observe`](Self::Observe) had before.
    None,
    /// Any network the machine has.
    Unrestricted,
}

impl NetworkRule {
    /// The limit that it comes to.
    pub fn bound(self) -> NetworkMode {
        match self {
            Self::Deny => NetworkMode::Denied,
            Self::Observe | Self::None => NetworkMode::None,
            Self::Unrestricted => NetworkMode::Unrestricted,
        }
    }
}

/// How a network mode was made so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Enforcement {
    /// The program says so; nothing kept it from doing otherwise.
    SelfAsserted,
    /// The program ran in a network namespace of its own, without interfaces.
    NetworkNamespace,
    /// A system-call filter refused sockets.
    SyscallFilter,
}

/// Which limit a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Limit {
    /// Monotonic seconds.
    WallSeconds,
    /// Bytes of device memory.
    DeviceMemoryBytes,
    /// Bytes of host memory.
    HostMemoryBytes,
    /// Use of the network.
    Network,
}

/// How a figure compares with its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// At most the bound.
    Within,
    /// Above the bound.
    Exceeded,
    /// There is a bound and no figure: neither passed nor failed.
    NotMeasured,
}

/// One limit, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// The limit.
    pub limit: Limit,
    /// The bound, as text with its unit.
    pub bound: String,
    /// The figure, as text with its unit and its label; `None` when it was not measured.
    #[serde(deserialize_with = "Option::deserialize")]
    pub figure: Option<String>,
    /// The outcome.
    pub verdict: Verdict,
}

/// Judges every limit that is set, in the order wall time, device memory, host memory, network.
///
/// A figure equal to its bound is within it. A wall time that is negative or not a number counts as not measured. An
/// unrestricted network is no limit and yields no finding. Nobody but the trainer saw the figures, nor how the network was
/// kept away: their text says that they are self-asserted, so that no finding can be quoted without it.
pub fn judge(bounds: &Bounds, figures: &Figures) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(bound) = bounds.wall_seconds {
        let seconds = Some(figures.wall_seconds).filter(|seconds| *seconds >= 0.0);
        findings.push(Finding {
            limit: Limit::WallSeconds,
            bound: format!("{bound} s"),
            figure: seconds.map(|seconds| format!("{seconds} s (self-asserted)")),
            verdict: verdict(seconds.map(|seconds| exceeds(seconds, bound))),
        });
    }
    for (limit, bound, figure) in [
        (Limit::DeviceMemoryBytes, bounds.device_memory_bytes, figures.peak_device_bytes),
        (Limit::HostMemoryBytes, bounds.host_memory_bytes, figures.peak_host_bytes),
    ] {
        if let Some(bound) = bound {
            findings.push(Finding {
                limit,
                bound: format!("{bound} bytes"),
                figure: figure.map(|bytes| format!("{bytes} bytes (self-asserted)")),
                verdict: verdict(figure.map(|bytes| bytes > bound)),
            });
        }
    }
    if bounds.network != NetworkMode::Unrestricted {
        findings.push(Finding {
            limit: Limit::Network,
            bound: bounds.network.to_string(),
            figure: Some(figures.network.to_string()),
            verdict: verdict(Some(!figures.network.keeps(bounds.network))),
        });
    }
    findings
}

/// Whether `seconds` is above `bound`, exactly: `bound as f64` may round up past 2^53.
fn exceeds(seconds: f64, bound: u64) -> bool {
    // `as` saturates, and above 2^53 a float is whole, so nothing is lost either way.
    let whole = seconds as u64;
    whole > bound || (whole == bound && seconds.fract() > 0.0) || seconds >= 18_446_744_073_709_551_616.0
}

fn verdict(exceeded: Option<bool>) -> Verdict {
    match exceeded {
        Some(false) => Verdict::Within,
        Some(true) => Verdict::Exceeded,
        None => Verdict::NotMeasured,
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.limit {
            Limit::WallSeconds => "wall time",
            Limit::DeviceMemoryBytes => "device memory",
            Limit::HostMemoryBytes => "host memory",
            Limit::Network => "network",
        };
        let figure = self.figure.as_deref().unwrap_or("not measured");
        write!(f, "{name}: expected within {}, got {figure}", self.bound)
    }
}

/// The label stands beside every way of keeping the network away: that there was a namespace is a claim like any other.
impl fmt::Display for NetworkFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.enforcement {
            Enforcement::SelfAsserted => write!(f, "{} (self-asserted)", self.mode),
            enforcement => write!(f, "{} ({enforcement}, self-asserted)", self.mode),
        }
    }
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Denied => "denied",
            Self::Unrestricted => "unrestricted",
        })
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SelfAsserted => "self-asserted",
            Self::NetworkNamespace => "network namespace",
            Self::SyscallFilter => "system-call filter",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(wall_seconds: f64, peak_device_bytes: Option<u64>, mode: NetworkMode) -> Figures {
        let network = NetworkFigure { mode, enforcement: Enforcement::SelfAsserted };
        Figures { wall_seconds, peak_host_bytes: Some(1), peak_device_bytes, network }
    }

    fn verdicts(bounds: &Bounds, figures: &Figures) -> Vec<(Limit, Verdict)> {
        judge(bounds, figures).iter().map(|finding| (finding.limit, finding.verdict)).collect()
    }

    const KAGGLE: Bounds = Bounds::KAGGLE;

    #[test]
    fn a_figure_equal_to_its_bound_is_within_it_and_one_step_more_is_not() {
        let at = figures(32_400.0, Some(16 << 30), NetworkMode::None);
        assert!(judge(&KAGGLE, &at).iter().all(|finding| finding.verdict == Verdict::Within));
        let above = figures(32_400.0_f64.next_up(), Some((16 << 30) + 1), NetworkMode::Unrestricted);
        assert_eq!(judge(&KAGGLE, &above).len(), 3);
        assert!(judge(&KAGGLE, &above).iter().all(|finding| finding.verdict == Verdict::Exceeded));
    }

    #[test]
    fn what_was_not_measured_is_neither_within_nor_exceeded() {
        for seconds in [f64::NAN, -1.0] {
            let unmeasured = figures(seconds, None, NetworkMode::None);
            assert_eq!(
                verdicts(&KAGGLE, &unmeasured),
                [
                    (Limit::WallSeconds, Verdict::NotMeasured),
                    (Limit::DeviceMemoryBytes, Verdict::NotMeasured),
                    (Limit::Network, Verdict::Within)
                ]
            );
        }
    }

    #[test]
    fn a_cpu_run_uses_no_device_memory_and_is_within_any_bound() {
        let bounds = Bounds { device_memory_bytes: Some(0), ..KAGGLE };
        let findings = judge(&bounds, &figures(1.0, Some(0), NetworkMode::None));
        assert_eq!(findings[1].verdict, Verdict::Within);
    }

    #[test]
    fn host_memory_is_judged_where_there_is_a_limit() {
        let judged = |bound, peak_host_bytes| {
            let bounds = Bounds { host_memory_bytes: Some(bound), ..Bounds::NONE };
            judge(&bounds, &Figures { peak_host_bytes, ..figures(1.0, None, NetworkMode::Unrestricted) })
        };
        let [finding] = &judged(7, Some(8))[..] else { panic!("one limit") };
        assert_eq!(finding.to_string(), "host memory: expected within 7 bytes, got 8 bytes (self-asserted)");
        assert_eq!((finding.limit, finding.verdict), (Limit::HostMemoryBytes, Verdict::Exceeded));
        assert_eq!(
            [judged(8, Some(8))[0].verdict, judged(8, None)[0].verdict],
            [Verdict::Within, Verdict::NotMeasured]
        );
    }

    #[test]
    fn an_absent_bound_yields_no_finding() {
        assert_eq!(judge(&Bounds::NONE, &figures(f64::INFINITY, None, NetworkMode::Unrestricted)), []);
    }

    #[test]
    fn the_largest_bounds_are_compared_without_rounding() {
        let bound = |seconds| Bounds { wall_seconds: Some(seconds), device_memory_bytes: None, ..KAGGLE };
        let judged = |figure, limit| judge(&bound(limit), &figures(figure, None, NetworkMode::None))[0].verdict;
        let two_to_53 = 9_007_199_254_740_992;
        // As floats both sides are 2^53.
        assert_eq!(judged(9_007_199_254_740_992.0, two_to_53 - 1), Verdict::Exceeded);
        assert_eq!(judged(9_007_199_254_740_992.0, two_to_53 + 1), Verdict::Within);
        assert_eq!(judged(18_446_744_073_709_551_616.0, u64::MAX), Verdict::Exceeded);
        assert_eq!(judged(f64::INFINITY, u64::MAX), Verdict::Exceeded);
    }

    #[test]
    fn a_network_that_was_to_be_denied_was_kept_away_by_something_else_than_a_word() {
        let denied = Bounds { network: NetworkMode::Denied, ..KAGGLE };
        let judged = |mode, enforcement| {
            let network = NetworkFigure { mode, enforcement };
            judge(&denied, &Figures { network, ..figures(1.0, None, mode) })[2].clone()
        };
        let word = judged(NetworkMode::None, Enforcement::SelfAsserted);
        assert_eq!(word.verdict, Verdict::Exceeded);
        assert_eq!(word.to_string(), "network: expected within denied, got none (self-asserted)");
        for enforcement in [Enforcement::SyscallFilter, Enforcement::NetworkNamespace] {
            assert_eq!(judged(NetworkMode::None, enforcement).verdict, Verdict::Within);
            assert_eq!(judged(NetworkMode::Unrestricted, enforcement).verdict, Verdict::Exceeded);
            assert_eq!(judged(NetworkMode::Denied, enforcement).verdict, Verdict::Exceeded, "a limit is no figure");
        }
    }

    #[test]
    fn a_figure_without_its_label_stands_nowhere() {
        let mut forged = figures(1.0, Some(0), NetworkMode::None);
        let texts = |figures: &Figures| judge(&KAGGLE, figures).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            texts(&forged),
            [
                "wall time: expected within 32400 s, got 1 s (self-asserted)",
                "device memory: expected within 17179869184 bytes, got 0 bytes (self-asserted)",
                "network: expected within none, got none (self-asserted)",
            ]
        );
        forged.network.enforcement = Enforcement::NetworkNamespace;
        assert!(texts(&forged)[2].ends_with("got none (network namespace, self-asserted)"));
    }
}
