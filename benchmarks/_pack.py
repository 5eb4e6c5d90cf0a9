"""Packs once and prints how much and how long: as the process, or as PackReport times it (--report).

Usage: python benchmarks/_pack.py [--report] ROWS_PER_IMAGE ARGUMENTS OF recordkit pack...
"""

import contextlib
import io
import json
import sys

if __name__ == "__main__":
    from recordkit.cli.main import recordkit

    words = sys.argv[1:]
    by_report = words[0] == "--report"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        recordkit.main(["pack", *words[by_report:], "--json"], standalone_mode=False, prog_name="recordkit")
    report = json.loads(said.getvalue())
    n = sum(one["packed"] for one in report["sets"])
    print(json.dumps({"n": n, **({"seconds": report["duration_s"]} if by_report else {})}))
