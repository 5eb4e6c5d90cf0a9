"""Text on a picture: Pillow's own font, and a font of the system for letters that it lacks.

Pillow's font has Latin letters. Other scripts are drawn with the first of a few common fonts that has all letters of a
text; without one, letters are written as escapes, so that nothing is shown as an empty box.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from recordkit.errors import printable

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

# Names by which Pillow finds a font in the folders of Linux, macOS and Windows.
_FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc", "Arial Unicode.ttf",
    "msyh.ttc", "segoeui.ttf",
)  # fmt: skip
_ELLIPSIS = "..."
_MAX_TEXT = 1000  # no line is as long, and a class name may have megabytes
_NO_LETTER = "\U0010fffe"  # no font has it, so its picture is that of a missing letter


class Letters:
    """Draws and measures text of one size.

    Parameters
    ----------
    size : int
        Height of the letters, in pixels.
    """

    def __init__(self, size: int) -> None:
        self._size = size

    def fit(self, text: str, width: int) -> tuple[str, FreeTypeFont | ImageFont]:
        """Return a text that is no wider than some pixels, and the font to draw it with.

        Control characters are escaped, and the end of a long text becomes dots.

        Examples
        --------
        >>> letters = Letters(12)
        >>> letters.fit("cat", 100)[0], len(letters.fit("cat" * 50, 100)[0]) < 30
        ('cat', True)
        """
        text = printable(text[:_MAX_TEXT])
        font = self._font(text)
        if font is None:
            text = text.encode("ascii", "backslashreplace").decode()
            font = _default_font(self._size)
        if font.getlength(text) <= width:
            return text, font
        low, high = 0, len(text)
        while low < high:  # the longest beginning that fits
            middle = (low + high + 1) // 2
            if font.getlength(text[:middle] + _ELLIPSIS) <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low] + _ELLIPSIS, font

    def _font(self, text: str) -> FreeTypeFont | ImageFont | None:
        fonts = (_default_font(self._size), *(_system_font(name, self._size) for name in _FONTS))
        if text.isascii():
            return fonts[0]
        return next((font for font in fonts if font is not None and _has_letters(font, text)), None)


@cache
def _default_font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


@cache
def _system_font(name: str, size: int) -> FreeTypeFont | None:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(name, size)
    except OSError:  # there is no such font
        return None


def _has_letters(font: FreeTypeFont | ImageFont, text: str) -> bool:
    try:
        missing = bytes(font.getmask(_NO_LETTER))
        return all(bytes(font.getmask(letter)) != missing for letter in set(text) if not letter.isspace())
    except UnicodeError:  # Pillow's font without FreeType has Latin-1 only
        return False
