"""Text of contact sheets: characters that Pillow's built-in font has."""

from __future__ import annotations

import pytest

from dicoxide.bulk.sheets._text import TextPainter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CT 5 mm, axial", "CT 5 mm, axial"),
        ("a…b", "a…b"),
        ("e\u0301x", "ex"),
        ("Wirbels\u00e4ule", "Wirbelsaule"),
        ("\u982d, \uffff", "?, ?"),
    ],
    ids=["ascii", "ellipsis", "combining", "umlaut", "no glyph"],
)
def test_text_without_glyphs_has_base_letters_or_question_marks(text: str, expected: str) -> None:
    painter = TextPainter(14)
    if not painter._is_scalable or (painter._has_glyph("\u00e4") and "\u00e4" in text):
        pytest.skip("this Pillow has another font")
    assert painter.fitted(text, 500) == expected
