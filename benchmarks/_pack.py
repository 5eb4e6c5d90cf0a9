"""Runs `recordkit pack` once and prints the number of images, and with --report the time in its report.

Usage: python benchmarks/_pack.py [--report] ARGUMENTS OF recordkit pack...
"""

import contextlib
import io
import json
import sys

if __name__ == "__main__":
    from recordkit.cli.main import recordkit

    words = sys.argv[1:]
    use_report = words[0] == "--report"
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        recordkit.main(["pack", *words[use_report:], "--json"], standalone_mode=False, prog_name="recordkit")
    report = json.loads(output.getvalue())
    n = sum(fileset["n_packed"] for fileset in report["sets"])
    print(json.dumps({"n": n, **({"seconds": report["duration_s"]} if use_report else {})}))
