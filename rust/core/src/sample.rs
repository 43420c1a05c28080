//! Samples in memory: the ten element types, and typed slices and buffers of them in native byte order.
//!
//! [`for_each_sample_type`](crate::for_each_sample_type) is the only list of the element types. Everything that has to
//! name all of them is a macro that this one calls, so that a type cannot be missing in one place.

use crate::error::{DecodeError, Result, limit_exceeded};

/// Calls `$macro! { $arguments; U8 u8 "uint8", … }` with every element type: variant, Rust type, NumPy's name.
#[macro_export]
macro_rules! for_each_sample_type {
    ($macro:ident ! { $($arguments:tt)* }) => {
        $macro! {
            $($arguments)*;
            U8 u8 "uint8", I8 i8 "int8", U16 u16 "uint16", I16 i16 "int16", U32 u32 "uint32", I32 i32 "int32",
            U64 u64 "uint64", I64 i64 "int64", F32 f32 "float32", F64 f64 "float64"
        }
    };
}

/// Output = stored × slope + intercept, computed in `f64` and rounded once to the output type (PS3.3 C.11.1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// Rescale Slope (0028,1053).
    pub slope: f64,
    /// Rescale Intercept (0028,1052).
    pub intercept: f64,
}

/// Position of the value within the bits of a sample (PS3.5 8.1.1), when it does not fill them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBits {
    /// Bits below the value: High Bit + 1 - Bits Stored.
    pub shift: u32,
    /// Bits Stored.
    pub bits: u32,
    /// True if the value is two's complement, so that its top bit is extended.
    pub signed: bool,
}

macro_rules! define_sample_types {
    (; $($variant:ident $type:ident $name:literal),*) => {
        /// Element type of samples.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each variant is its element type")]
        pub enum SampleType {
            $($variant),*
        }

        impl SampleType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Name of the type in NumPy.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Bytes of one sample.
            #[must_use]
            pub const fn bytes(self) -> usize {
                match self { $(Self::$variant => size_of::<$type>()),* }
            }
        }

        /// Samples to read, in memory of the caller.
        #[derive(Debug, Clone, Copy)]
        #[allow(missing_docs, reason = "each variant is its element type")]
        pub enum Samples<'a> {
            $($variant(&'a [$type])),*
        }

        impl<'a> Samples<'a> {
            /// Number of samples.
            #[must_use]
            pub const fn len(&self) -> usize {
                match self { $(Self::$variant(samples) => samples.len()),* }
            }

            /// The memory as bytes.
            #[must_use]
            pub fn bytes(&self) -> &'a [u8] {
                match self { $(Self::$variant(samples) => bytemuck::cast_slice(samples)),* }
            }

            /// The element type.
            #[must_use]
            pub const fn sample_type(&self) -> SampleType {
                match self { $(Self::$variant(_) => SampleType::$variant),* }
            }
        }

        /// Samples to write, in memory of the caller.
        #[derive(Debug)]
        #[allow(missing_docs, reason = "each variant is its element type")]
        pub enum SamplesMut<'a> {
            $($variant(&'a mut [$type])),*
        }

        impl<'a> SamplesMut<'a> {
            /// Number of samples.
            #[must_use]
            pub fn len(&self) -> usize {
                match self { $(Self::$variant(samples) => samples.len()),* }
            }

            /// The element type.
            #[must_use]
            pub const fn sample_type(&self) -> SampleType {
                match self { $(Self::$variant(_) => SampleType::$variant),* }
            }

            /// Reborrows the memory for a shorter lifetime.
            pub fn reborrow(&mut self) -> SamplesMut<'_> {
                match self { $(Self::$variant(samples) => SamplesMut::$variant(samples)),* }
            }

            /// The first `count` samples and the rest, or `None` if there are fewer than `count`.
            #[must_use]
            pub fn split_at(self, count: usize) -> Option<(Self, Self)> {
                match self {
                    $(Self::$variant(samples) => {
                        samples.split_at_mut_checked(count).map(|(a, b)| (Self::$variant(a), Self::$variant(b)))
                    })*
                }
            }

            /// The samples from `start` to `end` (exclusive), or `None` if there are fewer than `end`.
            #[must_use]
            pub fn window(&mut self, start: usize, end: usize) -> Option<SamplesMut<'_>> {
                match self { $(Self::$variant(samples) => samples.get_mut(start..end).map(SamplesMut::$variant)),* }
            }

            /// The memory as bytes.
            #[must_use]
            pub fn bytes_mut(&mut self) -> &mut [u8] {
                match self { $(Self::$variant(samples) => bytemuck::cast_slice_mut(samples)),* }
            }

            /// The first `count` samples of type `sample_type` in `memory`, or `None` if it holds fewer.
            #[must_use]
            pub fn in_words(sample_type: SampleType, memory: &'a mut [u64], count: usize) -> Option<Self> {
                match sample_type {
                    $(SampleType::$variant => {
                        bytemuck::cast_slice_mut::<u64, $type>(memory).get_mut(..count).map(Self::$variant)
                    })*
                }
            }

            /// `bytes` as samples of type `sample_type`, or `None` if its address or length is not that of such samples.
            #[must_use]
            pub fn from_bytes(sample_type: SampleType, bytes: &'a mut [u8]) -> Option<Self> {
                match sample_type {
                    $(SampleType::$variant => bytemuck::try_cast_slice_mut(bytes).ok().map(Self::$variant)),*
                }
            }
        }

        impl SamplesBuf {
            /// The samples, to write.
            pub fn as_mut(&mut self) -> SamplesMut<'_> {
                match self.sample_type {
                    $(SampleType::$variant => {
                        SamplesMut::$variant(bytemuck::cast_slice_mut(&mut self.memory).split_at_mut(self.count).0)
                    })*
                }
            }

            /// The samples, to read.
            #[must_use]
            pub fn as_ref(&self) -> Samples<'_> {
                match self.sample_type {
                    $(SampleType::$variant => {
                        Samples::$variant(bytemuck::cast_slice(&self.memory).split_at(self.count).0)
                    })*
                }
            }
        }
    };
}
for_each_sample_type!(define_sample_types! {});

impl SampleType {
    /// The type that NumPy calls `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|sample_type| sample_type.name() == name)
    }

    /// True for the floating-point types.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// True for the signed integer types.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }

    /// Bytes of `count` samples, or `None` if an address space holds fewer.
    #[must_use]
    pub fn bytes_of(self, count: usize) -> Option<usize> {
        count.checked_mul(self.bytes()).filter(|bytes| isize::try_from(*bytes).is_ok())
    }
}

impl Samples<'_> {
    /// True if there is no sample.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of one sample.
    #[must_use]
    pub const fn sample_bytes(&self) -> usize {
        self.sample_type().bytes()
    }
}

impl SamplesMut<'_> {
    /// True if there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of one sample.
    #[must_use]
    pub const fn sample_bytes(&self) -> usize {
        self.sample_type().bytes()
    }
}

/// An owned buffer of samples. Its memory is words, so that it can be used again for samples of another type.
#[derive(Debug)]
pub struct SamplesBuf {
    /// Holds at least `count` samples: checked by `new`, and never changed in length.
    memory: Vec<u64>,
    sample_type: SampleType,
    count: usize,
}

impl SamplesBuf {
    /// A buffer of `count` samples in memory that `allocate` returns: at least as many words as its argument, of any
    /// content.
    ///
    /// # Errors
    /// The error of `allocate`; `LimitExceeded` if the samples do not fit into an address space or into the memory.
    pub fn new(
        sample_type: SampleType,
        count: usize,
        allocate: impl FnOnce(usize) -> Result<Vec<u64>>,
    ) -> Result<Self> {
        let too_large = || -> DecodeError { limit_exceeded(format!("no memory for {count} samples"), "") };
        let words = sample_type.bytes_of(count).ok_or_else(too_large)?.div_ceil(8);
        let memory = allocate(words)?;
        if memory.len() < words {
            return Err(too_large());
        }
        Ok(Self { memory, sample_type, count })
    }

    /// The memory, to be used again.
    #[must_use]
    pub fn into_memory(self) -> Vec<u64> {
        self.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn sample_type_names_and_sizes_are_those_of_numpy() {
        for sample_type in SampleType::ALL {
            assert_eq!(SampleType::from_name(sample_type.name()), Some(*sample_type));
            let bits: usize = sample_type.name().trim_start_matches(char::is_alphabetic).parse().unwrap();
            assert_eq!(sample_type.bytes() * 8, bits);
            assert_eq!(sample_type.is_float(), sample_type.name().starts_with("float"));
            assert_eq!(sample_type.is_signed(), sample_type.name().starts_with("int"));
        }
        assert_eq!(SampleType::from_name("complex64"), None);
        assert_eq!(SampleType::U16.bytes_of(usize::MAX / 2), None);
    }

    #[test]
    fn samples_buf_new_memory_too_short_is_an_error() {
        let mut samples = SamplesBuf::new(SampleType::I16, 5, |words| Ok(vec![0; words])).unwrap();
        assert_eq!((samples.as_mut().len(), samples.as_ref().len(), samples.into_memory().len()), (5, 5, 2));
        let error = SamplesBuf::new(SampleType::I16, 5, |_| Ok(vec![0; 1])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        let error = SamplesBuf::new(SampleType::F64, usize::MAX, |_| Ok(Vec::new())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn samples_mut_views_check_length_and_alignment() {
        let mut words = [0_u64; 2];
        assert_eq!(SamplesMut::in_words(SampleType::U32, &mut words, 3).map(|samples| samples.len()), Some(3));
        assert!(SamplesMut::in_words(SampleType::U64, &mut words, 3).is_none());
        let bytes = bytemuck::cast_slice_mut(&mut words);
        assert!(SamplesMut::from_bytes(SampleType::F32, &mut bytes[..7]).is_none());
        assert!(SamplesMut::from_bytes(SampleType::I16, &mut bytes[1..5]).is_none());
        assert_eq!(SamplesMut::from_bytes(SampleType::I16, &mut bytes[2..8]).map(|samples| samples.len()), Some(3));
    }
}
