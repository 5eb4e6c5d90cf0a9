"""The facts that programs of this folder measured and wrote into `results/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def read_facts(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return date, machine and versions, and the results of a program."""
    facts = json.loads((RESULTS / f"{name}.json").read_text())
    return facts["about"], facts["results"]
