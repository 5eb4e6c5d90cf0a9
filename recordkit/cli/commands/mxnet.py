"""``recordkit mxnet``: run a script that begins with ``import mxnet as mx``, unchanged.

All other commands have --json and --quiet. This one has neither, because its output is the script's.
"""

from __future__ import annotations

import sys

import click

from recordkit.cli.options import examples
from recordkit.cli.program import restore_process
from recordkit.errors import MissingError, quoted
from recordkit.interop.mxnet.scripts import run_script, script_frames


@click.command(
    context_settings={"allow_interspersed_args": False},  # what follows the script is the script's
    epilog=examples("recordkit mxnet train_mnist.py --num-epochs 1", "recordkit mxnet --cpu train.py --gpus 0"),
)
@click.argument("script", metavar="SCRIPT.py", type=click.Path())
@click.argument("arguments", nargs=-1, type=click.Path(readable=False))
@click.option("--cpu", is_flag=True, help="Use the CPU wherever the script asks for a GPU.")
def command(script: str, arguments: tuple[str, ...], *, cpu: bool) -> None:
    """Run a script for MXNet as it is, on current Python and NumPy.

    Its arguments, output, tracebacks and exit code are as with python SCRIPT.py ARGUMENTS. Options of recordkit stand
    before SCRIPT.py; all others are the script's.
    """
    restore_process()
    try:
        run_script(script, arguments, cpu=cpu)
    except SystemExit:
        raise
    except BaseException as error:
        if isinstance(error, MissingError) and error.line is not None:
            error.advice = _cpu_advice(script, arguments)
        frames = script_frames(error)
        if frames is None and not isinstance(error, SyntaxError):
            raise  # an error of recordkit
        sys.excepthook(type(error), error.with_traceback(frames), frames)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)


def _cpu_advice(script: str, arguments: tuple[str, ...]) -> str:
    """Return what to do where the script found no GPU."""
    others = [argument for argument in arguments if argument != "--cpu"]
    place = "" if len(others) == len(arguments) else "--cpu after the script is an option of the script: "
    words = " ".join(map(quoted, (script, *others)))
    return f"{place}run 'recordkit mxnet --cpu {words}', or see 'recordkit doctor'"
