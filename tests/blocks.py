"""The code blocks of a Markdown page, and the comments that say how to run them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,}|:{3,})(?P<language>[\w{}-]*)")
MARK = re.compile(r"<!-- (?P<kind>needs|exit code|not run:) ?(?P<value>.*?) -->")


@dataclass
class Block:
    """A fenced block: its language, its text, the line where the text begins, and its marks."""

    language: str
    line: int
    text: str = ""
    marks: dict[str, str] = field(default_factory=dict)
    output: str | None = None

    @property
    def commands(self) -> list[tuple[int, str, str]]:
        """Line, command and stated output of each command of a console block."""
        commands: list[tuple[int, str, str]] = []
        for number, line in enumerate(self.text.replace("\\\n", "\\\0").splitlines(keepends=True), self.line):
            if line.startswith("$ "):
                commands.append((number, line[2:].replace("\\\0", " ").strip(), ""))
            elif commands:
                number, command, output = commands.pop()
                commands.append((number, command, output + line))
            else:
                raise ValueError(f"line {number}: a console block begins with a command: $ ...")
        return commands


def read_blocks(path: Path) -> list[Block]:
    """Return the blocks of a page. A text block that follows a python block directly is the output of that block."""
    blocks: list[Block] = []
    marks: dict[str, str] = {}
    is_next = False  # only empty lines since the last block
    lines = iter(enumerate(path.read_text(encoding="utf-8").splitlines(keepends=True), 1))
    for number, line in lines:
        fence = FENCE.match(line)
        if fence:
            block = Block(fence["language"], number + 1, marks=marks)
            for _, inner in lines:
                if inner.strip() == fence["ticks"]:
                    break
                block.text += inner.removeprefix(fence["indent"])
            if block.language == "text" and is_next and blocks[-1].language == "python":
                blocks[-1].output = block.text
            else:
                blocks.append(block)
            marks, is_next = {}, True
        elif line.strip():
            mark = MARK.fullmatch(line.strip())
            marks = {**marks, mark["kind"].rstrip(":"): mark["value"]} if mark else {}
            is_next = False
    return blocks
