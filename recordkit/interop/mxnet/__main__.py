"""``python -m recordkit.interop.mxnet SCRIPT.py ARGUMENTS`` is ``recordkit mxnet SCRIPT.py ARGUMENTS``.

The command line is a layer above this room, and only it parses arguments and chooses exit codes. So this starts it by
its name, as a user would, and does not import it.
"""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "mxnet")
    runpy.run_module("recordkit", run_name="__main__")
