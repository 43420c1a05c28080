"""Options of ``dicoxide decode``."""

from __future__ import annotations

import argparse

import numpy as np

from dicoxide.bulk.runs import (
    ARRAY_FORMATS,
    FORMATS,
    PICTURE_FORMATS,
    FrameSelection,
    OutputError,
    RenderRequest,
    RunOptions,
)
from dicoxide.bulk.series import parse_split_options
from dicoxide.cli._text import WINDOW_HELP, argument_type, window_argument

__all__ = ["add_options", "run_options"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the options to argparse."""
    parser.add_argument("sources", nargs="+", metavar="SRC", help="file, folder (searched recursively), or glob")
    parser.add_argument("-o", "--out", metavar="OUT", help="output folder; must be new or empty, except with --resume")
    parser.add_argument("--format", choices=FORMATS, default="zarr", help="output format (default: zarr)")
    parser.add_argument("--uncompressed", action="store_true", help="do not compress (zarr, nifti)")
    values = parser.add_mutually_exclusive_group()
    values.add_argument("--rescale", action="store_true", help="write modality values, float32 unless --dtype is given")
    values.add_argument(
        "--real-world",
        action="store_true",
        help="write real-world values, float32 unless --dtype is given; not for pictures",
    )
    values.add_argument(
        "--render",
        action="store_true",
        help="write rendered slices, as pictures have them: uint8 unless --dtype is uint16 or float32 (zarr, npy)",
    )
    parser.add_argument(
        "--quantity",
        metavar="NAME",
        help="with --real-world: LUT label, or code or meaning of the quantity or units, if images have several maps",
    )
    parser.add_argument(
        "--dtype",
        metavar="TYPE",
        help="type of the arrays: with --rescale or --real-world float32, float64 or an integer type that holds all "
        "values exactly; of rendered slices uint8, uint16 or float32; otherwise a wider integer type",
    )
    parser.add_argument("--window", metavar="WINDOW", type=window_argument, help=f"of rendered slices: {WINDOW_HELP}")
    parser.add_argument("--overlays", action="store_true", help="draw overlays into rendered slices")
    parser.add_argument(
        "--max-size",
        metavar="PIXELS",
        type=argument_type(int, 1),
        help="largest width and height of pictures; larger slices are reduced",
    )
    parser.add_argument(
        "--quality",
        metavar="N",
        type=argument_type(int, 1, 100),
        default=90,
        help="quality of jpeg and webp, 1 to 100 (default: 90)",
    )
    parser.add_argument(
        "--frames",
        metavar="LIST",
        type=argument_type(FrameSelection.parse),
        help="frames of each object: zero-based indices and ranges, such as 0,3:10 (default: all)",
    )
    parser.add_argument(
        "--threads", metavar="N", type=argument_type(int, 1), help="maximum number of threads (default: all cores)"
    )
    parser.add_argument(
        "--on-error",
        choices=("skip", "raise"),
        default="skip",
        help="skip: report failures and continue (default); raise: stop at the first failure",
    )
    parser.add_argument("--strict", action="store_true", help="treat deviations from the standard as failures")
    parser.add_argument(
        "--max-bytes",
        metavar="N",
        type=argument_type(int, 0),
        help="maximum memory for the output and scratch buffers of one object, in bytes",
    )
    for option, effect in (("--split-by", "values are separate volumes"), ("--merge", "differences divide no volume")):
        parser.add_argument(
            option, metavar="KEYWORD,…", default="", help=f"keywords of attributes whose {effect}, such as EchoTime"
        )
    parser.add_argument("--resume", action="store_true", help="continue an earlier run into OUT")
    parser.add_argument("--dry-run", action="store_true", help="print what would be written; OUT is not touched")
    parser.add_argument(
        "--dask",
        metavar="ADDRESS|local",
        help="decode on a Dask cluster, whose workers have the same paths; local: start worker processes",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document to stdout, everything else to stderr"
    )


def run_options(arguments: argparse.Namespace) -> RunOptions:
    """Return the options that determine the output.

    Raises
    ------
    OutputError
        If options do not fit each other.
    """
    dtype = arguments.dtype
    if dtype is not None:
        try:
            parsed = np.dtype(dtype)
        except TypeError:
            raise OutputError(f"--dtype {dtype}: unknown type") from None
        if parsed.kind not in "iuf":
            raise OutputError(f"--dtype {dtype}: must be an integer or floating-point type")
        dtype = parsed.name
    if arguments.quantity is not None and not arguments.real_world:
        raise OutputError("--quantity needs --real-world")
    render = _render_request(arguments)
    if dtype is not None and (render is not None) and dtype not in _rendered_types(arguments.format):
        choices = " or ".join(_rendered_types(arguments.format))
        raise OutputError(f"--dtype {dtype}: rendered slices in {arguments.format} are {choices}")
    try:
        split = parse_split_options(arguments.split_by, arguments.merge)
    except ValueError as error:
        raise OutputError(str(error)) from None
    return RunOptions(
        format=arguments.format,
        rescale="real_world" if arguments.real_world else arguments.rescale,
        quantity=arguments.quantity,
        dtype=dtype,
        strict=arguments.strict,
        max_bytes=arguments.max_bytes,
        frames=arguments.frames or FrameSelection(),
        split=split,
        compressed=not arguments.uncompressed,
        render=render,
        quality=arguments.quality,
    )


def _render_request(arguments: argparse.Namespace) -> RenderRequest | None:
    """Return how slices are rendered; None if they are not."""
    is_picture = arguments.format in PICTURE_FORMATS
    if is_picture and arguments.real_world:
        raise OutputError(
            f"--real-world does not fit --format {arguments.format}, whose windows are in modality values"
        )
    if arguments.render and not is_picture and arguments.format not in ARRAY_FORMATS:
        raise OutputError(f"--render does not fit --format {arguments.format}")
    if arguments.max_size is not None and not is_picture:
        raise OutputError(f"--max-size needs a format of pictures: {', '.join(PICTURE_FORMATS)}")
    if not (is_picture or arguments.render):
        if arguments.window is not None or arguments.overlays:
            raise OutputError("--window and --overlays need --render, or a format of pictures")
        return None
    window = "first" if arguments.window is None else arguments.window
    if not is_picture and isinstance(window, tuple) and window[0] == "percentile":
        raise OutputError("--window LOW%,HIGH% needs all values of an array in memory: use CENTER,WIDTH or range")
    return RenderRequest(window, arguments.overlays, arguments.max_size)


def _rendered_types(format_name: str) -> tuple[str, ...]:
    """Return the types that rendered slices can have in a format."""
    if format_name in ARRAY_FORMATS:
        return "uint8", "uint16", "float32"
    return ("uint8",) if format_name in ("jpeg", "webp") else ("uint8", "uint16")
