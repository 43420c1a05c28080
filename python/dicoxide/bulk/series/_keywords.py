"""Keywords of the attributes that grouping and sorting read from each file."""

from __future__ import annotations

# Attributes read from each functional group sequence (PS3.3 C.7.6.16.2).
GROUP_KEYWORDS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameContentSequence": (
        *("StackID", "TemporalPositionIndex", "DimensionIndexValues", "FrameAcquisitionDateTime"),
        "FrameAcquisitionNumber",
    ),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRDiffusionSequence": ("DiffusionBValue", "DiffusionGradientDirectionSequence"),
    "MRArterialSpinLabelingSequence": ("ASLContext",),
    "CardiacSynchronizationSequence": ("NominalCardiacTriggerDelayTime",),
    "MRImageFrameTypeSequence": ("FrameType",),
    "CTImageFrameTypeSequence": ("FrameType",),
    "SegmentIdentificationSequence": ("ReferencedSegmentNumber",),
}

# Attributes read from the top level of the data set.
TOP_KEYWORDS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "InstanceNumber",
    "ImageType",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "TemporalPositionIdentifier",
    "EchoTime",
    "EchoNumbers",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "TriggerTime",
    "FrameReferenceTime",
    "AcquisitionNumber",
    "AcquisitionDate",
    "AcquisitionDateTime",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "RescaleSlope",
    "RescaleIntercept",
    "DoseGridScaling",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
)

# With one of these attributes, the top level alone does not describe each frame.
MULTI_FRAME_KEYWORDS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "GridFrameOffsetVector")

# Attributes from which the diffusion weighting of MR images with one frame is read, besides those of the top level.
DIFFUSION_KEYWORDS = ("Manufacturer", "SequenceName", "ImageComments", "InPlanePhaseEncodingDirection")

# All attributes read from a file.
HEADER_KEYWORDS = (
    *TOP_KEYWORDS,
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality", "SeriesDescription"),
    *("FrameOfReferenceUID", *MULTI_FRAME_KEYWORDS),
    *DIFFUSION_KEYWORDS,
    *("DetectorInformationSequence", "SliceVector", "TimeSlotVector", "TimeSliceVector"),
)
