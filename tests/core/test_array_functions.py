"""`unpack_bits`, `pack_bits` and `rescale` on arrays."""

from __future__ import annotations

import numpy as np
import pytest

import dicoxide
from support.small_series import RNG


class TestBits:
    def test_unpack_bits_at_any_offset_inverts_pack_bits(self) -> None:
        bits = RNG.integers(0, 2, 1003, dtype=np.uint8)
        packed = dicoxide.pack_bits(bits)
        assert np.array_equal(packed, np.packbits(bits, bitorder="little"))
        for offset in (0, 1, 7, 8, 13, 1003):
            expected = bits[offset:]
            assert np.array_equal(dicoxide.unpack_bits(packed, 1003 - offset, offset), expected)
        assert dicoxide.unpack_bits(packed).size == 1008
        out = np.empty((17, 59), np.uint8)
        assert dicoxide.unpack_bits(packed.tobytes(), out=out) is out
        assert np.array_equal(out.reshape(-1), bits)
        assert np.array_equal(dicoxide.pack_bits(out.astype(bool)), packed)
        assert np.array_equal(dicoxide.pack_bits(out * 3.5), packed)

    def test_bit_functions_with_wrong_sizes_raise(self) -> None:
        with pytest.raises(dicoxide.TruncatedFrameError):
            dicoxide.unpack_bits(b"\xff", 9)
        with pytest.raises(ValueError, match="offset_bits"):
            dicoxide.unpack_bits(b"\xff", 1, -1)
        with pytest.raises(ValueError, match="out must (be|have)"):
            dicoxide.unpack_bits(b"\xff", 8, out=np.empty(7, np.uint8))
        with pytest.raises(ValueError, match="out must (be|have)"):
            dicoxide.pack_bits([1, 0], out=np.empty(2, np.uint8))


class TestRescaleFunction:
    @pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", ">i2", ">f4"])
    def test_rescale_accepts_every_dtype(self, dtype: str) -> None:
        values = np.array([[0, 1, 100]], dtype)
        expected = values.astype(np.float64) * 1.5 + -3
        for requested in ("float32", "float64"):
            result = dicoxide.rescale(values, 1.5, -3, requested)
            assert result.dtype == requested
            assert np.array_equal(result, expected.astype(requested))
        assert np.array_equal(dicoxide.rescale(values[:, ::-1], 2, 1, "int64"), [[201, 3, 1]])

    def test_rescale_of_64_bit_integers_is_exact_or_raises(self) -> None:
        values = np.array([2**62 + 1, -(2**62) - 1])
        assert dicoxide.rescale(values, 1, 1, "int64").tolist() == [2**62 + 2, -(2**62)]
        with pytest.raises(ValueError, match="sample 0 is not exact"):
            dicoxide.rescale(values, 2, 0, "int64")

    def test_rescale_with_unsupported_dtypes_raises_value_error(self) -> None:
        with pytest.raises(ValueError, match="float16"):
            dicoxide.rescale(np.zeros(2), 1, 0, "float16")
        with pytest.raises(ValueError, match="cannot be rescaled"):
            dicoxide.rescale(np.zeros(2, np.complex64), 1, 0)
        with pytest.raises(ValueError, match="out has dtype"):
            dicoxide.rescale(np.zeros(2), 1, 0, "float32", out=np.empty(2))
