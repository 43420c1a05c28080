//! NumPy arrays as the core's typed windows.

use dicoxide_core::{Samples, SamplesMut};
use numpy::{BorrowError, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArrayDyn};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

macro_rules! arrays {
    ($(#[$doc:meta])* $name:ident, $held:ident, $borrow:ident, $samples:ident, $slice:ident, $role:literal, [$($mutable:tt)?];
     $($variant:ident $type:ident),*) => {
        $(#[$doc])*
        pub(crate) enum $name<'py> {
            $($variant($held<'py, $type>)),*
        }

        impl<'py> $name<'py> {
            /// Borrows `array`.
            pub(crate) fn new(array: &Bound<'py, PyAny>) -> PyResult<Self> {
                let refused = |error: BorrowError| PyValueError::new_err(format!("{} cannot be used: {error}", $role));
                $(if let Ok(array) = array.cast::<PyArrayDyn<$type>>() {
                    return array.$borrow().map(Self::$variant).map_err(refused);
                })*
                Err(PyValueError::new_err(concat!($role, " must be an ndarray of integers or floats in native byte order")))
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
    U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64
);
arrays!(
    /// A C-contiguous array that nobody of this extension writes to meanwhile.
    ArrayRef, PyReadonlyArrayDyn, try_readonly, Samples, as_slice, "src", [];
    U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64
);
