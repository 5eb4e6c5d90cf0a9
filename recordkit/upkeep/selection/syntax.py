"""Errors about texts that are no expressions, which name what was not understood and its character."""

from __future__ import annotations

import re

from recordkit.errors import PlanError
from recordkit.formats.lst import excerpt

EXAMPLE = 'a condition as "label == 3 and bytes > 10000"'
"""An expression, for errors."""

CLASS_ADVICE = "an expression has no class names: give them as `classes`"
"""Advice in errors about a class or a text in an expression."""

_PARSER_SAYS_LITTLE = "invalid syntax"
_PIECE = re.compile(r"\w+|[^\w\s]")
_SIGNS = re.compile(r"[<>=!&|]+")
# Signs of other languages and the ones that are meant.
_MEANT = {"=": "==", "=>": ">=", "=<": "<=", "===": "==", "<>": "!=", "&&": "and", "||": "or", "!": "not"}


def syntax_error(text: str, error: SyntaxError) -> PlanError:
    """Return the error for a text that Python's parser refuses.

    Parameters
    ----------
    text : str
    error : SyntaxError
        That of the parser.

    Examples
    --------
    >>> try:
    ...     compile("bytes => 1300", "", "eval")
    ... except SyntaxError as error:
    ...     print(syntax_error("bytes => 1300", error))
    where: expected >=, got '=>' at character 7
    """
    if not error.offset or error.offset > len(text):
        return PlanError(argument="where", expected=EXAMPLE, got=f"{error.msg} at the end")
    at = error.offset - 1
    signs = next((found for found in _SIGNS.finditer(text) if found.start() <= at < found.end()), None)
    piece = signs or _PIECE.match(text, at)
    if not error.msg.startswith(_PARSER_SAYS_LITTLE) or piece is None:
        return PlanError(argument="where", expected=EXAMPLE, got=f"{error.msg} at character {error.offset}")
    return PlanError(
        argument="where",
        expected=_MEANT.get(piece[0], EXAMPLE),
        got=f"{excerpt(piece[0])} at character {piece.start() + 1}",
        advice=CLASS_ADVICE if piece[0] == "class" else "",
    )
