//! The one place that asks which instructions this CPU has.

use std::sync::atomic::{AtomicU8, Ordering};

/// A set of instructions that kernels are compiled for. Every tier gives the same values and errors.
///
/// A tier above `portable` can only be had from [`Tier::best`] or [`Tier::available`], so holding one
/// proves that the CPU runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    V3,
}

const UNKNOWN: u8 = 0;
const PORTABLE: u8 = 1;
const V3: u8 = 2;
static BEST: AtomicU8 = AtomicU8::new(UNKNOWN);

impl Tier {
    /// What the compiler's baseline target runs; every CPU has it.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// The best tier of this CPU, or the one that the environment variable `DICOXIDE_CPU=portable` forces.
    #[must_use]
    pub fn best() -> Self {
        match BEST.load(Ordering::Relaxed) {
            UNKNOWN => {
                let forced = std::env::var_os("DICOXIDE_CPU").is_some_and(|v| v == "portable");
                let best = if forced { None } else { Self::detect_v3() }.unwrap_or(Self::PORTABLE);
                BEST.store(if best == Self::PORTABLE { PORTABLE } else { V3 }, Ordering::Relaxed);
                best
            }
            // Only a successful detection stores V3.
            V3 => Self::from_detected(),
            _ => Self::PORTABLE,
        }
    }

    /// Every tier that this CPU runs, portable first: what tests go through.
    #[must_use]
    pub fn available() -> Vec<Self> {
        std::iter::once(Self::PORTABLE).chain(Self::detect_v3()).collect()
    }

    /// `portable` or `x86-64-v3`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::V3 => "x86-64-v3",
        }
    }

    /// Whether AVX2, BMI1, BMI2, LZCNT, MOVBE and POPCNT may be used.
    #[must_use]
    pub(crate) const fn is_v3(self) -> bool {
        !matches!(self.0, Level::Portable)
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

    #[cfg(not(target_arch = "x86_64"))]
    fn detect_v3() -> Option<Self> {
        None
    }

    #[cfg(target_arch = "x86_64")]
    const fn from_detected() -> Self {
        Self(Level::V3)
    }

    #[cfg(not(target_arch = "x86_64"))]
    const fn from_detected() -> Self {
        Self::PORTABLE
    }
}

/// Calls the body of a kernel that fits a tier: `dispatch!(tier, name(arguments))` is `x86::name` or `scalar::name`.
macro_rules! dispatch {
    ($tier:expr, $name:ident $(::<$($generic:ty),*>)? ($($argument:expr),* $(,)?)) => {{
        let tier: $crate::kernel::Tier = $tier;
        #[cfg(target_arch = "x86_64")]
        if tier.is_v3() {
            // SAFETY: holding a v3 Tier proves detection of every feature that x86::* are compiled with.
            #[allow(unsafe_code)]
            return unsafe { x86::$name$(::<$($generic),*>)?($($argument),*) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = tier;
        scalar::$name$(::<$($generic),*>)?($($argument),*)
    }};
}
pub(crate) use dispatch;
