//! Modes of entropy decoding, for codecs that have several.

use crate::kernel::CpuLevel;
use std::sync::OnceLock;

/// Mode of entropy decoding. It changes neither values nor errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntropyMode {
    /// One code after the other.
    Serial,
    /// Independent data (frames, scans, restart intervals) in lock-step.
    Lanes,
    /// In addition, chunks of one long segment in lock-step, by self-synchronising Huffman decoding: a chunk is decoded
    /// from a guessed position, which is verified afterwards.
    Speculative,
}

impl Default for EntropyMode {
    /// Returns the fastest mode, or the one that the environment variable `DICOXIDE_ENTROPY_MODE` names.
    fn default() -> Self {
        static FORCED: OnceLock<EntropyMode> = OnceLock::new();
        *FORCED.get_or_init(|| {
            let name = std::env::var_os("DICOXIDE_ENTROPY_MODE");
            let forced = Self::ALL.into_iter().find(|mode| name.as_deref().is_some_and(|name| name == mode.name()));
            forced.unwrap_or(Self::Speculative)
        })
    }
}

impl EntropyMode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Serial, Self::Lanes, Self::Speculative];

    /// Returns `serial`, `lanes` or `speculative`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Lanes => "lanes",
            Self::Speculative => "speculative",
        }
    }

    /// Returns the mode with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Returns the name of the code path: CPU level and mode.
    pub(crate) fn code_path(self, cpu_level: CpuLevel) -> &'static str {
        match (cpu_level.name(), self) {
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
