//! Contains the panics of the `jxl` crate, so that a codestream for which it panics is an error like any other.
//!
//! The message of a panic is printed by the panic hook, before the panic is caught. A hook is installed once that prints nothing
//! on threads that are inside [`contain`], and calls the hook that it replaces for all other panics. A `cdylib` has its own
//! copy of the standard library, so the hook of the Python extension sees panics of the extension only.

use crate::error::{DecodeError, Result, malformed};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

static HOOK: Once = Once::new();

thread_local! {
    static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Restores the state of the thread, also when it unwinds.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        IS_CONTAINED.set(self.0);
    }
}

/// Calls `work`, whose panics print no message. They continue to unwind.
pub(super) fn silence<T>(work: impl FnOnce() -> T) -> T {
    HOOK.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_CONTAINED.try_with(Cell::get).unwrap_or(false) {
                next(info);
            }
        }));
    });
    let _restore = Restore(IS_CONTAINED.replace(true));
    work()
}

/// Calls `work`, and returns an error if it panics. The caller discards everything that `work` has changed.
///
/// # Errors
/// `Malformed`.
pub(super) fn contain<T>(work: impl FnOnce() -> T) -> Result<T> {
    silence(|| panic::catch_unwind(AssertUnwindSafe(work))).map_err(|payload| {
        let error = panic_error(payload.downcast_ref::<String>().map(String::as_str), payload.downcast_ref::<&str>());
        // Dropping a payload may panic, too.
        std::mem::forget(payload);
        error
    })
}

fn panic_error(text: Option<&str>, constant: Option<&&str>) -> DecodeError {
    let text = text.or(constant.copied()).unwrap_or("no message").lines().next().unwrap_or_default();
    let text: String = text.chars().take(100).collect();
    malformed(
        format!("the codestream is invalid: it violates an assumption of the decoder ({text})"),
        "ISO/IEC 18181-1",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn contain_panic_is_an_error_without_a_message() {
        static PRINTED: AtomicUsize = AtomicUsize::new(0);
        // Other tests of the process may panic, too: only messages of this test are counted.
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>();
            if text.is_some_and(|text| text.starts_with("test of contain")) {
                PRINTED.fetch_add(1, Ordering::Relaxed);
            } else {
                next(info);
            }
        }));
        let error = contain(|| panic::panic_any("test of contain\nsecond line")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.message().ends_with("(test of contain)"), "{error}");
        let error = contain(|| -> usize { panic::panic_any("x".repeat(1000)) }).unwrap_err();
        assert!(error.message().len() < 200);
        assert_eq!(contain(|| 3).unwrap(), 3);
        assert_eq!(PRINTED.load(Ordering::Relaxed), 0);
        // Outside of `contain`, the earlier hook is called.
        assert!(panic::catch_unwind(|| panic::panic_any("test of contain")).is_err());
        assert_eq!(PRINTED.load(Ordering::Relaxed), 1);
    }
}
