//! CPU levels: which instruction sets kernels may use, and their detection.
//!
//! | level | instruction sets | name for `DICOXIDE_CPU` |
//! |---|---|---|
//! | portable | the compiler's baseline for the target | `portable` |
//! | v3 | AVX2, BMI1, BMI2, LZCNT, MOVBE, POPCNT | `x86-64-v3` |
//! | v4 | v3 and AVX-512 F, BW, CD, DQ, VL, VBMI, VBMI2 | `x86-64-v4` |
//!
//! FMA is part of the psABI's x86-64-v3, but is not enabled here: a contracted multiply-add rounds once instead of twice.

use std::sync::atomic::{AtomicU8, Ordering};

/// A set of instructions that kernels are compiled for. All levels give the same samples and errors.
///
/// A level above portable is only returned by [`CpuLevel::best`] and [`CpuLevel::available`], after detection. So a value
/// of this type proves that the CPU supports its instructions; the `unsafe` calls of the kernels rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuLevel(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    V3,
    #[cfg(target_arch = "x86_64")]
    V4,
}

/// Values of [`BEST`].
const NOT_DETECTED: u8 = 0;
const PORTABLE: u8 = 1;
const V3: u8 = 2;
const V4: u8 = 3;
/// The result of [`CpuLevel::best`], which is the same for the whole process.
static BEST: AtomicU8 = AtomicU8::new(NOT_DETECTED);

impl CpuLevel {
    /// The compiler's baseline for the target, which every CPU supports.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// Returns the highest level of this CPU, or the one named by the environment variable `DICOXIDE_CPU` if the CPU
    /// supports it.
    #[must_use]
    pub fn best() -> Self {
        Self::from_detected(BEST.load(Ordering::Relaxed)).unwrap_or_else(|| {
            let forced = std::env::var_os("DICOXIDE_CPU").unwrap_or_default();
            let available = Self::available();
            let named = available.iter().find(|level| forced == level.name());
            let best = named.or(available.last()).copied().unwrap_or(Self::PORTABLE);
            BEST.store(best.code(), Ordering::Relaxed);
            best
        })
    }

    /// Returns all levels that this CPU supports, in ascending order. Tests and benches run each of them.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(Self::detect_v3());
            levels.extend(Self::detect_v4());
        }
        levels
    }

    /// Returns `portable`, `x86-64-v3` or `x86-64-v4`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::V3 => "x86-64-v3",
            #[cfg(target_arch = "x86_64")]
            Level::V4 => "x86-64-v4",
        }
    }

    /// True if the instruction sets of x86-64-v3 may be used: at level v3 and above.
    #[must_use]
    pub(crate) const fn is_v3(self) -> bool {
        !matches!(self.0, Level::Portable)
    }

    /// True if the instruction sets of x86-64-v4, VBMI and VBMI2 may be used.
    #[cfg(target_arch = "x86_64")]
    #[must_use]
    pub(crate) const fn is_v4(self) -> bool {
        matches!(self.0, Level::V4)
    }

    #[cfg(target_arch = "x86_64")]
    fn detect_v3() -> Option<Self> {
        (is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("movbe")
            && is_x86_feature_detected!("popcnt"))
        .then_some(Self(Level::V3))
    }

    #[cfg(target_arch = "x86_64")]
    fn detect_v4() -> Option<Self> {
        let has_v4 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2");
        Self::detect_v3().filter(|_| has_v4).map(|_| Self(Level::V4))
    }

    /// Returns the value of [`BEST`] for this level.
    const fn code(self) -> u8 {
        match self.0 {
            Level::Portable => PORTABLE,
            #[cfg(target_arch = "x86_64")]
            Level::V3 => V3,
            #[cfg(target_arch = "x86_64")]
            Level::V4 => V4,
        }
    }

    /// Returns the level of a value of [`BEST`]. Only a detection stores a level above portable there.
    const fn from_detected(code: u8) -> Option<Self> {
        match code {
            PORTABLE => Some(Self::PORTABLE),
            #[cfg(target_arch = "x86_64")]
            V3 => Some(Self(Level::V3)),
            #[cfg(target_arch = "x86_64")]
            V4 => Some(Self(Level::V4)),
            _ => None,
        }
    }
}

/// Calls the body of a kernel for a CPU level.
///
/// `dispatch!(level, name(arguments))` calls `x86::name` at v3 and above, otherwise `scalar::name`.
/// `dispatch!(level, v4 name(arguments))` calls `x86_v4::name` at v4; below v4 it is the first form.
macro_rules! dispatch {
    ($level:expr, v4 $name:ident ($($argument:expr),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        if $level.is_v4() {
            // SAFETY:
            // - The functions of `x86_v4` require the CPU features that they enable: those of level v4.
            // - `level` is v4, and a CpuLevel above portable exists only after detection of all its features.
            #[allow(unsafe_code)]
            return unsafe { x86_v4::$name($($argument),*) };
        }
        $crate::kernel::cpu::dispatch!($level, $name($($argument),*))
    }};
    ($level:expr, $name:ident $(::<$($generic:tt),*>)? ($($argument:expr),* $(,)?)) => {{
        let level: $crate::kernel::CpuLevel = $level;
        #[cfg(target_arch = "x86_64")]
        if level.is_v3() {
            // SAFETY:
            // - The functions of `x86` require the CPU features that they enable: those of level v3.
            // - `level` is v3 or above, and a CpuLevel above portable exists only after detection of all its features.
            #[allow(unsafe_code)]
            return unsafe { x86::$name$(::<$($generic),*>)?($($argument),*) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = level;
        scalar::$name$(::<$($generic),*>)?($($argument),*)
    }};
}
pub(crate) use dispatch;
