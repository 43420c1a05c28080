//! NumPy arrays and bytearrays as the core's typed slices.
//!
//! **Claims.** Rust requires that memory which a call writes to is not read or written elsewhere. rust-numpy checks
//! that for arrays of the same owner, but two arrays can share memory without: `np.frombuffer` of one `bytearray` twice
//! makes two owners. So each call claims the address range of its arrays while it runs:
//!
//! ```text
//! claims:   [100, 200) written      [300, 400) read      [300, 400) read
//! wanted:   [150, 180) read     → refused: overlaps a claim for writing
//!           [350, 360) read     → granted: both only read
//!           [390, 500) written  → refused: overlaps a claim for reading
//!           [200, 300) written  → granted: no overlap
//! ```
//!
//! Writes by NumPy code of the caller, or by other processes to shared memory, are not detected.
//!
//! **Buffer pool.** Fresh pages from the system cost as much as decoding into them. The memory of an array that batch
//! decoding returned goes back to its pool when the array is deallocated, and the next array of the same size gets it.

use dicoxide_core::{
    DecodeError, FrameInfo, Limits, SampleType, Samples, SamplesBuf, SamplesMut, for_each_sample_type,
};
use numpy::ndarray::ArrayViewD;
use numpy::npyffi::{NpyTypes, PY_ARRAY_API, get_type_object, npy_intp};
use numpy::{
    BorrowError, Element, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArrayDyn,
    PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use std::collections::VecDeque;
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The address ranges that running calls use.
static CLAIMS: Mutex<Vec<ClaimedRange>> = Mutex::new(Vec::new());

/// Addresses `start..end`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ClaimedRange {
    start: usize,
    end: usize,
    is_written: bool,
}

impl ClaimedRange {
    fn conflicts_with(&self, other: &Self) -> bool {
        let is_overlapping = self.start.max(other.start) < self.end.min(other.end);
        is_overlapping && (self.is_written || other.is_written)
    }
}

/// The claim of one call on the memory of an array, until it is dropped.
pub(crate) struct Claim(ClaimedRange);

impl Claim {
    /// Claims the memory of `samples`; `None` if another call writes to some of it, or reads what is to be written.
    fn new<T>(samples: &[T], is_written: bool) -> Option<Self> {
        let Range { start, end } = samples.as_ptr_range();
        let range = ClaimedRange { start: start.addr(), end: end.addr(), is_written };
        let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = !claims.iter().any(|claim| claim.conflicts_with(&range));
        is_free.then(|| {
            claims.push(range);
            Self(range)
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
        // Equal claims for reading are interchangeable.
        let Some(index) = claims.iter().rposition(|claim| *claim == self.0) else {
            debug_assert!(false, "a claim is in the list until it is dropped");
            return;
        };
        claims.swap_remove(index);
    }
}

macro_rules! arrays {
    ($(#[$doc:meta])* $name:ident, $guard:ident, $borrow:ident, $samples:ident, $slice:ident, $role:literal, $is_written:literal,
  [$($mutable:tt)?];
     $($variant:ident $type:ident $numpy_name:literal),*) => {
        $(#[$doc])*
        pub(crate) enum $name<'py> {
            $($variant($guard<'py, $type>, #[allow(dead_code, reason = "dropped with the array")] Claim)),*
        }

        impl<'py> $name<'py> {
            /// Borrows and claims an array.
            ///
            /// # Errors
            /// `ValueError` if it has another type, is strided or read-only, or is in use.
            pub(crate) fn new(array: &Bound<'py, PyAny>) -> PyResult<Self> {
                let wrong_type = || PyValueError::new_err(concat!($role, " must be an ndarray of integers or floats in native byte order"));
                let in_use = || {
                    PyValueError::new_err(concat!($role, " is in use: by another call, or as the other array of this one"))
                };
                let refused = |error: BorrowError| match error {
                    BorrowError::NotWriteable => PyValueError::new_err(concat!($role, " is read-only")),
                    _ => in_use(),
                };
                let strided = |_| PyValueError::new_err(concat!($role, " must be C-contiguous"));
                let dtype = array.cast::<PyUntypedArray>().map_err(|_| wrong_type())?.dtype();
                $(
                    // NumPy's kind is the first letter of the name.
                    if $numpy_name.as_bytes().first() == Some(&dtype.kind()) && dtype.itemsize() == size_of::<$type>() {
                        let array = array.cast::<PyArrayDyn<$type>>().map_err(|_| wrong_type())?;
                        let array = array.$borrow().map_err(refused)?;
                        let claim = Claim::new(array.as_slice().map_err(strided)?, $is_written).ok_or_else(in_use)?;
                        return Ok(Self::$variant(array, claim));
                    }
                )*
                Err(wrong_type())
            }

            /// Returns all samples in C order.
            pub(crate) fn samples(&$($mutable)? self) -> PyResult<$samples<'_>> {
                let refused = |_| PyValueError::new_err(concat!($role, " must be C-contiguous"));
                match self {
                    $(Self::$variant(array, _) => array.$slice().map($samples::$variant).map_err(refused)),*
                }
            }
        }
    };
}
for_each_sample_type!(arrays! {
    /// A C-contiguous, writable array that no other call of this extension uses.
    ArrayMut, PyReadwriteArrayDyn, try_readwrite, SamplesMut, as_slice_mut, "out", true, [mut]
});
for_each_sample_type!(arrays! {
    /// A C-contiguous array that no call of this extension writes to.
    ArrayRef, PyReadonlyArrayDyn, try_readonly, Samples, as_slice, "src", false, []
});

/// A new bytearray for the samples of one frame. Its content is undefined until it is filled; it is not visible to
/// Python code before.
pub(crate) struct UninitByteArray<'py>(Bound<'py, PyByteArray>);

impl<'py> UninitByteArray<'py> {
    /// Allocates the bytearray.
    pub(crate) fn new(py: Python<'py>, info: &FrameInfo) -> PyResult<Self> {
        let size = isize::try_from(info.samples() * info.sample_bytes())
            .map_err(|_| PyMemoryError::new_err("one frame is larger than the address space"))?;
        // SAFETY: with a null source the interpreter returns a new reference to a bytearray of `size` bytes, or null
        // with an exception set; `from_owned_ptr_or_err` accepts both.
        #[allow(unsafe_code)]
        let bytearray = unsafe {
            Bound::from_owned_ptr_or_err(py, pyo3::ffi::PyByteArray_FromStringAndSize(std::ptr::null(), size))
        };
        Ok(Self(bytearray?.cast_into::<PyByteArray>()?))
    }

    /// Returns the memory as samples of the frame's type.
    pub(crate) fn samples(&mut self, info: &FrameInfo) -> PyResult<SamplesMut<'_>> {
        // SAFETY: `self` has the only reference to the bytearray and is borrowed mutably, so the memory is neither
        // resized nor accessed otherwise. It was allocated by the interpreter; any byte value is valid.
        #[allow(unsafe_code)]
        let bytes = unsafe { self.0.as_bytes_mut() };
        SamplesMut::from_bytes(info.sample_type(), bytes)
            .ok_or_else(|| PyMemoryError::new_err("the interpreter's memory is not aligned for samples"))
    }

    /// Returns the bytearray, which the caller has filled.
    pub(crate) fn filled(self) -> Bound<'py, PyByteArray> {
        self.0
    }
}

/// A new array. Its content is undefined until it is filled; it is not visible to Python code before.
pub(crate) struct UninitArray<'py> {
    array: Bound<'py, PyUntypedArray>,
    sample_type: SampleType,
}

impl<'py> UninitArray<'py> {
    /// Allocates an array as `numpy.empty` does, which raises `MemoryError`.
    pub(crate) fn new(py: Python<'py>, sample_type: SampleType, shape: &[usize]) -> PyResult<Self> {
        macro_rules! dtype_of {
            (; $($variant:ident $type:ident $numpy_name:literal),*) => {
                match sample_type {
                    $(SampleType::$variant => numpy::dtype::<$type>(py)),*
                }
            };
        }
        let dtype = for_each_sample_type!(dtype_of! {});
        let dims = shape.iter().map(|length| npy_intp::try_from(*length));
        let mut dims =
            dims.collect::<Result<Vec<_>, _>>().map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        let dim_count = i32::try_from(dims.len()).map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        // SAFETY: `dims` has `dim_count` lengths, `into_dtype_ptr` gives the call its reference to the dtype. Without
        // strides, data and owner, NumPy returns a new reference to an array that owns its memory, or null with an
        // exception set; `from_owned_ptr_or_err` accepts both.
        #[allow(unsafe_code)]
        let array = unsafe {
            let class = get_type_object(py, NpyTypes::PyArray_Type);
            let (dtype, dims) = (dtype.into_dtype_ptr(), dims.as_mut_ptr());
            let array = PY_ARRAY_API.PyArray_NewFromDescr(
                py,
                class,
                dtype,
                dim_count,
                dims,
                null_mut(),
                null_mut(),
                0,
                null_mut(),
            );
            Bound::from_owned_ptr_or_err(py, array)
        };
        Ok(Self { array: array?.cast_into()?, sample_type })
    }

    /// Returns the memory as samples in C order.
    pub(crate) fn samples(&mut self) -> PyResult<SamplesMut<'_>> {
        let wrong_type = |_| PyMemoryError::new_err("NumPy returned an array of another type");
        let wrong_layout = |_| PyMemoryError::new_err("NumPy returned an array that is not contiguous");
        macro_rules! typed_slice {
            (; $($variant:ident $type:ident $numpy_name:literal),*) => {
                match self.sample_type {
                    $(SampleType::$variant => {
                        let array = self.array.cast::<PyArrayDyn<$type>>().map_err(wrong_type)?;
                        // SAFETY: `self` has the only reference to the array and is borrowed mutably, so the memory is
                        // neither freed nor accessed otherwise. NumPy allocated it; any byte value is valid.
                        #[allow(unsafe_code)]
                        let samples = unsafe { array.as_slice_mut() };
                        samples.map(SamplesMut::$variant).map_err(wrong_layout)
                    })*
                }
            };
        }
        for_each_sample_type!(typed_slice! {})
    }

    /// Returns the array, which the caller has filled.
    pub(crate) fn filled(self) -> Bound<'py, PyUntypedArray> {
        self.array
    }
}

/// Memory of deallocated arrays, for later arrays of the same size.
pub(crate) struct BufferPool {
    free: Mutex<FreeBuffers>,
    max_bytes: usize,
}

/// Buffers in the order in which they were released.
#[derive(Default)]
struct FreeBuffers {
    buffers: VecDeque<Vec<u64>>,
    total_bytes: usize,
}

impl BufferPool {
    /// Creates a pool that retains at most `max_bytes`.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { free: Mutex::default(), max_bytes }
    }

    /// Returns a buffer of `words` 64-bit words with any content.
    ///
    /// # Errors
    /// `LimitExceeded` if the system has too little memory.
    pub(crate) fn allocate(&self, words: usize) -> Result<Vec<u64>, DecodeError> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // The buffer released last is the most likely one to be in a cache.
        if let Some(index) = free.buffers.iter().rposition(|buffer| buffer.len() == words)
            && let Some(buffer) = free.buffers.remove(index)
        {
            free.total_bytes -= buffer.len() * 8;
            return Ok(buffer);
        }
        drop(free);
        Limits::unbounded().zeroed(words)
    }

    /// Retains a buffer. Drops the oldest ones above `max_bytes`, or `buffer` itself if the pool is locked: in a forked
    /// process, the thread that locked it may not exist.
    fn release(&self, buffer: Vec<u64>) {
        let Ok(mut free) = self.free.try_lock() else { return };
        free.total_bytes += buffer.len() * 8;
        free.buffers.push_back(buffer);
        while free.total_bytes > self.max_bytes
            && let Some(oldest) = free.buffers.pop_front()
        {
            free.total_bytes -= oldest.len() * 8;
        }
    }
}

/// Owner of an array's memory (its NumPy base object). Returns the memory to the pool when the array is deallocated.
#[pyclass(frozen, module = "dicoxide._core")]
struct PooledArray {
    /// `None` only while it is dropped.
    samples: Option<SamplesBuf>,
    pool: Weak<BufferPool>,
}

impl Drop for PooledArray {
    fn drop(&mut self) {
        if let (Some(samples), Some(pool)) = (self.samples.take(), self.pool.upgrade()) {
            pool.release(samples.into_memory());
        }
    }
}

/// Returns the samples as an array of `shape`, whose memory is returned to `pool` after use.
pub(crate) fn pooled_array<'py>(
    py: Python<'py>,
    samples: SamplesBuf,
    shape: &[usize],
    pool: &Arc<BufferPool>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    fn array_of<'py, T: Element>(
        samples: &[T],
        shape: &[usize],
        owner: &Bound<'py, PooledArray>,
    ) -> PyResult<Bound<'py, PyUntypedArray>> {
        let view = ArrayViewD::from_shape(shape, samples);
        let view = view.map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        // SAFETY: `samples` is memory of `owner`, which is frozen, does not expose it otherwise, and neither moves nor
        // frees it before it is dropped; the array has `owner` as its base object.
        #[allow(unsafe_code)]
        let array = unsafe { PyArrayDyn::borrow_from_array(&view, owner.clone().into_any()) };
        Ok(array.cast_into()?)
    }
    let owner = Bound::new(py, PooledArray { samples: Some(samples), pool: Arc::downgrade(pool) })?;
    let Some(samples) = owner.get().samples.as_ref() else {
        debug_assert!(false, "only a dropped owner has no samples");
        return Err(PyMemoryError::new_err("the memory of the array is gone"));
    };
    macro_rules! typed_array {
        (; $($variant:ident $type:ident $numpy_name:literal),*) => {
            match samples.as_ref() {
                $(Samples::$variant(samples) => array_of(samples, shape, &owner)),*
            }
        };
    }
    for_each_sample_type!(typed_array! {})
}
