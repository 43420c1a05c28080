"""Runs of ``dicoxide decode``: scan sources, plan arrays, decode and write them, record what was done.

    SourceScan ─► plan_tasks ─► ArrayTask… ─► run_tasks ──────────────────────────────────────► Ledger
    headers,                    one per       decode_task_slices ─► blocks ─► Writer ─► rename  ledger.jsonl,
    failures                    array                                         a format          errors.jsonl

Tasks, options and results can be pickled: `run_on_cluster` sends each task to a Dask worker, which calls `run_tasks`.
An error of a source, or of writing a series, becomes a `Failure`. `OutputError`, `ClusterError` and
`MissingExtraError` end a run before anything is written.

Import from this package, not from its modules. It does not use the command line.
"""

from dicoxide.bulk.runs._cluster import ClusterError, run_on_cluster
from dicoxide.bulk.runs._failure import Failure, failure_from_error, os_error_text
from dicoxide.bulk.runs._formats import begin_output, finish_output, remove_partials
from dicoxide.bulk.runs._frame_selection import FrameSelection
from dicoxide.bulk.runs._ledger import Ledger, OutputError
from dicoxide.bulk.runs._options import ARRAY_FORMATS, FORMATS, PICTURE_FORMATS, RenderRequest, RunOptions
from dicoxide.bulk.runs._run import ProgressCallback, TaskResult, run_tasks
from dicoxide.bulk.runs._scan_sources import SourceScan
from dicoxide.bulk.runs._series_metadata import series_attributes
from dicoxide.bulk.runs._tasks import ArrayTask, count_left_out, plan_tasks

__all__ = [
    "ARRAY_FORMATS",
    "FORMATS",
    "PICTURE_FORMATS",
    "ArrayTask",
    "ClusterError",
    "Failure",
    "FrameSelection",
    "Ledger",
    "OutputError",
    "ProgressCallback",
    "RenderRequest",
    "RunOptions",
    "SourceScan",
    "TaskResult",
    "begin_output",
    "count_left_out",
    "failure_from_error",
    "finish_output",
    "os_error_text",
    "plan_tasks",
    "remove_partials",
    "run_on_cluster",
    "run_tasks",
    "series_attributes",
]
