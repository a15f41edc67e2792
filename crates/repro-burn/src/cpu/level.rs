//! Which instructions the processor has, found out at run time, and which of them are used.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// A level of instructions that this processor has. All give the same bits.
///
/// Only detection makes one: running the code of a level that the processor lacks is undefined behaviour, and what runs
/// it takes a level in safe code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(Instructions);

/// Instruction sets with a code path of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// Whatever the build target guarantees.
    Portable,
    /// x86-64 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86-64 with AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The level in use, once there is one.
static IN_USE: OnceLock<Level> = OnceLock::new();

/// Why a level cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// No level of this processor has that name.
    #[error("CPU level `{got}` is none of this processor's: {}", names(.available))]
    Unknown {
        /// What was asked for.
        got: String,
        /// What there is.
        available: Vec<Level>,
    },
    /// Work has begun on another level, or one was chosen before.
    #[error("CPU level `{got}` was asked for, but `{in_use}` is in use already")]
    InUse {
        /// What was asked for.
        got: Level,
        /// What is used.
        in_use: Level,
    },
}

fn names(levels: &[Level]) -> String {
    levels.iter().map(|level| format!("`{level}`")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            Instructions::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => "avx512",
        })
    }
}

/// Among the levels of this processor: a value that exists can be used.
impl FromStr for Level {
    type Err = LevelError;

    fn from_str(name: &str) -> Result<Self, LevelError> {
        let available = Self::available();
        match available.iter().find(|level| level.to_string() == name) {
            Some(level) => Ok(*level),
            None => Err(LevelError::Unknown { got: name.to_owned(), available }),
        }
    }
}

impl Level {
    /// What every processor of the build target has.
    pub const PORTABLE: Self = Self(Instructions::Portable);

    /// Which code path this is; a level cannot be made of it.
    pub fn instructions(self) -> Instructions {
        self.0
    }

    /// The level in use: the best one of this processor, unless another was [chosen](Self::choose).
    pub fn detected() -> Self {
        #[cfg(test)]
        if let Some(level) = forced::level() {
            return level;
        }
        *IN_USE.get_or_init(|| *Self::available().last().expect("the portable level is always there"))
    }

    /// Makes this the level of the whole process.
    ///
    /// # Errors
    /// When another one is in use: it is chosen before the first tensor, and once.
    pub fn choose(self) -> Result<(), LevelError> {
        match *IN_USE.get_or_init(|| self) {
            in_use if in_use == self => Ok(()),
            in_use => Err(LevelError::InUse { got: self, in_use }),
        }
    }

    /// Whether the processor has the fused multiply-add; else it is made of other instructions, to the same bits.
    pub fn is_fused(self) -> bool {
        self.0 > Instructions::Portable || cfg!(any(target_feature = "fma", target_arch = "aarch64"))
    }

    /// All levels of this processor, the slowest first.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut))]
        let mut levels = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Self(Instructions::Avx2));
            if is_x86_feature_detected!("avx512f") {
                levels.push(Self(Instructions::Avx512));
            }
        }
        levels
    }
}

/// The [`Fma`](super::super::ops::Fma) of code compiled for the build target alone.
#[cfg(any(target_feature = "fma", target_arch = "aarch64"))]
pub type PortableFma = super::super::ops::fma::Fused;
/// The [`Fma`](super::super::ops::Fma) of code compiled for the build target alone.
#[cfg(not(any(target_feature = "fma", target_arch = "aarch64")))]
pub type PortableFma = super::super::ops::fma::Emulated;

/// Calls code that is compiled for each level, as the level says: `per_level!(level, (x: &[f32] = values), body(x))`.
///
/// What is called has to be `#[inline(always)]` down to its loops: a function of its own, a closure too, has not the level's
/// instructions. `LevelFma` and `LevelLanes` name the level's [`Fma`](super::super::ops::Fma) and
/// [`Lanes`](super::lanes::Lanes) in the call.
macro_rules! per_level {
    (
        $level:expr, $([$($generic:ident: $bound:path),+],)?
        ($($argument:ident: $type:ty = $value:expr),* $(,)?) $(-> $out:ty)?, $call:expr
    ) => {{
        /// # Safety
        /// The processor has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        #[allow(clippy::too_many_arguments)]
        unsafe fn avx2 $(<$($generic: $bound),+>)? ($($argument: $type),*) $(-> $out)? {
            #[allow(dead_code)]
            type LevelFma = $crate::ops::fma::Fused;
            #[allow(dead_code)]
            type LevelLanes = std::arch::x86_64::__m256;
            $call
        }

        /// # Safety
        /// The processor has AVX-512F.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f")]
        #[allow(clippy::too_many_arguments)]
        unsafe fn avx512 $(<$($generic: $bound),+>)? ($($argument: $type),*) $(-> $out)? {
            #[allow(dead_code)]
            type LevelFma = $crate::ops::fma::Fused;
            #[allow(dead_code)]
            type LevelLanes = std::arch::x86_64::__m512;
            $call
        }

        match $level.instructions() {
            $crate::cpu::level::Instructions::Portable => {
                #[allow(dead_code)]
                type LevelFma = $crate::cpu::level::PortableFma;
                #[allow(dead_code)]
                type LevelLanes = $crate::cpu::lanes::Plain;
                $(let $argument: $type = $value;)*
                $call
            }
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this level exists only where the processor has AVX2 and FMA.
            $crate::cpu::level::Instructions::Avx2 => unsafe { avx2 $(::<$($generic),+>)? ($($value),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this level exists only where the processor has AVX-512F.
            $crate::cpu::level::Instructions::Avx512 => unsafe { avx512 $(::<$($generic),+>)? ($($value),*) },
        }
    }};
}
pub(super) use per_level;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_has_a_name_and_an_unknown_name_is_told_which_there_are() {
        for level in Level::available() {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        // A level that a processor may have, and this one may lack, is no more known than one that none has.
        for name in ["portable", "avx2", "avx512"] {
            let known = Level::available().iter().any(|level| level.to_string() == name);
            assert_eq!(name.parse::<Level>().is_ok(), known, "{name}");
        }
        let error = "avx1024".parse::<Level>().expect_err("no processor has it");
        let text = error.to_string();
        assert!(text.starts_with("CPU level `avx1024` is none of this processor's: `portable`"), "{text}");
    }
}

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
