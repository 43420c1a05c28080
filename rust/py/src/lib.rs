//! The extension `dicoxide._core`: converts arguments and results, and calls the core. It has no logic of its own.

mod arrays;
mod batch;
mod encode;
mod errors;
mod file_object;
mod frame_args;
mod frames;
mod guard;
mod lookup_table;
mod main_thread;
mod object;
mod open_and_decode;
mod pixels;
mod prefetch;
mod rendering;
mod single_frame;
mod values;

use pyo3::prelude::*;

/// Internal functions and classes of the package `dicoxide`, which is the public interface.
///
/// No code relies on the global interpreter lock (`gil_used = false`). Every class is frozen and `Sync`. Mutable state
/// is atomic (`CancelToken`), or in a `Mutex` that is released before Python code can run (in `BatchDecoder`,
/// `BufferPool` and `CLAIMS`). Scratch memory belongs to one thread. Inputs are `bytes`, or arrays that a call claims
/// while it runs (`arrays::Claim`).
#[pymodule(gil_used = false)]
mod _core {
    use super::*;
    use dicoxide_core::{CpuLevel, ErrorKind, TransferSyntax, codec};
    use numpy::{PyArray1, PyArrayMethods};
    use pyo3::exceptions::PyImportError;
    use std::sync::OnceLock;

    #[pymodule_export]
    use super::batch::BatchDecoder;
    #[pymodule_export]
    use super::encode::{jpeg_lossless_encode, jpegls_encode, rle_encode};
    #[pymodule_export]
    use super::frames::Frames;
    #[pymodule_export]
    use super::guard::CancelToken;
    #[pymodule_export]
    use super::lookup_table::{LookupTable, ValueRanges};
    #[pymodule_export]
    use super::object::{Elements, Object, open_many, read_elements};
    #[pymodule_export]
    use super::open_and_decode::open_and_decode;
    #[pymodule_export]
    use super::pixels::{pack_bits_into, rescale_into, unpack_bits_into};
    #[pymodule_export]
    use super::rendering::{Rendering, burn_overlay, render_into, value_range};
    #[pymodule_export]
    use super::single_frame::{
        Codestream, codestream_info, compare_codestream, decode_frame, decode_frame_bytearray, decode_frame_into,
    };

    /// Address of the built-ins of the first interpreter that imported the module. Each interpreter has its own.
    static FIRST_BUILTINS: OnceLock<usize> = OnceLock::new();

    /// Adds version, error kinds and CPU level to the module.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // Classes and cached lookups are stored in statics, which all interpreters of a process would share.
        let builtins = module.py().import("builtins")?.dict().as_ptr().addr();
        if *FIRST_BUILTINS.get_or_init(|| builtins) != builtins {
            return Err(PyImportError::new_err(
                "dicoxide._core is loaded by another interpreter of this process: subinterpreters are not supported",
            ));
        }
        // The first use imports NumPy's C interface, which panics if a signal arrives meanwhile: do it here.
        PyArray1::<u8>::zeros(module.py(), 0, false).try_readwrite()?;
        main_thread::register_at_fork(module)?;
        // The first call in a thread takes as long as decoding a small frame.
        main_thread::is_main_thread(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("ERROR_KINDS", ErrorKind::ALL.map(ErrorKind::name).to_vec())?;
        module.add("CPU_PATH", CpuLevel::best().name())
    }

    /// Returns the features of an image transfer syntax that no codec decodes, or None.
    #[pyfunction]
    fn unsupported_feature(uid: &str) -> Option<&'static str> {
        TransferSyntax::from_uid(uid).and_then(TransferSyntax::unsupported_feature)
    }

    /// Returns (UID, keyword, name of the codec or None) of every image transfer syntax of PS3.6 Annex A.
    #[pyfunction]
    fn transfer_syntaxes() -> Vec<(&'static str, &'static str, Option<&'static str>)> {
        TransferSyntax::ALL
            .iter()
            .map(|syntax| (syntax.uid(), syntax.keyword(), codec::codec_for(*syntax).map(|codec| codec.name())))
            .collect()
    }
}
