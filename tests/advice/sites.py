"""Every advice in the source of recordkit, found in its syntax trees.

An advice is a text that ends in the field `advice` of an error. Its skeleton has `{}` for each value that the program
puts in. Both branches of a condition, and each part of a sum, are an advice of their own.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent.parent / "recordkit"

# Names of variables, constants and functions that hold or return an advice.
_NAME = re.compile("advi[cs]e|how_to", re.IGNORECASE)
# Words by which a warning or a note gives an advice.
_WORDS = re.compile(
    r"(?<![\w-])--[a-z]|'recordkit |did you mean|[;,] (give|use|run|pass|add|remove|put|leave)\b|\bgive `"
)
# Keywords of click and of argument parsers: texts of help, not of errors.
_HELP = {"help", "epilog", "short_help", "metavar"}


@functools.cache
def sites() -> set[tuple[str, str]]:
    """Return the path of the module in recordkit/ and the skeleton of every advice."""
    trees = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    positions = {name: position for tree in trees.values() for name, position in _positions(tree)}
    return {(module, text) for module, tree in trees.items() for text in _Module(tree, positions).advices()}


def _positions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the functions that take an advice, and its position among their parameters."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            names = [argument.arg for argument in function.args.args]
            yield from ((function.name, names.index(name)) for name in names if _NAME.search(name))


def skeleton_regex(skeleton: str) -> str:
    """Return a regular expression of the texts that a skeleton makes; its groups are the values.

    The command line puts an option, such as ``--n-classes 4``, or the name of a click argument, such as ``ROOT``,
    in the place of an argument between backticks.

    Examples
    --------
    >>> texts = "give n_classes=4", "give --n-classes 4"
    >>> [re.search(skeleton_regex("give `n_classes={}`"), text)[1] for text in texts]
    ['4', '4']
    """
    pieces = re.split(r"(\{\}|`\w+(?:=True|=False|=None|=renumber|=)?)", skeleton)
    last = max((n for n, piece in enumerate(pieces) if piece == "{}"), default=0)
    return "".join(_piece_regex(piece, is_last=n == last) for n, piece in enumerate(pieces))


def _piece_regex(piece: str, *, is_last: bool) -> str:
    if piece == "{}":
        return "(.*)" if is_last else "(.+?)"
    if not piece.startswith("`"):
        return re.escape(piece).replace("`", '"?')
    name, equals, value = piece.strip("`").partition("=")
    option = "(?:no )?--[a-z-]+|[A-Z]+"
    quote = '"?' if equals else ""
    return f"(?:{name}{equals}{quote}{value}|(?:{option}){'[ ]' if equals and not value else ''})"


class _Module:
    def __init__(self, tree: ast.Module, positions: dict[str, int]) -> None:
        self._nodes = list(ast.walk(tree))
        self._constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self._positions = positions

    def advices(self) -> Iterator[str]:
        for node in self._nodes:
            for expression in self._expressions(node):
                yield from (text for text in self._texts(expression) if re.search("[a-z]", text))
        yield from self._texts_of_words()

    def _expressions(self, node: ast.AST) -> Iterator[ast.expr]:
        """Yield each expression of a node whose value is an advice."""
        if isinstance(node, ast.Call):
            yield from (keyword.value for keyword in node.keywords if _NAME.search(keyword.arg or ""))
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            is_method = isinstance(node.func, ast.Attribute)
            position = self._positions.get(name, len(node.args) + 1) - is_method
            yield from node.args[position : position + 1]
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if isinstance(targets[0], ast.Tuple):
                yield from self._parts(targets[0], node.value)
                return
            names = [getattr(target, "id", getattr(target, "attr", "")) for target in targets]
            if node.value is not None and any(map(_NAME.search, names)):
                yield node.value
        elif isinstance(node, ast.FunctionDef):
            if _NAME.search(node.name):
                yield from (part.value for part in ast.walk(node) if isinstance(part, ast.Return) and part.value)
            named = [*node.args.posonlyargs, *node.args.args]
            last = named[len(named) - len(node.args.defaults) :]
            arguments = zip([*last, *node.args.kwonlyargs], [*node.args.defaults, *node.args.kw_defaults], strict=True)
            yield from (default for argument, default in arguments if default and _NAME.search(argument.arg))

    def _parts(self, target: ast.Tuple, value: ast.expr | None) -> Iterator[ast.expr]:
        """Yield the advices of ``name, advice = _TABLE[key]``, and those of a tuple."""
        names = [getattr(part, "id", "") for part in target.elts]
        position = next((number for number, name in enumerate(names) if _NAME.search(name)), None)
        if position is None:
            return
        rows = [value]
        if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name):
            table = self._constants.get(value.value.id)
            rows = table.values if isinstance(table, ast.Dict) else []
        yield from (row.elts[position] for row in rows if isinstance(row, ast.Tuple))

    def _texts(self, node: ast.expr) -> Iterator[str]:
        """Yield the skeleton of each text that an expression may return."""
        if isinstance(node, ast.Constant):
            yield node.value if isinstance(node.value, str) else ""
        elif isinstance(node, ast.JoinedStr):
            yield _skeleton(node)
        elif isinstance(node, ast.IfExp):
            yield from self._texts(node.body)
            yield from self._texts(node.orelse)
        elif isinstance(node, ast.BoolOp):
            yield from (text for value in node.values for text in self._texts(value))
        elif isinstance(node, ast.BinOp):
            yield from self._texts(node.left)
            yield from self._texts(node.right)
        elif isinstance(node, ast.Tuple | ast.List):
            yield from (text for value in node.elts for text in self._texts(value))
        elif isinstance(node, ast.Dict):
            yield from (text for value in node.values for text in self._texts(value))
        elif isinstance(node, ast.Call):
            yield from self._texts_of_call(node)
        elif isinstance(node, ast.Name) and node.id in self._constants and not _NAME.search(node.id):
            yield from self._texts(self._constants[node.id])

    def _texts_of_call(self, node: ast.Call) -> Iterator[str]:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in ("join", "filter"):
            yield from (text for argument in node.args for text in self._texts(argument))

    def _texts_of_words(self) -> Iterator[str]:
        """Yield texts of warnings and notes that give an advice."""
        skipped = set()
        for node in self._nodes:
            if isinstance(node, ast.keyword) and node.arg in _HELP | {"advice"}:
                skipped |= set(ast.walk(node))
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                skipped.add(node.value)
            if isinstance(node, ast.JoinedStr):
                skipped |= set(node.values)
        for node in self._nodes:
            if node not in skipped and isinstance(node, ast.Constant | ast.JoinedStr):
                text = _skeleton(node) if isinstance(node, ast.JoinedStr) else node.value
                if isinstance(text, str) and _WORDS.search(text) and " " in text.strip():
                    yield text


def _skeleton(node: ast.JoinedStr) -> str:
    return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
