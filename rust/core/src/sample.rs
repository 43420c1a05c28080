//! Typed memory: one variant for each element type of NumPy that samples have.

use crate::error::{Result, limit_exceeded};
use crate::kernel::convert::SampleType;

macro_rules! samples {
    ($($variant:ident $type:ident $name:literal),*) => {
        /// Typed memory of the caller that samples are read from, in native byte order.
        #[derive(Debug, Clone, Copy)]
        #[allow(missing_docs, reason = "each variant is its element type")]
        pub enum Samples<'a> {
            $($variant(&'a [$type])),*
        }

        impl<'a> Samples<'a> {
            /// How many samples there are.
            #[must_use]
            pub const fn len(&self) -> usize {
                match self { $(Self::$variant(s) => s.len()),* }
            }

            /// Whether there is no sample.
            #[must_use]
            pub const fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Bytes of one sample.
            #[must_use]
            pub const fn sample_bytes(&self) -> usize {
                match self { $(Self::$variant(_) => size_of::<$type>()),* }
            }

            /// The element type's name as NumPy spells it.
            #[must_use]
            pub const fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name),* }
            }

            /// The memory as bytes.
            #[must_use]
            pub fn bytes(&self) -> &'a [u8] {
                match self { $(Self::$variant(s) => bytemuck::cast_slice(s)),* }
            }

            /// How the bytes of a sample are read.
            pub(crate) const fn sample_type(&self) -> SampleType {
                match self { $(Self::$variant(_) => SampleType::$variant),* }
            }
        }

        /// Typed memory of the caller that samples are written to, in native byte order.
        #[derive(Debug)]
        #[allow(missing_docs, reason = "each variant is its element type")]
        pub enum SamplesMut<'a> {
            $($variant(&'a mut [$type])),*
        }

        impl<'a> SamplesMut<'a> {
            /// How many samples fit.
            #[must_use]
            pub fn len(&self) -> usize {
                match self { $(Self::$variant(s) => s.len()),* }
            }

            /// Whether no sample fits.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Bytes of one sample.
            #[must_use]
            pub fn sample_bytes(&self) -> usize {
                match self { $(Self::$variant(_) => size_of::<$type>()),* }
            }

            /// The element type's name as NumPy spells it.
            #[must_use]
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name),* }
            }

            /// How the bytes of a sample are read.
            pub(crate) const fn sample_type(&self) -> SampleType {
                match self { $(Self::$variant(_) => SampleType::$variant),* }
            }

            /// The same memory for a shorter time.
            pub fn reborrow(&mut self) -> SamplesMut<'_> {
                match self { $(Self::$variant(s) => SamplesMut::$variant(s)),* }
            }

            /// The first `at` samples and the rest, or `None` if there are fewer.
            #[must_use]
            pub fn split_at(self, at: usize) -> Option<(Self, Self)> {
                match self {
                    $(Self::$variant(s) => s.split_at_mut_checked(at).map(|(a, b)| (Self::$variant(a), Self::$variant(b)))),*
                }
            }

            /// The samples from `start` to `end`, or `None` outside.
            #[must_use]
            pub fn window(&mut self, start: usize, end: usize) -> Option<SamplesMut<'_>> {
                match self { $(Self::$variant(s) => s.get_mut(start..end).map(SamplesMut::$variant)),* }
            }

            /// The first `samples` of the same type in other memory, or `None` if it holds fewer.
            pub(crate) fn like<'b>(&self, memory: &'b mut [u64], samples: usize) -> Option<SamplesMut<'b>> {
                match self {
                    $(Self::$variant(_) => {
                        bytemuck::cast_slice_mut::<u64, $type>(memory).get_mut(..samples).map(SamplesMut::$variant)
                    })*
                }
            }

            /// The memory as bytes.
            #[must_use]
            pub fn bytes_mut(&mut self) -> &mut [u8] {
                match self { $(Self::$variant(s) => bytemuck::cast_slice_mut(s)),* }
            }
        }

        impl SamplesBuf {
            /// Room for so many samples of the type that NumPy calls `name`, in memory that `take` gives: words
            /// for so many bytes, of any value. `None` if there is no such type.
            ///
            /// # Errors
            /// That of `take`; `LimitExceeded` if there are more samples than an address space holds.
            pub fn new(
                name: &str,
                samples: usize,
                take: impl FnOnce(usize) -> Result<Vec<u64>>,
            ) -> Result<Option<Self>> {
                let (type_name, bytes) = match name {
                    $($name => ($name, samples.checked_mul(size_of::<$type>())),)*
                    _ => return Ok(None),
                };
                let Some(bytes) = bytes else {
                    return Err(limit_exceeded(format!("{samples} samples are more than an address space holds"), ""));
                };
                Ok(Some(Self { memory: take(bytes)?, type_name, samples }))
            }

            /// Bytes of so many samples of the type that NumPy calls `name`, if there are such a type and so many bytes.
            #[must_use]
            pub fn bytes_of(name: &str, samples: usize) -> Option<usize> {
                match name {
                    $($name => samples.checked_mul(size_of::<$type>()),)*
                    _ => None,
                }
            }

            /// The type that NumPy calls `name`, if there is one.
            #[must_use]
            pub fn type_named(name: &str) -> Option<&'static str> {
                match name {
                    $($name => Some($name),)*
                    _ => None,
                }
            }

            /// The samples, to be written to.
            pub fn as_mut(&mut self) -> SamplesMut<'_> {
                let Self { memory, type_name, samples } = self;
                match *type_name {
                    $($name => SamplesMut::$variant(
                        bytemuck::cast_slice_mut(memory).get_mut(..*samples).unwrap_or_default(),
                    ),)*
                    _ => SamplesMut::U8(&mut []),
                }
            }

            /// The samples.
            #[must_use]
            pub fn as_ref(&self) -> Samples<'_> {
                let Self { memory, type_name, samples } = self;
                match *type_name {
                    $($name => Samples::$variant(
                        bytemuck::cast_slice(memory).get(..*samples).unwrap_or_default(),
                    ),)*
                    _ => Samples::U8(&[]),
                }
            }
        }
    };
}
samples!(
    U8 u8 "uint8", I8 i8 "int8", U16 u16 "uint16", I16 i16 "int16", U32 u32 "uint32", I32 i32 "int32",
    U64 u64 "uint64", I64 i64 "int64", F32 f32 "float32", F64 f64 "float64"
);

/// Typed memory of its own for samples. It is words, so that it may be used again for samples of another type.
#[derive(Debug)]
pub struct SamplesBuf {
    memory: Vec<u64>,
    type_name: &'static str,
    samples: usize,
}

impl SamplesBuf {
    /// The memory, to be used again.
    #[must_use]
    pub fn into_memory(self) -> Vec<u64> {
        self.memory
    }
}

impl SamplesMut<'_> {
    /// Whether the element type is a floating-point one.
    #[must_use]
    pub fn is_float(&self) -> bool {
        matches!(self, Self::F32(_) | Self::F64(_))
    }

    /// Whether the element type is a signed integer.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::I8(_) | Self::I16(_) | Self::I32(_) | Self::I64(_))
    }
}
