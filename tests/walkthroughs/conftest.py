"""Exclude the scripts from collection: test_walkthroughs.py runs them, and importing them would run them as well."""

from pathlib import Path

collect_ignore = [
    path.name for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith(("test_", "conf"))
]
