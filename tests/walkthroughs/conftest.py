"""The scripts here are run by test_walkthroughs.py, and not imported to look for examples in their docstrings."""

from pathlib import Path

collect_ignore = [
    path.name for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith(("test_", "conf"))
]
