//! Which way through the entropy-coded data is taken, where a codec has several.

use crate::kernel::CpuLevel;
use std::sync::OnceLock;

/// How entropy-coded data are gone through. It never changes a value or an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntropyMode {
    /// Code after code.
    Serial,
    /// What is independent (frames, scans, restart intervals) in lock-step.
    Lanes,
    /// Besides, chunks of one long segment in lock-step: their beginnings are guessed, and proven afterwards.
    Speculative,
}

impl EntropyMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Serial, Self::Lanes, Self::Speculative];

    /// The fastest one, or the one that the environment variable `DICOXIDE_ENTROPY_MODE` forces.
    #[must_use]
    pub fn best() -> Self {
        static FORCED: OnceLock<Option<EntropyMode>> = OnceLock::new();
        let forced = FORCED.get_or_init(|| {
            let name = std::env::var_os("DICOXIDE_ENTROPY_MODE")?;
            Self::ALL.into_iter().find(|way| name == way.name())
        });
        forced.unwrap_or(Self::Speculative)
    }

    /// `serial`, `lanes` or `speculative`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Lanes => "lanes",
            Self::Speculative => "speculative",
        }
    }

    /// The name together with that of a tier.
    pub(crate) fn path(self, tier: CpuLevel) -> &'static str {
        match (tier.name(), self) {
            ("x86-64-v4", Self::Serial) => "x86-64-v4, serial",
            ("x86-64-v4", Self::Lanes) => "x86-64-v4, lanes",
            ("x86-64-v4", Self::Speculative) => "x86-64-v4, speculative",
            ("x86-64-v3", Self::Serial) => "x86-64-v3, serial",
            ("x86-64-v3", Self::Lanes) => "x86-64-v3, lanes",
            ("x86-64-v3", Self::Speculative) => "x86-64-v3, speculative",
            (_, Self::Serial) => "portable, serial",
            (_, Self::Lanes) => "portable, lanes",
            (_, Self::Speculative) => "portable, speculative",
        }
    }
}
