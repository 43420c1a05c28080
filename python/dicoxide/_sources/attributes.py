"""The attributes that decoding, sorting and measuring of images need, as a read-only mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

from dicoxide.errors import CorruptFrameError

__all__ = ["SEQUENCES", "Attributes", "Elements", "wrong_vr_error"]

# Elements (gggg,0010) to (gggg,00FF) of odd groups hold private creators (PS3.5 7.8.1).
_FIRST_PRIVATE_BLOCK = 0x10


def wrong_vr_error(tag: int, vr: str) -> CorruptFrameError:
    """Return the error of an element that is a sequence and should not be, or the reverse; `vr` is the expected VR."""
    clause = "PS3.6"
    text = f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) has another VR, {vr} expected ({clause})"
    return CorruptFrameError(text, kind="Mismatch", clause=clause)


class Elements(Protocol):
    """The elements of one data set or sequence item, read by the extension or by pydicom."""

    def value(self, tag: int, vr: str) -> Any:
        """Return the value of an element; raise KeyError if the element is absent.

        Numbers are int or float, text is str, several values are a list, the items of a sequence a list of `Elements`.
        An empty element is None if its values are numbers or bytes, else ``""``. `vr` is the VR in the data dictionary.
        """

    def vr(self, tag: int) -> str | None:
        """Return the VR that the file or data set declares for an element; None if there is none."""

    def read_common(self, wanted: Sequence[tuple[str, int, str]]) -> tuple[dict[str, Any], list[str]]:
        """Read the elements of `wanted`, given as (keyword, tag, VR), that have a frequent, simple VR.

        The first result maps keywords to values. The second one has the keywords of the elements that are present but
        were not converted; read them with :meth:`value`.
        """

    def tags(self) -> Iterator[int]:
        """Return the tags of all elements, in any order."""


class Attributes(Mapping[str, Any]):
    """Attributes of a data set or sequence item: a mapping from keyword to value, in the order of the tags.

    Values are plain Python objects equal to pydicom's: int, float, str or bytes, a list of these for several values,
    and a list of `Attributes` for a sequence. The value of an empty attribute is None if its values are numbers or
    bytes, else ``""``.

    Only the attributes that decoding, sorting and measuring need are available; :meth:`dicoxide.Image.to_pydicom`
    returns all.
    """

    __slots__ = ("_blocks", "_elements")

    def __init__(self, elements: Elements) -> None:
        self._elements = elements
        # Numbers of the private blocks, by group and creator.
        self._blocks: dict[int, dict[str, int]] = {}

    def __getitem__(self, keyword: str) -> Any:
        tag, vr = _DICTIONARY[keyword]
        try:
            value = self._elements.value(tag, vr)
        except KeyError:
            raise KeyError(keyword) from None
        return [Attributes(item) for item in value] if vr == "SQ" else value

    def get_many(self, keywords: Iterable[str], corrupt: dict[str, CorruptFrameError] | None = None) -> dict[str, Any]:
        """Return the values of several attributes; faster than one access for each.

        Parameters
        ----------
        keywords : iterable of str
            Keywords of PS3.6.
        corrupt : dict, optional
            Receives the errors of corrupt attributes by keyword.

        Returns
        -------
        dict
            Values by keyword. Absent and corrupt attributes are left out.
        """
        values, unread = self._elements.read_common(_with_tags(tuple(keywords)))
        for keyword in unread:
            try:
                values[keyword] = self[keyword]
            except CorruptFrameError as error:
                if corrupt is not None:
                    corrupt[keyword] = error
        return values

    def element(self, tag: int, vr: str) -> Any:
        """Return the value of an element by tag, or None if it is absent or cannot be parsed; for repeating groups."""
        try:
            return self._elements.value(tag, vr)
        except (KeyError, CorruptFrameError):
            return None

    def vr(self, tag: int) -> str | None:
        """Return the declared VR of an element, or None if it is absent or the VR is implicit."""
        return self._elements.vr(tag)

    def tags(self) -> Iterator[int]:
        """Return the tags of all elements, in any order."""
        return self._elements.tags()

    def private(self, creator: str, tag: int, vr: str) -> Any:
        """Return the value of a private element, or None if it is absent or cannot be parsed.

        Parameters
        ----------
        creator : str
            Private creator, which reserves a block of elements of the group (PS3.5 7.8.1).
        tag : int
            Tag, with the element's number in the block as its last two digits: ``0x0019000A`` for (0019,xx0A).
        vr : str
            VR, for files with implicit VR or VR UN.
        """
        try:
            block = self._private_blocks(tag >> 16).get(creator)
            value = None if block is None else self._elements.value(tag | block << 8, vr)
        except (KeyError, CorruptFrameError):
            return None
        return [Attributes(item) for item in value or ()] if vr == "SQ" else value

    def get_private(self, creator: str, elements: Iterable[tuple[int, str]]) -> list[Any]:
        """Return the values of several private elements of one group; faster than one access for each.

        Parameters
        ----------
        creator : str
            Private creator.
        elements : iterable of (int, str)
            Tag and VR of each, as for :meth:`private`; no sequences.

        Returns
        -------
        list
            Values in the order of `elements`; None for those that are absent or corrupt.
        """
        elements = tuple(elements)
        # Most creators reserve the first block of their group, which needs no search.
        values, unread = self._elements.read_common(_in_first_block(elements))
        if "" in unread or str(values.get("", "")).strip() != creator:
            return [self.private(creator, tag, vr) for tag, vr in elements]
        names = (str(index) for index in range(len(elements)))
        return [
            self.private(creator, *element) if name in unread else values.get(name)
            for name, element in zip(names, elements, strict=True)
        ]

    def _private_blocks(self, group: int) -> dict[str, int]:
        """Return the number of each reserved block of a group, by private creator."""
        blocks = self._blocks.get(group)
        if blocks is None:
            blocks = self._blocks[group] = {}
            for tag in self._elements.tags():
                if tag >> 8 == group << 8 and tag & 0xFF >= _FIRST_PRIVATE_BLOCK:
                    with suppress(CorruptFrameError):
                        blocks.setdefault(str(self._elements.value(tag, "LO")).strip(), tag & 0xFF)
        return blocks

    def __contains__(self, keyword: object) -> bool:
        entry = _DICTIONARY.get(keyword)  # type: ignore[call-overload]
        return entry is not None and entry[0] in set(self._elements.tags())

    def __iter__(self) -> Iterator[str]:
        tags = set(self._elements.tags())
        return (keyword for keyword, (tag, _) in _DICTIONARY.items() if tag in tags)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Attributes({dict(self)!r})"


@lru_cache(64)
def _with_tags(keywords: tuple[str, ...]) -> list[tuple[str, int, str]]:
    """Return (keyword, tag, VR) of each; cached, as callers pass the same keywords for every file."""
    return [(keyword, *_DICTIONARY[keyword]) for keyword in keywords]


@lru_cache(64)
def _in_first_block(elements: tuple[tuple[int, str], ...]) -> list[tuple[str, int, str]]:
    """Return (index, tag, VR) of private elements in the first block of their group, and of its creator as ``""``."""
    creator = elements[0][0] & 0xFFFF0000 | _FIRST_PRIVATE_BLOCK
    named = ((str(index), tag | _FIRST_PRIVATE_BLOCK << 8, vr) for index, (tag, vr) in enumerate(elements))
    return [("", creator, "LO"), *named]


# Tag and value representation of PS3.6 by keyword, in the order of tags.
_DICTIONARY: dict[str, tuple[int, str]] = {
    "SpecificCharacterSet": (0x00080005, "CS"),
    "ImageType": (0x00080008, "CS"),
    "InstanceCreationDate": (0x00080012, "DA"),
    "InstanceCreationTime": (0x00080013, "TM"),
    "SOPClassUID": (0x00080016, "UI"),
    "AcquisitionUID": (0x00080017, "UI"),
    "SOPInstanceUID": (0x00080018, "UI"),
    "StudyDate": (0x00080020, "DA"),
    "SeriesDate": (0x00080021, "DA"),
    "AcquisitionDate": (0x00080022, "DA"),
    "ContentDate": (0x00080023, "DA"),
    "AcquisitionDateTime": (0x0008002A, "DT"),
    "StudyTime": (0x00080030, "TM"),
    "SeriesTime": (0x00080031, "TM"),
    "AcquisitionTime": (0x00080032, "TM"),
    "ContentTime": (0x00080033, "TM"),
    "AccessionNumber": (0x00080050, "SH"),
    "Modality": (0x00080060, "CS"),
    "Manufacturer": (0x00080070, "LO"),
    "InstitutionName": (0x00080080, "LO"),
    "CodeValue": (0x00080100, "SH"),
    "CodingSchemeDesignator": (0x00080102, "SH"),
    "CodeMeaning": (0x00080104, "LO"),
    "LongCodeValue": (0x00080119, "UC"),
    "URNCodeValue": (0x00080120, "UR"),
    "StationName": (0x00081010, "SH"),
    "StudyDescription": (0x00081030, "LO"),
    "SeriesDescription": (0x0008103E, "LO"),
    "ManufacturerModelName": (0x00081090, "LO"),
    "IrradiationEventUID": (0x00083010, "UI"),
    "FrameType": (0x00089007, "CS"),
    "PixelPresentation": (0x00089205, "CS"),
    "VolumetricProperties": (0x00089206, "CS"),
    "ComplexImageComponent": (0x00089208, "CS"),
    "AcquisitionContrast": (0x00089209, "CS"),
    "PatientName": (0x00100010, "PN"),
    "PatientID": (0x00100020, "LO"),
    "PatientBirthDate": (0x00100030, "DA"),
    "PatientSex": (0x00100040, "CS"),
    "PatientAge": (0x00101010, "AS"),
    "PatientWeight": (0x00101030, "DS"),
    "ContrastBolusAgent": (0x00180010, "LO"),
    "BodyPartExamined": (0x00180015, "CS"),
    "ScanningSequence": (0x00180020, "CS"),
    "SequenceVariant": (0x00180021, "CS"),
    "ScanOptions": (0x00180022, "CS"),
    "MRAcquisitionType": (0x00180023, "CS"),
    "SequenceName": (0x00180024, "SH"),
    "SliceThickness": (0x00180050, "DS"),
    "KVP": (0x00180060, "DS"),
    "RepetitionTime": (0x00180080, "DS"),
    "EchoTime": (0x00180081, "DS"),
    "InversionTime": (0x00180082, "DS"),
    "NumberOfAverages": (0x00180083, "DS"),
    "ImagingFrequency": (0x00180084, "DS"),
    "EchoNumbers": (0x00180086, "IS"),
    "MagneticFieldStrength": (0x00180087, "DS"),
    "SpacingBetweenSlices": (0x00180088, "DS"),
    "NumberOfPhaseEncodingSteps": (0x00180089, "IS"),
    "EchoTrainLength": (0x00180091, "IS"),
    "PercentSampling": (0x00180093, "DS"),
    "PercentPhaseFieldOfView": (0x00180094, "DS"),
    "PixelBandwidth": (0x00180095, "DS"),
    "DeviceSerialNumber": (0x00181000, "LO"),
    "SoftwareVersions": (0x00181020, "LO"),
    "ProtocolName": (0x00181030, "LO"),
    "TriggerTime": (0x00181060, "DS"),
    "NominalInterval": (0x00181062, "IS"),
    "FrameTime": (0x00181063, "DS"),
    "FrameTimeVector": (0x00181065, "DS"),
    "CardiacNumberOfImages": (0x00181090, "IS"),
    "ReconstructionDiameter": (0x00181100, "DS"),
    "GantryDetectorTilt": (0x00181120, "DS"),
    "TableHeight": (0x00181130, "DS"),
    "ExposureTime": (0x00181150, "IS"),
    "XRayTubeCurrent": (0x00181151, "IS"),
    "Exposure": (0x00181152, "IS"),
    "FilterType": (0x00181160, "SH"),
    "ImagerPixelSpacing": (0x00181164, "DS"),
    "ConvolutionKernel": (0x00181210, "SH"),
    "ActualFrameDuration": (0x00181242, "IS"),
    "InPlanePhaseEncodingDirection": (0x00181312, "CS"),
    "FlipAngle": (0x00181314, "DS"),
    "SAR": (0x00181316, "DS"),
    "PatientPosition": (0x00185100, "CS"),
    "PulseSequenceName": (0x00189005, "SH"),
    "MRImagingModifierSequence": (0x00189006, "SQ"),
    "RectilinearPhaseEncodeReordering": (0x00189034, "CS"),
    "FrameAcquisitionDateTime": (0x00189074, "DT"),
    "DiffusionDirectionality": (0x00189075, "CS"),
    "DiffusionGradientDirectionSequence": (0x00189076, "SQ"),
    "InversionTimes": (0x00189079, "FD"),
    "EffectiveEchoTime": (0x00189082, "FD"),
    "DiffusionBValue": (0x00189087, "FD"),
    "DiffusionGradientOrientation": (0x00189089, "FD"),
    "TransmitterFrequency": (0x00189098, "FD"),
    "MRTimingAndRelatedParametersSequence": (0x00189112, "SQ"),
    "MREchoSequence": (0x00189114, "SQ"),
    "MRModifierSequence": (0x00189115, "SQ"),
    "MRDiffusionSequence": (0x00189117, "SQ"),
    "CardiacSynchronizationSequence": (0x00189118, "SQ"),
    "MRAveragesSequence": (0x00189119, "SQ"),
    "MRFOVGeometrySequence": (0x00189125, "SQ"),
    "FrameReferenceDateTime": (0x00189151, "DT"),
    "FrameAcquisitionDuration": (0x00189220, "FD"),
    "MRImageFrameTypeSequence": (0x00189226, "SQ"),
    "MRArterialSpinLabelingSequence": (0x00189251, "SQ"),
    "ASLContext": (0x00189257, "CS"),
    "CTImageFrameTypeSequence": (0x00189329, "SQ"),
    "StudyInstanceUID": (0x0020000D, "UI"),
    "SeriesInstanceUID": (0x0020000E, "UI"),
    "StudyID": (0x00200010, "SH"),
    "SeriesNumber": (0x00200011, "IS"),
    "AcquisitionNumber": (0x00200012, "IS"),
    "InstanceNumber": (0x00200013, "IS"),
    "ImagePositionPatient": (0x00200032, "DS"),
    "ImageOrientationPatient": (0x00200037, "DS"),
    "FrameOfReferenceUID": (0x00200052, "UI"),
    "TemporalPositionIdentifier": (0x00200100, "IS"),
    "NumberOfTemporalPositions": (0x00200105, "IS"),
    "PositionReferenceIndicator": (0x00201040, "LO"),
    "SliceLocation": (0x00201041, "DS"),
    "ImageComments": (0x00204000, "LT"),
    "StackID": (0x00209056, "SH"),
    "InStackPositionNumber": (0x00209057, "UL"),
    "FrameContentSequence": (0x00209111, "SQ"),
    "PlanePositionSequence": (0x00209113, "SQ"),
    "PlaneOrientationSequence": (0x00209116, "SQ"),
    "TemporalPositionIndex": (0x00209128, "UL"),
    "NominalCardiacTriggerDelayTime": (0x00209153, "FD"),
    "FrameAcquisitionNumber": (0x00209156, "US"),
    "DimensionIndexValues": (0x00209157, "UL"),
    "DimensionIndexPointer": (0x00209165, "AT"),
    "FunctionalGroupPointer": (0x00209167, "AT"),
    "DimensionIndexSequence": (0x00209222, "SQ"),
    "TemporalPositionSequence": (0x00209310, "SQ"),
    "FrameLabel": (0x00209453, "LO"),
    "SamplesPerPixel": (0x00280002, "US"),
    "PhotometricInterpretation": (0x00280004, "CS"),
    "PlanarConfiguration": (0x00280006, "US"),
    "NumberOfFrames": (0x00280008, "IS"),
    "FrameIncrementPointer": (0x00280009, "AT"),
    "Rows": (0x00280010, "US"),
    "Columns": (0x00280011, "US"),
    "PixelSpacing": (0x00280030, "DS"),
    "PixelAspectRatio": (0x00280034, "IS"),
    "BitsAllocated": (0x00280100, "US"),
    "BitsStored": (0x00280101, "US"),
    "HighBit": (0x00280102, "US"),
    "PixelRepresentation": (0x00280103, "US"),
    "SmallestImagePixelValue": (0x00280106, "US or SS"),
    "LargestImagePixelValue": (0x00280107, "US or SS"),
    "PixelPaddingValue": (0x00280120, "US or SS"),
    "PixelPaddingRangeLimit": (0x00280121, "US or SS"),
    "FloatPixelPaddingValue": (0x00280122, "FL"),
    "DoubleFloatPixelPaddingValue": (0x00280123, "FD"),
    "FloatPixelPaddingRangeLimit": (0x00280124, "FL"),
    "DoubleFloatPixelPaddingRangeLimit": (0x00280125, "FD"),
    "BurnedInAnnotation": (0x00280301, "CS"),
    "WindowCenter": (0x00281050, "DS"),
    "WindowWidth": (0x00281051, "DS"),
    "RescaleIntercept": (0x00281052, "DS"),
    "RescaleSlope": (0x00281053, "DS"),
    "RescaleType": (0x00281054, "LO"),
    "WindowCenterWidthExplanation": (0x00281055, "LO"),
    "VOILUTFunction": (0x00281056, "CS"),
    "RedPaletteColorLookupTableDescriptor": (0x00281101, "US or SS"),
    "GreenPaletteColorLookupTableDescriptor": (0x00281102, "US or SS"),
    "BluePaletteColorLookupTableDescriptor": (0x00281103, "US or SS"),
    "RedPaletteColorLookupTableData": (0x00281201, "OW"),
    "GreenPaletteColorLookupTableData": (0x00281202, "OW"),
    "BluePaletteColorLookupTableData": (0x00281203, "OW"),
    "SegmentedRedPaletteColorLookupTableData": (0x00281221, "OW"),
    "SegmentedGreenPaletteColorLookupTableData": (0x00281222, "OW"),
    "SegmentedBluePaletteColorLookupTableData": (0x00281223, "OW"),
    "ICCProfile": (0x00282000, "OB"),
    "LossyImageCompression": (0x00282110, "CS"),
    "ModalityLUTSequence": (0x00283000, "SQ"),
    "LUTDescriptor": (0x00283002, "US or SS"),
    "LUTExplanation": (0x00283003, "LO"),
    "ModalityLUTType": (0x00283004, "LO"),
    "LUTData": (0x00283006, "US or OW"),
    "VOILUTSequence": (0x00283010, "SQ"),
    "PixelMeasuresSequence": (0x00289110, "SQ"),
    "FrameVOILUTSequence": (0x00289132, "SQ"),
    "PixelValueTransformationSequence": (0x00289145, "SQ"),
    "XOffsetInSlideCoordinateSystem": (0x0040072A, "DS"),
    "YOffsetInSlideCoordinateSystem": (0x0040073A, "DS"),
    "ZOffsetInSlideCoordinateSystem": (0x0040074A, "DS"),
    "MeasurementUnitsCodeSequence": (0x004008EA, "SQ"),
    "RealWorldValueMappingSequence": (0x00409096, "SQ"),
    "LUTLabel": (0x00409210, "SH"),
    "RealWorldValueLastValueMapped": (0x00409211, "US or SS"),
    "RealWorldValueLUTData": (0x00409212, "FD"),
    "DoubleFloatRealWorldValueLastValueMapped": (0x00409213, "FD"),
    "DoubleFloatRealWorldValueFirstValueMapped": (0x00409214, "FD"),
    "RealWorldValueFirstValueMapped": (0x00409216, "US or SS"),
    "QuantityDefinitionSequence": (0x00409220, "SQ"),
    "RealWorldValueIntercept": (0x00409224, "FD"),
    "RealWorldValueSlope": (0x00409225, "FD"),
    "ConceptNameCodeSequence": (0x0040A043, "SQ"),
    "ConceptCodeSequence": (0x0040A168, "SQ"),
    "TotalPixelMatrixColumns": (0x00480006, "UL"),
    "TotalPixelMatrixRows": (0x00480007, "UL"),
    "OpticalPathSequence": (0x00480105, "SQ"),
    "PlanePositionSlideSequence": (0x0048021A, "SQ"),
    "ColumnPositionInTotalImagePixelMatrix": (0x0048021E, "SL"),
    "RowPositionInTotalImagePixelMatrix": (0x0048021F, "SL"),
    "DetectorInformationSequence": (0x00540022, "SQ"),
    "TimeSlotVector": (0x00540070, "US"),
    "SliceVector": (0x00540080, "US"),
    "NumberOfSlices": (0x00540081, "US"),
    "TimeSliceVector": (0x00540100, "US"),
    "NumberOfTimeSlices": (0x00540101, "US"),
    "Units": (0x00541001, "CS"),
    "DecayCorrection": (0x00541102, "CS"),
    "FrameReferenceTime": (0x00541300, "DS"),
    "ImageIndex": (0x00541330, "US"),
    "SegmentationType": (0x00620001, "CS"),
    "SegmentSequence": (0x00620002, "SQ"),
    "SegmentNumber": (0x00620004, "US"),
    "SegmentIdentificationSequence": (0x0062000A, "SQ"),
    "ReferencedSegmentNumber": (0x0062000B, "US"),
    "RecommendedDisplayCIELabValue": (0x0062000D, "US"),
    "MaximumFractionalValue": (0x0062000E, "US"),
    "PresentationLUTShape": (0x20500020, "CS"),
    "DoseUnits": (0x30040002, "CS"),
    "GridFrameOffsetVector": (0x3004000C, "DS"),
    "DoseGridScaling": (0x3004000E, "DS"),
    "SharedFunctionalGroupsSequence": (0x52009229, "SQ"),
    "PerFrameFunctionalGroupsSequence": (0x52009230, "SQ"),
}

KEYWORDS = tuple(_DICTIONARY)
SEQUENCES = frozenset(keyword for keyword, (_, vr) in _DICTIONARY.items() if vr == "SQ")
