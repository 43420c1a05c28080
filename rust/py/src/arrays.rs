//! NumPy arrays as the core's typed windows.

use bytemuck::try_cast_slice_mut;
use dicoxide_core::{DecodeError, ErrorKind, FrameInfo, Samples, SamplesBuf, SamplesMut};
use numpy::ndarray::ArrayViewD;
use numpy::{
    BorrowError, Element, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArrayDyn,
    PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Memory that calls of this extension are about, by address. rust-numpy knows arrays by the object that owns their
/// memory, and two buffers of one `bytearray` are two owners.
static CLAIMED: Mutex<Vec<Claimed>> = Mutex::new(Vec::new());

/// First address, the one behind the last, and whether it is written to.
type Claimed = (usize, usize, bool);

/// Memory that one call reads, or that it alone writes to, until this is dropped.
pub(crate) struct Claim(Claimed);

impl Claim {
    /// None where another call writes to some of it, or reads some of what is to be written.
    fn of<T>(samples: &[T], is_written: bool) -> Option<Self> {
        let Range { start, end } = samples.as_ptr_range();
        let (start, end) = (start.addr(), end.addr());
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = |other: &Claimed| other.0.max(start) >= other.1.min(end) || !(is_written || other.2);
        claimed.iter().all(is_free).then(|| {
            claimed.push((start, end, is_written));
            Self((start, end, is_written))
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = claimed.iter().rposition(|other| *other == self.0) {
            claimed.swap_remove(place);
        }
    }
}

macro_rules! arrays {
    ($(#[$doc:meta])* $name:ident, $held:ident, $borrow:ident, $samples:ident, $slice:ident, $role:literal, $is_written:literal,
  [$($mutable:tt)?];
     $($variant:ident $type:ident $kind:literal),*) => {
        $(#[$doc])*
        pub(crate) enum $name<'py> {
            $($variant($held<'py, $type>, #[allow(dead_code, reason = "it is held, until it is dropped")] Claim)),*
        }

        impl<'py> $name<'py> {
            /// Borrows `array`.
            pub(crate) fn new(array: &Bound<'py, PyAny>) -> PyResult<Self> {
                let other = || PyValueError::new_err(concat!($role, " must be an ndarray of integers or floats in native byte order"));
                let in_use = || {
                    PyValueError::new_err(concat!($role, " is in use: by another call, or as the other array of this one"))
                };
                let refused = |error: BorrowError| match error {
                    BorrowError::NotWriteable => PyValueError::new_err(concat!($role, " is read-only")),
                    _ => in_use(),
                };
                let strided = |_| PyValueError::new_err(concat!($role, " must be C-contiguous"));
                let dtype = array.cast::<PyUntypedArray>().map_err(|_| other())?.dtype();
                match (dtype.kind(), dtype.itemsize()) {
                    $(($kind, size) if size == size_of::<$type>() => {
                        let array = array.cast::<PyArrayDyn<$type>>().map_err(|_| other())?;
                        let array = array.$borrow().map_err(refused)?;
                        let claim = Claim::of(array.as_slice().map_err(strided)?, $is_written).ok_or_else(in_use)?;
                        Ok(Self::$variant(array, claim))
                    })*
                    _ => Err(other()),
                }
            }

            /// All samples in C order.
            pub(crate) fn samples(&$($mutable)? self) -> PyResult<$samples<'_>> {
                let refused = |_| PyValueError::new_err(concat!($role, " must be C-contiguous"));
                match self {
                    $(Self::$variant(array, _) => array.$slice().map($samples::$variant).map_err(refused)),*
                }
            }
        }
    };
}
arrays!(
    /// A C-contiguous, writable array that nobody else of this extension uses meanwhile.
    ArrayMut, PyReadwriteArrayDyn, try_readwrite, SamplesMut, as_slice_mut, "out", true, [mut];
    U8 u8 b'u', I8 i8 b'i', U16 u16 b'u', I16 i16 b'i', U32 u32 b'u', I32 i32 b'i', U64 u64 b'u', I64 i64 b'i', F32 f32 b'f',
    F64 f64 b'f'
);
arrays!(
    /// A C-contiguous array that nobody of this extension writes to meanwhile.
    ArrayRef, PyReadonlyArrayDyn, try_readonly, Samples, as_slice, "src", false, [];
    U8 u8 b'u', I8 i8 b'i', U16 u16 b'u', I16 i16 b'i', U32 u32 b'u', I32 i32 b'i', U64 u64 b'u', I64 i64 b'i', F32 f32 b'f',
    F64 f64 b'f'
);

/// A new bytearray of exactly one frame's samples, of any value: to be filled, or dropped, before anybody sees it.
pub(crate) struct UninitByteArray<'py>(Bound<'py, PyByteArray>);

impl<'py> UninitByteArray<'py> {
    /// Takes the memory.
    pub(crate) fn new(py: Python<'py>, info: &FrameInfo) -> PyResult<Self> {
        let size = isize::try_from(info.samples() * info.sample_bytes())
            .map_err(|_| PyMemoryError::new_err("one frame is larger than the address space"))?;
        // SAFETY: without a source the interpreter hands out a new bytearray of that size, or null with an error set,
        // which `from_owned_ptr_or_err` takes.
        #[allow(unsafe_code)]
        let made = unsafe {
            Bound::from_owned_ptr_or_err(py, pyo3::ffi::PyByteArray_FromStringAndSize(std::ptr::null(), size))
        };
        Ok(Self(made?.cast_into::<PyByteArray>()?))
    }

    /// Its memory as samples of `info`'s type.
    pub(crate) fn samples(&mut self, info: &FrameInfo) -> PyResult<SamplesMut<'_>> {
        // SAFETY: nobody else has seen the bytearray, and `self` is borrowed, so it is neither resized nor read
        // meanwhile; its memory comes from the interpreter, for which any value is a byte.
        #[allow(unsafe_code)]
        let bytes = unsafe { self.0.as_bytes_mut() };
        let misaligned = |_| PyMemoryError::new_err("the interpreter's memory is not aligned for samples");
        Ok(match (info.sample_bytes(), info.is_signed(), info.is_float()) {
            (4, _, true) => SamplesMut::F32(try_cast_slice_mut(bytes).map_err(misaligned)?),
            (_, _, true) => SamplesMut::F64(try_cast_slice_mut(bytes).map_err(misaligned)?),
            (1, false, _) => SamplesMut::U8(bytes),
            (1, true, _) => SamplesMut::I8(try_cast_slice_mut(bytes).map_err(misaligned)?),
            (2, false, _) => SamplesMut::U16(try_cast_slice_mut(bytes).map_err(misaligned)?),
            (2, true, _) => SamplesMut::I16(try_cast_slice_mut(bytes).map_err(misaligned)?),
            (4, false, _) => SamplesMut::U32(try_cast_slice_mut(bytes).map_err(misaligned)?),
            (4, true, _) => SamplesMut::I32(try_cast_slice_mut(bytes).map_err(misaligned)?),
            (_, false, _) => SamplesMut::U64(try_cast_slice_mut(bytes).map_err(misaligned)?),
            (_, true, _) => SamplesMut::I64(try_cast_slice_mut(bytes).map_err(misaligned)?),
        })
    }

    /// Hands it out, now that it is filled.
    pub(crate) fn filled(self) -> Bound<'py, PyByteArray> {
        self.0
    }
}

/// Memory that arrays had before. Fresh pages cost as much as decoding into them.
pub(crate) struct BufferPool {
    free: Mutex<Free>,
    most_bytes: usize,
}

#[derive(Default)]
struct Free {
    memory: VecDeque<Vec<u64>>,
    bytes: usize,
}

impl BufferPool {
    /// Keeps at most so many bytes.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { free: Mutex::default(), most_bytes }
    }

    /// So many words, of any value.
    pub(crate) fn take(&self, words: usize) -> Result<Vec<u64>, DecodeError> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // The last is the likeliest to be in a cache.
        if let Some(found) = free.memory.iter().rposition(|memory| memory.len() == words)
            && let Some(memory) = free.memory.remove(found)
        {
            free.bytes -= memory.len() * 8;
            return Ok(memory);
        }
        drop(free);
        let mut memory = Vec::<u64>::new();
        memory.try_reserve_exact(words).map_err(|_| {
            DecodeError::new(ErrorKind::LimitExceeded, format!("no memory for {} bytes", words * 8), "")
        })?;
        drop(memory);
        // Asked for as zeros, so that the system's own are taken where there are some.
        Ok(vec![0; words])
    }

    /// Never waits: in a forked process, the one that holds the lock may be missing.
    fn give_back(&self, memory: Vec<u64>) {
        let Ok(mut free) = self.free.try_lock() else { return };
        free.bytes += memory.len() * 8;
        free.memory.push_back(memory);
        while free.bytes > self.most_bytes
            && let Some(oldest) = free.memory.pop_front()
        {
            free.bytes -= oldest.len() * 8;
        }
    }
}

/// What an array's memory belongs to: it goes back where it was taken from when nobody holds the array any more.
#[pyclass(frozen, module = "dicoxide._core")]
struct PooledArray {
    samples: Option<SamplesBuf>,
    used: Weak<BufferPool>,
}

impl Drop for PooledArray {
    fn drop(&mut self) {
        if let (Some(samples), Some(used)) = (self.samples.take(), self.used.upgrade()) {
            used.give_back(samples.into_memory());
        }
    }
}

/// The samples as an array of `shape`, whose memory goes back to `used` after it.
pub(crate) fn lent<'py>(
    py: Python<'py>,
    samples: SamplesBuf,
    shape: &[usize],
    used: &Arc<BufferPool>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    fn typed<'py, T: Element>(
        samples: &[T],
        shape: &[usize],
        owner: &Bound<'py, PooledArray>,
    ) -> PyResult<Bound<'py, PyUntypedArray>> {
        let view = ArrayViewD::from_shape(shape, samples);
        let view = view.map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        // SAFETY: `samples` is the memory of `owner`, which is frozen, hands it out to nobody else and keeps it where it
        // is until it is dropped; the array holds `owner` as its base.
        #[allow(unsafe_code)]
        let array = unsafe { PyArrayDyn::borrow_from_array(&view, owner.clone().into_any()) };
        Ok(array.cast_into()?)
    }
    let owner = Bound::new(py, PooledArray { samples: Some(samples), used: Arc::downgrade(used) })?;
    match owner.get().samples.as_ref().map_or(Samples::U8(&[]), SamplesBuf::as_ref) {
        Samples::U8(samples) => typed(samples, shape, &owner),
        Samples::I8(samples) => typed(samples, shape, &owner),
        Samples::U16(samples) => typed(samples, shape, &owner),
        Samples::I16(samples) => typed(samples, shape, &owner),
        Samples::U32(samples) => typed(samples, shape, &owner),
        Samples::I32(samples) => typed(samples, shape, &owner),
        Samples::U64(samples) => typed(samples, shape, &owner),
        Samples::I64(samples) => typed(samples, shape, &owner),
        Samples::F32(samples) => typed(samples, shape, &owner),
        Samples::F64(samples) => typed(samples, shape, &owner),
    }
}
