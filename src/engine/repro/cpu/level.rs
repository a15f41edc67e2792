//! Which instructions the processor has, found out at run time.

use std::fmt;

/// Instruction sets with a code path of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Whatever the build target guarantees.
    Portable,
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best level of this processor.
    pub fn detected() -> Self {
        #[cfg(test)]
        if let Some(level) = forced::level() {
            return level;
        }
        *Self::available().last().expect("the portable level is always there")
    }

    /// All levels of this processor, the slowest first. All give the same bits.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut))]
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Self::Avx2);
            if is_x86_feature_detected!("avx512f") {
                levels.push(Self::Avx512);
            }
        }
        levels
    }

    /// Whether the processor has the fused multiply-add; else it is made of other instructions, to the same bits.
    pub fn is_fused(self) -> bool {
        self > Self::Portable || cfg!(any(target_feature = "fma", target_arch = "aarch64"))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        })
    }
}

/// The [`Fma`](super::super::ops::Fma) of code compiled for the build target alone.
#[cfg(any(target_feature = "fma", target_arch = "aarch64"))]
pub type PortableFma = super::super::ops::fma::Fused;
/// The [`Fma`](super::super::ops::Fma) of code compiled for the build target alone.
#[cfg(not(any(target_feature = "fma", target_arch = "aarch64")))]
pub type PortableFma = super::super::ops::fma::Emulated;

#[cfg(test)]
pub(in super::super) mod forced {
    //! A lower level than the processor's, for tests that go through tensors.

    use super::Level;
    use std::cell::Cell;

    thread_local! {
        static FORCED: Cell<Option<Level>> = const { Cell::new(None) };
    }

    /// Runs `body` with `level` as the one detected by this thread, which then hands it to the others.
    pub fn with_level<R>(level: Level, body: impl FnOnce() -> R) -> R {
        let before = FORCED.replace(Some(level));
        let result = body();
        FORCED.set(before);
        result
    }

    pub(super) fn level() -> Option<Level> {
        FORCED.get()
    }
}
