"""Text of the pages: Pillow's built-in font, shortened to a width."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

__all__ = ["TextPainter", "plain_text"]

# Longer texts are cut before they are measured.
_MAX_CHARACTERS = 240
# Not a character (Unicode 23.7), so no font has a glyph for it.
_NONCHARACTER = "\uffff"
_ELLIPSIS = "…"


def plain_text(text: str) -> str:
    """Return `text` as one line of printable characters, at most 240 of them."""
    words = " ".join(text[: 4 * _MAX_CHARACTERS].split())
    valid = words.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(character if character.isprintable() else "?" for character in valid[:_MAX_CHARACTERS])


class TextPainter:
    """Draws lines of text in one size.

    Parameters
    ----------
    size : int
        Size of the font in pixels.

    Attributes
    ----------
    line_height : int
        Distance of two lines in pixels.
    """

    def __init__(self, size: int) -> None:
        self._font, self._is_scalable = _load_font(size)
        self.line_height = round(1.3 * size) if self._is_scalable else 14

    def draw(self, drawing: Any, position: tuple[int, int], text: str, width: int, colour: tuple[int, ...]) -> None:
        """Draw one line with its upper left corner at `position`, shortened to `width` pixels."""
        drawing.text(position, self.fitted(text, width), fill=colour, font=self._font)

    def width(self, text: str) -> int:
        """Return the width of a line in pixels."""
        return int(self._font.getlength(text)) + 1

    def fitted(self, text: str, width: int) -> str:
        """Return the longest start of `text` that fits into `width` pixels, with an ellipsis if it is not all."""
        text = plain_text(text)
        ellipsis = _ELLIPSIS
        if not self._is_scalable:
            # The bitmap font has the characters of ISO 8859-1.
            text, ellipsis = text.encode("latin-1", "replace").decode("latin-1"), "..."
        elif not text.isascii():
            text = "".join(map(self._drawable, text))
        if self.width(text) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.width(text[:middle] + ellipsis) <= width else (low, middle - 1)
        return text[:low].rstrip() + ellipsis if low else ""

    def _drawable(self, character: str) -> str:
        """Return a character, or its base letters if the scalable font has no glyph for it, else a question mark."""
        if character.isascii() or self._has_glyph(character):
            return character
        letters = [letter for letter in unicodedata.normalize("NFKD", character) if not unicodedata.combining(letter)]
        is_drawable = all(letter.isascii() or self._has_glyph(letter) for letter in letters)
        return "".join(letters) if is_drawable else "?"

    def _has_glyph(self, character: str) -> bool:
        return bytes(self._font.getmask(character)) != bytes(self._font.getmask(_NONCHARACTER))

    def wrapped(self, text: str, width: int, max_lines: int) -> list[str]:
        """Return `text` in lines of at most `width` pixels; the last one is shortened if there are more."""
        words = plain_text(text).split()
        lines: list[str] = []
        while words and len(lines) < max_lines - 1:
            count = 1
            while count < len(words) and self.width(" ".join(words[: count + 1])) <= width:
                count += 1
            lines.append(self.fitted(" ".join(words[:count]), width))
            words = words[count:]
        return [*lines, self.fitted(" ".join(words), width)] if words else lines


@lru_cache(maxsize=8)
def _load_font(size: int) -> tuple[Any, bool]:
    """Return Pillow's built-in font, and True if it is scalable, which needs FreeType."""
    from PIL import ImageFont, features

    if features.check("freetype2"):
        return ImageFont.load_default(size), True
    return ImageFont.load_default(), False
