"""Parts of the JPEG 2000 test encoder: values that T.800, T.814 and T.88 print."""

from __future__ import annotations

import numpy as np
import pytest

from support.encoders import jpeg2000
from support.encoders.jpeg2000_ht import BackwardBits, ForwardBits, MelEncoder
from support.encoders.jpeg2000_mq import Contexts, MqEncoder, StuffedBits
from support.encoders.jpeg2000_packets import TagTree
from support.encoders.jpeg2000_wavelet import analyse, synthesise


def test_arithmetic_encoder_returns_the_sequence_of_t_88() -> None:
    source = "00020051000000C0035287 2AAAAAAAAA82C02000FCD79EF6BF7FED904F46A3BF"
    bits = "".join(f"{byte:08b}" for byte in bytes.fromhex(source))
    contexts, encoder = Contexts(), MqEncoder()
    # Context 1 starts at index 0.
    encoder.encode([2 | int(bit) for bit in bits], contexts)
    assert encoder.flush().hex() == "84c73b fce1a1430402200000410dbb86f4317fff88ff37471adb6adf".replace(" ", "")


def test_packet_header_has_a_zero_bit_after_ff() -> None:
    bits = StuffedBits()
    bits.put(0x1FF, 9)
    assert bits.flush_header().hex() == "ff40"
    bits = StuffedBits()
    bits.put(0xFF, 8)
    assert bits.flush_header().hex() == "ff00"


def test_mel_code_adapts_its_run_length() -> None:
    mel = MelEncoder()
    for event in (0, 0, 0, 0, 0, 1, 1):
        mel.encode(event)
    # Three runs of one, one of two, and then an event after no other.
    assert f"{mel.finish()[0]:08b}" == "11110000"


def test_backward_bits_end_in_a_byte_of_seven_bits_after_a_high_byte() -> None:
    bits = BackwardBits(used=0)
    bits.put("1111111" + "0" * 8)
    assert bits.finish().hex() == "007f"


def test_forward_bits_have_a_zero_bit_after_ff() -> None:
    bits = ForwardBits()
    bits.put(0x1FF, 9)
    assert bits.finish_with_zeros().hex() == "ff01"


def test_example_of_t_800_j_10_has_the_printed_code_blocks() -> None:
    samples = np.array([[101, 103, 104, 105, 96, 97, 96, 102, 109]], np.uint8).T
    src = jpeg2000.encode(samples, levels=1, block_exponents=(5, 5))
    # The last byte of each code-block depends on the termination.
    data = src[src.index(b"\xff\x93") + 2 :]
    assert data[:8].hex() == "c7d40c018f0dc875"
    assert data[9:15].hex() == "c07c21800fb1"


def test_tag_tree_codes_the_example_of_t_800_b_10_2() -> None:
    values = [1, 3, 2, 3, 2, 3, 2, 2, 1, 4, 3, 2, 2, 2, 2, 2, 1, 2]
    tree = TagTree(6, 3, values)
    codes = []
    for leaf in range(3):
        bits = StuffedBits()
        bits.put(1)
        tree.encode(leaf, values[leaf] + 1, bits)
        codes.append(f"{bits.value:b}"[1:])
    assert codes == ["01111", "001", "101"]


@pytest.mark.parametrize("wavelet", ["5/3", "9/7"])
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 17])
def test_synthesis_inverts_analysis(size: int, start: int, wavelet: str) -> None:
    values = np.random.default_rng(size).integers(-99, 99, (size, 3))
    source = values if wavelet == "5/3" else values.astype(float)
    found = synthesise(*analyse(source, start, wavelet), start, wavelet)
    assert np.allclose(found, values, rtol=0, atol=0 if wavelet == "5/3" else 1e-9)
