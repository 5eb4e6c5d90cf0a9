"""Conditions on samples, such as ``label == 3 and bytes > 10000``.

An expression has Python's syntax and meaning. It may have these names, numbers, ``True`` and ``False``, parentheses,
``+ - * / // %``, comparisons, ``in [..]``, ``and``, ``or`` and ``not``; anything else is refused. It is parsed and
evaluated here, with arrays, and never run as Python code.

    key                   the key
    label, label0         the first label
    label1, label2, ...   the other labels
    n_labels              number of labels
    bytes                 size of the payload, which is the encoded image
    width, height         size of the image in pixels, from its header, before EXIF orientation

The right side of ``and`` and ``or`` is evaluated for those samples only that the left side does not decide. So
``n_labels > 1 and label1 == 4`` asks no sample with one label for its second, and ``label == 3 and width > 64`` reads
the images with the label 3 only. A label that is not exact is float32, and a number beside it is rounded to float32.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.formats.lst import excerpt
from recordkit.upkeep.selection.syntax import CLASS_ADVICE, EXAMPLE, syntax_error
from recordkit.upkeep.selection.table import SampleTable

MAX_CHARACTERS = 2000
"""Length of the longest expression."""

_MAX_DEPTH = 50
_LIMIT = 2**63
_LABEL = re.compile(r"label(\d{0,6})", re.ASCII)
_NAMES = ("key", "n_labels", "bytes", "width", "height")

_Rows = NDArray[np.int64]
_Kind = Literal["condition", "number"]

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_DIVISIONS = (ast.Div, ast.FloorDiv, ast.Mod)
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class Expression:
    """A condition on samples.

    Parameters
    ----------
    text : str

    Raises
    ------
    PlanError
        The text is no condition of this kind. The error names the character at which it goes wrong, counted from 1.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.dataset.dataset import RecordDataset
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key, label in enumerate([4, 9, 3]):
    ...         writer.write_idx(key, pack(IRHeader(0, label, key, 0), b"jpeg" * key))
    >>> with RecordDataset(prefix) as dataset:
    ...     Expression("label in [3, 4] and bytes < 8").matches(SampleTable(dataset), np.arange(3))
    array([ True, False, False])
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_CHARACTERS:
            raise PlanError(
                argument="where", expected=f"an expression of at most {MAX_CHARACTERS} characters", got=len(text)
            )
        self.text = re.sub(r"\s", " ", text).strip()
        try:
            self._root = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise syntax_error(self.text, error) from None
        except (ValueError, RecursionError, MemoryError):  # of a null byte, or of parentheses without end
            raise PlanError(argument="where", expected=EXAMPLE, got=excerpt(text)) from None
        if self._kind(self._root, 0) != "condition":
            raise self._error(self._root, EXAMPLE)

    def matches(self, table: SampleTable, rows: _Rows) -> NDArray[np.bool_]:
        """Return for each of some rows whether the condition is true.

        Parameters
        ----------
        table : SampleTable
        rows : ndarray of int64, shape (m,)

        Returns
        -------
        mask : ndarray of bool, shape (m,)

        Raises
        ------
        PlanError
            A sample has no such label, or a number is divided by 0 or becomes too large.
        FormatError
            A record is damaged, or an image whose size is asked for has no readable header.
        """
        with np.errstate(all="ignore"):
            return self._mask(self._root, table, rows)

    def _kind(self, node: ast.expr, depth: int) -> _Kind:
        """Check a node, and return whether its value is a condition or a number."""
        if depth > _MAX_DEPTH:
            raise self._error(node, f"at most {_MAX_DEPTH} levels")
        if isinstance(node, ast.Constant | ast.Name):
            return self._kind_of_leaf(node)
        if isinstance(node, ast.Compare):
            self._check_comparison(node, depth)
            return "condition"
        if isinstance(node, ast.BoolOp):
            self._require("condition", node.values, depth)
            return "condition"
        if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Invert):
            kind: _Kind = "condition" if isinstance(node.op, ast.Not) else "number"
            self._require(kind, [node.operand], depth)
            return kind
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            self._require("number", [node.left, node.right], depth)
            return "number"
        raise self._error(node, "names, numbers, comparisons, and, or, not, + - * / // % and in [..]")

    def _kind_of_leaf(self, node: ast.Constant | ast.Name) -> _Kind:
        if isinstance(node, ast.Name):
            if node.id not in _NAMES and not _LABEL.fullmatch(node.id):
                advice = CLASS_ADVICE if "class" in node.id else None
                raise self._error(node, f"label, label1, {', '.join(_NAMES)}", advice)
            return "number"
        if isinstance(node.value, bool):
            return "condition"
        if isinstance(node.value, int | float) and abs(node.value) < _LIMIT:
            return "number"
        raise self._error(node, "a number below 2**63", CLASS_ADVICE if isinstance(node.value, str) else None)

    def _require(self, kind: _Kind, nodes: list[ast.expr], depth: int) -> None:
        for node in nodes:
            if self._kind(node, depth + 1) != kind:
                raise self._error(node, "a comparison" if kind == "condition" else "a number")

    def _check_comparison(self, node: ast.Compare, depth: int) -> None:
        self._require("number", [node.left], depth)
        for operation, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operation, ast.In | ast.NotIn):
                if not isinstance(right, ast.List | ast.Tuple | ast.Set) or len(node.ops) > 1:
                    raise self._error(right, "in [..] with numbers")
                self._require("number", right.elts, depth)
                if any(isinstance(part, ast.Name) for element in right.elts for part in ast.walk(element)):
                    raise self._error(right, "in [..] with numbers")
            elif type(operation) in _COMPARISONS:
                self._require("number", [right], depth)
            else:
                raise self._error(node, "a comparison as ==, !=, <, <=, > or >=")

    def _mask(self, node: ast.expr, table: SampleTable, rows: _Rows) -> NDArray[np.bool_]:
        """Return the values of a condition."""
        if isinstance(node, ast.Constant):
            return np.full(len(rows), node.value)
        if isinstance(node, ast.UnaryOp):
            return ~self._mask(node.operand, table, rows)
        if isinstance(node, ast.BoolOp):
            is_and = isinstance(node.op, ast.And)
            mask = np.full(len(rows), is_and)
            open_rows = np.arange(len(rows))  # those that no operand has decided
            for operand in node.values:
                decided = self._mask(operand, table, rows[open_rows]) != is_and
                mask[open_rows[decided]] = not is_and
                open_rows = open_rows[~decided]
            return mask
        if not isinstance(node, ast.Compare):  # `_kind` has refused everything else
            raise self._error(node, "a comparison")
        return self._compare(node, table, rows)

    def _compare(self, node: ast.Compare, table: SampleTable, rows: _Rows) -> NDArray[np.bool_]:
        mask = np.ones(len(rows), bool)
        left = self._number(node.left, table, rows)
        for operation, comparator in zip(node.ops, node.comparators, strict=True):
            if isinstance(comparator, ast.List | ast.Tuple | ast.Set):
                is_in = np.zeros(len(rows), bool)
                for element in comparator.elts:
                    is_in |= left == self._number(element, table, rows)
                return is_in if isinstance(operation, ast.In) else ~is_in
            right = self._number(comparator, table, rows)
            mask &= _COMPARISONS[type(operation)](left, right)
            left = right
        return mask

    def _number(self, node: ast.expr, table: SampleTable, rows: _Rows) -> Any:
        """Return the values of a number: an array, or one Python number for all rows."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._column(node, table, rows)
        if isinstance(node, ast.UnaryOp):
            value = self._number(node.operand, table, rows)
            return -value if isinstance(node.op, ast.USub) else value
        if not isinstance(node, ast.BinOp):  # `_kind` has refused everything else
            raise self._error(node, "a number")
        left, right = self._number(node.left, table, rows), self._number(node.right, table, rows)
        if isinstance(node.op, _DIVISIONS) and np.any(np.equal(right, 0)):
            raise self._error(node, "a divisor that is not 0")
        operation = _ARITHMETIC[type(node.op)]
        if not isinstance(node.op, _DIVISIONS) and not _fits(operation, left, right):
            raise self._error(node, "numbers that stay below 2**63")
        return operation(left, right)

    def _column(self, node: ast.Name, table: SampleTable, rows: _Rows) -> NDArray[Any]:
        if node.id == "key":
            keys = table.keys[rows]
            if len(keys) and (largest := int(np.max(keys))) >= _LIMIT:
                raise PlanError(argument="where", expected="keys below 2**63", got=largest)
            return keys.astype(np.int64)
        if node.id == "n_labels":
            return table.widths[rows]
        if node.id == "bytes":
            return table.payload_sizes(rows)
        if node.id in ("width", "height"):
            return table.image_sizes(rows)[:, 0 if node.id == "width" else 1]
        match = _LABEL.fullmatch(node.id)
        number = int(match[1] or 0) if match else 0
        try:
            return table.label_column(number, rows)
        except PlanError as error:
            raise error.located(argument="where", advice=f"write 'n_labels > {number} and ...' before it") from None

    def _error(self, node: ast.expr, expected: str, advice: str | None = None) -> PlanError:
        content = self.text.encode()  # the syntax tree counts bytes
        begin, end = node.col_offset, node.end_col_offset
        character = len(content[:begin].decode()) + 1
        got = excerpt(content[begin:end].decode())
        return PlanError(argument="where", expected=expected, got=f"{got} at character {character}", advice=advice)


def _fits(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    """Return whether a sum, difference or product of whole numbers stays in 64 bits for all rows."""
    spans = [_span(left), _span(right)]
    if None in spans:
        return True
    (left_low, left_high), (right_low, right_high) = (span for span in spans if span)
    ends = [operation(a, b) for a in (left_low, left_high) for b in (right_low, right_high)]
    return bool(min(ends) >= -_LIMIT and max(ends) < _LIMIT)


def _span(value: Any) -> tuple[int, int] | None:
    """Return the smallest and the largest of whole numbers; None if they are not whole."""
    if isinstance(value, int):
        return value, value
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        return None
    return (int(value.min()), int(value.max())) if len(value) else (0, 0)
