"""Comparison of a codestream that a fallback decoder gets with the data set.

Fallback decoders do not report contradictions, and some return samples of another depth without an error. The rules are
those of ``rust/core/src/codec/agreement.rs``.
"""

from __future__ import annotations

from typing import NamedTuple

from dicoxide._deviations import Deviation
from dicoxide._fallback_decoders.codestream_header import (
    HP_TRANSFORM,
    HTJ2K,
    JPEG_2000,
    JPEG_LS,
    CodestreamHeader,
    read_header,
    with_untransformed_components,
)
from dicoxide._frame import FrameSpec
from dicoxide.errors import CorruptFrameError

_CLAUSE = "PS3.5 8.2.1"
_JPEG_2000_CLAUSE = "PS3.5 8.2.4"
# Processes of each transfer syntax (PS3.5 A.4), by the UID after 1.2.840.10008.1.2.4. A decoder of JPEG
# Extended decodes JPEG Baseline. Others are not compared.
_PROCESSES_OF_SYNTAX = {
    "50": {"JPEG Baseline"},
    "51": {"JPEG Baseline", "JPEG Extended"},
    "53": {"JPEG Progressive"},
    "55": {"JPEG Progressive"},
    "57": {"JPEG Lossless"},
    "70": {"JPEG Lossless"},
    "80": {JPEG_LS},
    "81": {JPEG_LS},
    **{number: {JPEG_2000} for number in ("90", "91", "92", "93")},
    **{number: {HTJ2K} for number in ("201", "202", "203")},
}
_YBR_FULL = ("YBR_FULL", "YBR_FULL_422")
_NOT_INVERTING_HP_TRANSFORMS = frozenset({"pylibjpeg"})
_LOSSLESS_SYNTAXES = frozenset({"57", "70", "80", "90", "92", "201", "202"})


class Agreement(NamedTuple):
    """Result of comparing a codestream with the data set."""

    codestream: bytes
    """The codestream, changed so that no decoder converts colour as a codestream of the JPEG family declares it."""
    photometric_interpretation: str
    """Colour of the samples that a decoder of the codestream returns."""
    deviations: list[Deviation]
    """Contradictions that do not prevent decoding."""
    excluded_plugins: frozenset[str] = frozenset()
    """Plugins that return wrong samples for the codestream without an error."""

    @property
    def is_ybr(self) -> bool:
        """True if the decoder's samples are to be converted to RGB."""
        return self.photometric_interpretation in _YBR_FULL


def compare(codestream: bytes, spec: FrameSpec, frame_index: int, *, to_rgb: bool = True) -> Agreement:
    """Compare a codestream with the data set. Colour matters only if it is converted (`to_rgb`).

    A header that is corrupt or of an unknown format is not compared: the decoder reports its error.

    Raises
    ------
    CorruptFrameError
        With kind ``"Mismatch"``, if the number of components differs or the precision exceeds Bits Allocated.
    """
    declared_colour = spec.photometric_interpretation
    header = read_header(codestream)
    if header is None:
        return Agreement(codestream, declared_colour, [])
    for name, found, attribute, declared, is_mismatch in (
        ("components", header.components, "samples per pixel", spec.samples_per_pixel, int.__ne__),
        ("precision", header.precision, "bits allocated", spec.bits_allocated, int.__gt__),
    ):
        if is_mismatch(found, declared):
            raise CorruptFrameError(
                f"{name} {found} found in the codestream, {attribute} {declared} in the data set ({_CLAUSE})",
                kind="Mismatch",
                clause=_CLAUSE,
                transfer_syntax=spec.transfer_syntax,
                frame_index=frame_index,
            )
    problems: list[tuple[str, str]] = []
    syntax = spec.transfer_syntax.removeprefix("1.2.840.10008.1.2.4.")
    if header.process not in _PROCESSES_OF_SYNTAX.get(syntax, {header.process}):
        text = f"{header.process} codestream found, another process than that of transfer syntax {spec.transfer_syntax}"
        problems.append((text, "PS3.5 A.4"))
    elif header.is_lossy and syntax in _LOSSLESS_SYNTAXES:
        text = f"lossy {header.process} codestream found, lossless transfer syntax {spec.transfer_syntax}"
        problems.append((text, "PS3.5 A.4"))
    colour, colour_problems = _compare_colour(header, declared_colour)
    problems += colour_problems if to_rgb else []
    bits_stored = spec.bits_allocated if spec.bits_stored is None else spec.bits_stored
    if problem := precision_problem(header.precision, bits_stored):
        problems.append(problem)
    if header.is_signed is not None and header.is_signed != (spec.pixel_representation == 1):
        signedness = "signed" if header.is_signed else "unsigned"
        text = f"{signedness} samples found in the codestream, pixel representation {spec.pixel_representation}"
        problems.append((f"{text} in the data set", _CLAUSE))
    return Agreement(
        with_untransformed_components(codestream, header),
        colour,
        [Deviation(frame_index, text, clause, None) for text, clause in problems],
        _NOT_INVERTING_HP_TRANSFORMS if _has_hp_transform(header) else frozenset(),
    )


def precision_problem(precision: int, bits_stored: int) -> tuple[str, str] | None:
    """Return message and clause of the deviation of a codestream with more bits than Bits Stored, or None."""
    if precision <= bits_stored:
        return None
    return f"precision {precision} found in the codestream, bits stored {bits_stored} in the data set", _CLAUSE


def _compare_colour(header: CodestreamHeader, declared: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the colour of the decoder's samples, and the contradictions to Photometric Interpretation `declared`."""
    if header.components != 3:
        return declared, []
    if header.is_signed is not None:
        return _compare_component_transform(header, declared)
    problems = []
    if _has_hp_transform(header):
        problems.append((f"{HP_TRANSFORM} found in the codestream, which T.87 does not define", "PS3.5 8.2.3"))
    for claim in header.colours:
        if declared == "RGB" if claim.colour == "YBR" else declared in _YBR_FULL:
            text = f"{claim.evidence} found in the codestream, photometric interpretation {declared} in the data set"
            return "RGB" if claim.colour == "RGB" else "YBR_FULL", [*problems, (text, _CLAUSE)]
    return declared, problems


def _compare_component_transform(header: CodestreamHeader, declared: str) -> tuple[str, list[tuple[str, str]]]:
    """Compare the multiple component transform of JPEG 2000, after whose inverse samples are RGB (PS3.5 8.2.4)."""
    is_transform_declared = declared in ("YBR_RCT", "YBR_ICT")
    if header.has_component_transform:
        expected = "YBR_ICT" if header.is_lossy else "YBR_RCT"
        found = f"{'irreversible' if header.is_lossy else 'reversible'} multiple component transform"
        # Converting once more would be wrong.
        colour = "RGB" if declared.startswith("YBR_") and not is_transform_declared else declared
        is_contradicting = declared != expected
    else:
        found = "no multiple component transform"
        # The components are returned as they are.
        colour = declared
        is_contradicting = is_transform_declared
    text = f"{found} found in the codestream, photometric interpretation {declared} in the data set"
    return colour, [(text, _JPEG_2000_CLAUSE)] if is_contradicting else []


def _has_hp_transform(header: CodestreamHeader) -> bool:
    return any(claim.evidence == HP_TRANSFORM for claim in header.colours)
