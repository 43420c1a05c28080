//! NumPy arrays as the core's typed windows.

use dicoxide_core::{Samples, SamplesMut};
use numpy::{
    BorrowError, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArrayDyn,
    PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

macro_rules! arrays {
    ($(#[$doc:meta])* $name:ident, $held:ident, $borrow:ident, $samples:ident, $slice:ident, $role:literal, [$($mutable:tt)?];
     $($variant:ident $type:ident $kind:literal),*) => {
        $(#[$doc])*
        pub(crate) enum $name<'py> {
            $($variant($held<'py, $type>)),*
        }

        impl<'py> $name<'py> {
            /// Borrows `array`.
            pub(crate) fn new(array: &Bound<'py, PyAny>) -> PyResult<Self> {
                let other = || PyValueError::new_err(concat!($role, " must be an ndarray of integers or floats in native byte order"));
                let refused = |error: BorrowError| PyValueError::new_err(format!("{} cannot be used: {error}", $role));
                let dtype = array.cast::<PyUntypedArray>().map_err(|_| other())?.dtype();
                match (dtype.kind(), dtype.itemsize()) {
                    $(($kind, size) if size == size_of::<$type>() => {
                        let array = array.cast::<PyArrayDyn<$type>>().map_err(|_| other())?;
                        array.$borrow().map(Self::$variant).map_err(refused)
                    })*
                    _ => Err(other()),
                }
            }

            /// All samples in C order.
            pub(crate) fn samples(&$($mutable)? self) -> PyResult<$samples<'_>> {
                let refused = |_| PyValueError::new_err(concat!($role, " must be C-contiguous"));
                match self {
                    $(Self::$variant(array) => array.$slice().map($samples::$variant).map_err(refused)),*
                }
            }
        }
    };
}
arrays!(
    /// A C-contiguous, writable array that nobody else of this extension uses meanwhile.
    ArrayMut, PyReadwriteArrayDyn, try_readwrite, SamplesMut, as_slice_mut, "out", [mut];
    U8 u8 b'u', I8 i8 b'i', U16 u16 b'u', I16 i16 b'i', U32 u32 b'u', I32 i32 b'i', U64 u64 b'u', I64 i64 b'i', F32 f32 b'f',
    F64 f64 b'f'
);
arrays!(
    /// A C-contiguous array that nobody of this extension writes to meanwhile.
    ArrayRef, PyReadonlyArrayDyn, try_readonly, Samples, as_slice, "src", [];
    U8 u8 b'u', I8 i8 b'i', U16 u16 b'u', I16 i16 b'i', U32 u32 b'u', I32 i32 b'i', U64 u64 b'u', I64 i64 b'i', F32 f32 b'f',
    F64 f64 b'f'
);
