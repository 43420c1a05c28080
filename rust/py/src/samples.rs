//! NumPy arrays as the core's typed windows.

use dicoxide_core::SamplesMut;
use numpy::{PyArrayDyn, PyArrayMethods, PyReadwriteArrayDyn};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

macro_rules! array_mut {
    ($($variant:ident $type:ident),*) => {
        /// A C-contiguous, writable array that nobody else of this extension writes to meanwhile.
        pub(crate) enum ArrayMut<'py> {
            $($variant(PyReadwriteArrayDyn<'py, $type>)),*
        }

        impl<'py> ArrayMut<'py> {
            /// Borrows `array` for writing.
            pub(crate) fn new(array: &Bound<'py, PyAny>) -> PyResult<Self> {
                let refused = |error: numpy::BorrowError| PyValueError::new_err(format!("out cannot be written to: {error}"));
                $(if let Ok(array) = array.cast::<PyArrayDyn<$type>>() {
                    return array.try_readwrite().map(Self::$variant).map_err(refused);
                })*
                Err(PyValueError::new_err("out must be an ndarray of integers or floats in native byte order"))
            }

            /// All samples in C order.
            pub(crate) fn samples(&mut self) -> PyResult<SamplesMut<'_>> {
                let refused = |_| PyValueError::new_err("out must be C-contiguous");
                match self {
                    $(Self::$variant(array) => array.as_slice_mut().map(SamplesMut::$variant).map_err(refused)),*
                }
            }
        }
    };
}
array_mut!(U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64);
