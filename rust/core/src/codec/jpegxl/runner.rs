//! Work sharing and cancellation for the `jxl` crate, which hands its tasks to a runner.

use super::contain::silence;
use crate::error::{DecodeError, malformed};
use crate::output::Cancel;
use crate::parallel::for_each_task;
use jxl::api::{JxlParallelRunner, JxlParallelRunnerFun};
use jxl::error::Error;

/// Most calls of a runner for one image. A frame of a codestream takes at most 6 calls; an image is one frame, and a few that
/// it refers to (patches, low frequencies) or is composed of. A codestream of a few hundred bytes can have many frames of the
/// size of the image, so that without a bound its decoding time is not proportional to its size and that of the output.
const MAX_CALLS: usize = 384;

/// Runner of one image.
pub(super) struct Runner<'a> {
    threads: usize,
    cancel: Cancel<'a>,
    calls: usize,
    /// Error that has stopped the decoder.
    error: Option<DecodeError>,
}

impl<'a> Runner<'a> {
    /// Returns a runner that uses up to `threads` threads, including the calling one.
    pub(super) const fn new(threads: usize, cancel: Cancel<'a>) -> Self {
        Self { threads, cancel, calls: 0, error: None }
    }

    /// Returns the error that has stopped the decoder, if the runner has.
    pub(super) const fn take_error(&mut self) -> Option<DecodeError> {
        self.error.take()
    }
}

/// The error of a task, or of the runner itself.
enum Stop {
    Task(Error),
    Runner(DecodeError),
}

impl JxlParallelRunner for Runner<'_> {
    fn run(&mut self, count: usize, task: &JxlParallelRunnerFun<'_>) -> Result<(), Error> {
        self.run_ordered(count, None, task)
    }

    fn num_threads(&self) -> usize {
        self.threads
    }

    fn run_ordered(
        &mut self,
        count: usize,
        max_threads: Option<usize>,
        task: &JxlParallelRunnerFun<'_>,
    ) -> Result<(), Error> {
        self.calls += 1;
        let cancel = self.cancel;
        let threads = self.threads.min(max_threads.unwrap_or(usize::MAX)).min(count);
        let result = if self.calls > MAX_CALLS {
            let text = "the image refers to too many frames of the codestream";
            Err(Stop::Runner(malformed(text, "ISO/IEC 18181-1 Annex F")))
        } else {
            let work = |index, _: &mut ()| silence(|| task(index)).map_err(Stop::Task);
            let check = || cancel.check().map_err(Stop::Runner);
            for_each_task(0..count, &mut vec![(); threads.max(1)], work, check)
        };
        result.map_err(|stop| match stop {
            Stop::Task(error) => error,
            Stop::Runner(error) => {
                self.error = Some(error);
                Error::ApiUsageError("stopped by the runner")
            }
        })
    }
}
