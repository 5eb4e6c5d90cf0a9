"""A contact sheet: thumbnails in rows, each with class, label and key."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from recordkit.errors import PlanError
from recordkit.sample import MAX_PIXELS
from recordkit.sample import Image as Pixels
from recordkit.upkeep.look.letters import Letters
from recordkit.upkeep.look.picture import Picture

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.ImageDraw import ImageDraw

_MARGIN = 12  # around the sheet and between its cells
_LETTER = 12  # height of the captions' letters
_LINE = 16
_TITLE = 34
_BACKGROUND, _FRAME, _TEXT, _FAINT = (255, 255, 255), (238, 238, 238), (20, 20, 20), (95, 95, 95)
_BROKEN, _BROKEN_LINE = (255, 225, 222), (178, 34, 34)
_MAX_COLUMNS = 10


def choose_columns(n: int) -> int:
    """Return the number of columns of a sheet that is about as wide as high, at most 10.

    Examples
    --------
    >>> [choose_columns(n) for n in (1, 4, 30, 100, 1000)]
    [1, 2, 6, 10, 10]
    """
    return max(1, min(_MAX_COLUMNS, math.ceil(math.sqrt(n))))


def check_sheet(n: int, side: int, columns: int) -> tuple[int, int]:
    """Return width and height of a sheet in pixels.

    Raises
    ------
    PlanError
        The sheet would have more than `recordkit.sample.MAX_PIXELS` pixels.
    """
    rows = math.ceil(n / columns)
    width = _MARGIN + columns * (side + _MARGIN)
    height = _TITLE + rows * (side + 2 * _LINE + _MARGIN) + _MARGIN
    if width * height > MAX_PIXELS:
        advice = "show fewer images, or give a smaller `side`"
        raise PlanError(
            argument="n", expected=f"a sheet of at most {MAX_PIXELS} pixels", got=f"{width} x {height}", advice=advice
        )
    return width, height


def draw_sheet(pictures: Iterable[Picture], n: int, title: str, *, side: int, columns: int) -> PillowImage:
    """Draw a contact sheet.

    Parameters
    ----------
    pictures : iterable of Picture
        Their thumbnails are at most `side` pixels wide and high.
    n : int
        Number of pictures.
    title : str
        The line above them.
    side : int
        Width and height of a cell, in pixels. A small image is enlarged by a whole number, so that its pixels stay
        squares; the rest of a cell is light grey.
    columns : int

    Raises
    ------
    PlanError
        See `check_sheet`.
    """
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", check_sheet(n, side, columns), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    text, font = Letters(_LETTER + 4).fit(title, sheet.width - 2 * _MARGIN)
    draw.text((_MARGIN, _MARGIN - 3), text, _TEXT, font)
    letters = Letters(_LETTER)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        left = _MARGIN + column * (side + _MARGIN)
        top = _TITLE + row * (side + 2 * _LINE + _MARGIN)
        draw.rectangle((left, top, left + side - 1, top + side - 1), _FRAME)
        if picture.thumbnail.pixels is None:
            _draw_broken(draw, left, top, side)
        else:
            _paste(sheet, picture.thumbnail.pixels, left, top, side)
        for line, (caption, color) in enumerate(((picture.title, _TEXT), (f"key {picture.key}", _FAINT))):
            text, font = letters.fit(caption, side)
            draw.text((left, top + side + 2 + line * _LINE), text, color, font)
    return sheet


def _paste(sheet: PillowImage, pixels: Pixels, left: int, top: int, side: int) -> None:
    from PIL import Image

    thumbnail = Image.fromarray(pixels)
    factor = max(1, side // max(thumbnail.size))
    if factor > 1:
        size = thumbnail.width * factor, thumbnail.height * factor
        thumbnail = thumbnail.resize(size, Image.Resampling.NEAREST)
    sheet.paste(thumbnail, (left + (side - thumbnail.width) // 2, top + (side - thumbnail.height) // 2))


def _draw_broken(draw: ImageDraw, left: int, top: int, side: int) -> None:
    right, bottom = left + side - 1, top + side - 1
    draw.rectangle((left, top, right, bottom), _BROKEN, _BROKEN_LINE)
    draw.line((left, top, right, bottom), _BROKEN_LINE)
    draw.line((left, bottom, right, top), _BROKEN_LINE)
    text, font = Letters(_LETTER).fit("does not decode", side - 8)
    width = font.getlength(text)
    middle = top + side // 2
    draw.rectangle((left + (side - width) // 2 - 3, middle - 9, left + (side + width) // 2 + 3, middle + 9), _BROKEN)
    draw.text((left + (side - width) // 2, middle - 8), text, _BROKEN_LINE, font)
