//! The extension `dicoxide._core`: moves data across between Python and the core, decides nothing.

mod arrays;
mod batch;
mod encode;
mod errors;
mod frame_args;
mod frames;
mod guard;
mod object;
mod pixels;
mod prefetch;
mod single_frame;
mod values;

use pyo3::prelude::*;

/// What the Python package is built on; its public face is `dicoxide`.
///
/// Nothing in here leans on the interpreter's lock, so free-threaded builds need not bring it back (`gil_used = false`):
/// every class is frozen and `Sync`; what changes behind one is atomic (`CancelToken`), or under a `Mutex` that is let go before
/// Python code can run (`BatchDecoder`, `BufferPool`, `CLAIMED`); scratch is of one thread; inputs are `bytes`, or arrays that are
/// claimed (`arrays::Claim`) for as long as a call is about them.
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
    use super::encode::{jpeg_lossless_encode, rle_encode};
    #[pymodule_export]
    use super::frames::Frames;
    #[pymodule_export]
    use super::guard::CancelToken;
    #[pymodule_export]
    use super::object::{Elements, Object, open_many};
    #[pymodule_export]
    use super::pixels::{pack_bits_into, rescale_into, unpack_bits_into};
    #[pymodule_export]
    use super::single_frame::{codestream_size, decode_frame_bytearray, decode_frame_into, jpeg_lossless_dimensions};

    /// The built-ins of the interpreter that came first: each interpreter of a process has its own.
    static FIRST: OnceLock<usize> = OnceLock::new();

    /// Version, kinds of errors and the CPU path, for `doctor` and the tests.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // Classes and what is looked up once are kept in memory that all interpreters of a process share.
        let here = module.py().import("builtins")?.dict().as_ptr().addr();
        if *FIRST.get_or_init(|| here) != here {
            return Err(PyImportError::new_err(
                "dicoxide._core works in one interpreter of a process, and another one has it: no subinterpreters",
            ));
        }
        // NumPy's interface is looked up when it is used first, which panics if a signal comes just then.
        PyArray1::<u8>::zeros(module.py(), 0, false).try_readwrite()?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("ERROR_KINDS", ErrorKind::ALL.map(ErrorKind::name).to_vec())?;
        module.add("CPU_PATH", CpuLevel::best().name())
    }

    /// The register: (UID, keyword, name of the codec or None) of every image transfer syntax.
    #[pyfunction]
    fn transfer_syntaxes() -> Vec<(&'static str, &'static str, Option<&'static str>)> {
        TransferSyntax::ALL
            .iter()
            .map(|syntax| (syntax.uid(), syntax.keyword(), codec::codec_for(*syntax).map(|codec| codec.name())))
            .collect()
    }
}
