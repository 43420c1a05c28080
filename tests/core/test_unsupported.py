"""Features that are not supported: errors and `capabilities` name them."""

from __future__ import annotations

import io
import zlib

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

import dicoxide
from dicoxide import FrameSpec, UnsupportedError
from dicoxide._backend import backend

JPIP = [f"1.2.840.10008.1.2.4.{number}" for number in (94, 95, 204, 205)]
# Transfer syntaxes that no decoder decodes, and the feature that their errors name.
FEATURES = {
    **{f"1.2.840.10008.1.2.4.{number}": "arithmetic coding" for number in (56, 58)},
    **{f"1.2.840.10008.1.2.4.{number}": "hierarchical JPEG" for number in range(59, 67)},
    **dict.fromkeys(JPIP, "pixel data on a JPIP server"),
    **{f"1.2.840.10008.1.2.7.{number}": "real-time stream of SMPTE ST 2110" for number in (1, 2, 3)},
}
# Features of transfer syntaxes that have a codec.
PARTIAL_FEATURES = {
    **{f"1.2.840.10008.1.2.4.{number}": "arithmetic coding" for number in (50, 51, 57, 70)},
    **{f"1.2.840.10008.1.2.4.{number}": "mapping tables" for number in (80, 81)},
    **{f"1.2.840.10008.1.2.4.{number}": "extensions of Part 2" for number in (90, 91, 92, 93)},
}

needs_extension = pytest.mark.skipif(backend != "rust", reason="features are those of the extension's codecs")


def jpip_file(uid: str) -> bytes:
    """Return a file with Pixel Data Provider URL, whose data set is deflated if `uid` requires it (PS3.5 A.6, A.7)."""
    ds = Dataset()
    ds.Rows = ds.Columns = 4
    ds.PixelDataProviderURL = "https://example.org/jpip?target=1"
    encoded, meta = io.BytesIO(), io.BytesIO()
    ds.save_as(encoded, implicit_vr=False, little_endian=True)
    file_meta = FileMetaDataset()
    file_meta.TransferSyntaxUID = UID(uid)
    write_file_meta_info(meta, file_meta, enforce_standard=False)
    data_set = encoded.getvalue()
    if uid in (JPIP[1], JPIP[3]):
        deflate = zlib.compressobj(wbits=-15)
        data_set = deflate.compress(data_set) + deflate.flush()
    return bytes(128) + b"DICM" + meta.getvalue() + data_set


@needs_extension
@pytest.mark.parametrize("uid", JPIP)
@pytest.mark.parametrize("fallback", [True, False])
def test_jpip_file_raises_unsupported_and_names_the_server(uid: str, fallback: bool) -> None:
    data = jpip_file(uid)
    for src in (data, io.BytesIO(data)):
        with pytest.raises(UnsupportedError, match=r"JPIP server \(Pixel Data Provider URL\)") as caught:
            dicoxide.decode(src, fallback=fallback)
        assert (caught.value.kind, caught.value.clause) == ("Unsupported", "PS3.5 A.6")
    [(_, error)] = dicoxide.decode_many([data], on_error="return")
    assert isinstance(error, UnsupportedError)


def test_jpip_dataset_raises_unsupported_and_names_the_server() -> None:
    ds = Dataset()
    ds.Rows = ds.Columns = 4
    ds.PixelDataProviderURL = "https://example.org/jpip?target=1"
    with pytest.raises(UnsupportedError, match=r"JPIP server \(Pixel Data Provider URL\)"):
        dicoxide.decode(ds)


@needs_extension
@pytest.mark.parametrize(("uid", "feature"), FEATURES.items())
def test_decode_frame_of_syntax_without_codec_names_the_feature(uid: str, feature: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"no codec for transfer syntax \w+ \({feature}\)"):
        dicoxide.decode_frame(b"", FrameSpec(uid, 4, 4))


@needs_extension
def test_capabilities_of_every_syntax_name_the_features_that_are_not_supported() -> None:
    found = dicoxide.capabilities()
    for uid, feature in FEATURES.items():
        assert found[uid][1:] == (None, f"not supported: {feature}")
    for uid, feature in PARTIAL_FEATURES.items():
        assert found[uid].decoder == "dicoxide"
        assert feature in found[uid].why
    assert {uid for uid, entry in found.items() if entry.why.startswith("not supported")} == set(FEATURES)


@needs_extension
def test_capabilities_name_the_plugins_that_may_decode_a_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, missing = "asked for arithmetic coding: pillow, pylibjpeg", "not supported: arithmetic coding"
    for plugins, expected in ((("pillow", "pylibjpeg"), asked), ((), missing)):
        monkeypatch.setattr("dicoxide._capabilities.available_plugins", lambda uid, plugins=plugins: plugins)
        why = dicoxide.capabilities()["1.2.840.10008.1.2.4.50"].why
        assert why == f"codec jpeg, backend rust; {expected}"
