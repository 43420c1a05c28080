//! The one place that asks which instructions this CPU has.

use std::sync::atomic::{AtomicU8, Ordering};

/// A set of instructions that kernels are compiled for. Every tier gives the same values and errors.
///
/// A tier above `portable` can only be had from [`CpuLevel::best`] or [`CpuLevel::available`], so holding one
/// proves that the CPU runs it.
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

const UNKNOWN: u8 = 0;
const PORTABLE: u8 = 1;
const V3: u8 = 2;
const V4: u8 = 3;
static BEST: AtomicU8 = AtomicU8::new(UNKNOWN);

impl CpuLevel {
    /// What the compiler's baseline target runs; every CPU has it.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// The best tier of this CPU, or the one that the environment variable `DICOXIDE_CPU` names, if the CPU has it.
    #[must_use]
    pub fn best() -> Self {
        Self::from_detected(BEST.load(Ordering::Relaxed)).unwrap_or_else(|| {
            let forced = std::env::var_os("DICOXIDE_CPU").unwrap_or_default();
            let available = Self::available();
            let named = available.iter().find(|tier| forced == tier.name());
            let best = named.or(available.last()).copied().unwrap_or(Self::PORTABLE);
            BEST.store(best.code(), Ordering::Relaxed);
            best
        })
    }

    /// Every tier that this CPU runs, portable first: what tests go through.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut tiers = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            tiers.extend(Self::detect_v3());
            tiers.extend(Self::detect_v4());
        }
        tiers
    }

    /// `portable`, `x86-64-v3` or `x86-64-v4`.
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

    /// Whether AVX2, BMI1, BMI2, LZCNT, MOVBE and POPCNT may be used.
    #[must_use]
    pub(crate) const fn is_v3(self) -> bool {
        !matches!(self.0, Level::Portable)
    }

    /// Whether also AVX-512 F, BW, CD, DQ and VL may be used, and with them VBMI2.
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
            && is_x86_feature_detected!("avx512vbmi2");
        Self::detect_v3().filter(|_| has_v4).map(|_| Self(Level::V4))
    }

    /// What [`BEST`] holds for it.
    const fn code(self) -> u8 {
        match self.0 {
            Level::Portable => PORTABLE,
            #[cfg(target_arch = "x86_64")]
            Level::V3 => V3,
            #[cfg(target_arch = "x86_64")]
            Level::V4 => V4,
        }
    }

    /// The tier of what [`BEST`] holds: only a detection stores one above portable.
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

/// Calls the body of a kernel that fits a tier: `dispatch!(tier, name(arguments))` is `x86::name` or `scalar::name`, and
/// `dispatch!(tier, v4 name(arguments))` may also be `x86_v4::name`.
macro_rules! dispatch {
    ($tier:expr, v4 $name:ident ($($argument:expr),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        if $tier.is_v4() {
            // SAFETY: holding a v4 CpuLevel proves detection of every feature that x86_v4::* are compiled with.
            #[allow(unsafe_code)]
            return unsafe { x86_v4::$name($($argument),*) };
        }
        $crate::kernel::cpu::dispatch!($tier, $name($($argument),*))
    }};
    ($tier:expr, $name:ident $(::<$($generic:ty),*>)? ($($argument:expr),* $(,)?)) => {{
        let tier: $crate::kernel::CpuLevel = $tier;
        #[cfg(target_arch = "x86_64")]
        if tier.is_v3() {
            // SAFETY: holding a v3 CpuLevel proves detection of every feature that x86::* are compiled with.
            #[allow(unsafe_code)]
            return unsafe { x86::$name$(::<$($generic),*>)?($($argument),*) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = tier;
        scalar::$name$(::<$($generic),*>)?($($argument),*)
    }};
}
pub(crate) use dispatch;
