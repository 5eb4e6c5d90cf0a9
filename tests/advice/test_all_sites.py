"""Every advice in the source of recordkit is followed by a test in this folder.

A new advice needs a test, one small function in the file of its room:

    def test_an_empty_list(photos, fails, works):
        Path("a.lst").touch()
        (folder,) = advice("sources/listing.py", "give the folder {}", fails("pack", "a.lst", "out"))
        works("pack", folder, "out")

`advice` takes the module in recordkit/, the text as it is in the source with ``{}`` for each value, and what a program
printed or a function that raises. It returns the values. The rest of the function does what the advice says, with
these values, and asserts that it helps. An advice that no test can follow is in NOT_FOLLOWED, with the reason.
"""

import ast
from pathlib import Path

from advice.sites import sites

_ACCOUNT = "no test has an account of Google or Azure"
_ANSWERS = "storage/remote/client/answers.py"
_INSTALLS = "it installs packages of the system or from a registry; tests/cli/test_native_install.py has each command"
NOT_FOLLOWED = {
    ("cli/demo.py", "not run (--more-seeds)"): "the demo trains on digits that scikit-learn brings, for minutes",
    ("cli/native_install.py", "as root, {} {}; then {}"): _INSTALLS,
    ("cli/native_install.py", "install {}; then {}"): _INSTALLS,
    ("cli/native_install.py", "{} -m pip install --force-reinstall --no-deps --no-cache-dir {}"): _INSTALLS,
    (
        "cli/native_install.py",
        "the installed wheel is the one for every system; the wheels for Linux bring the engine",
    ): "a fact about a wheel that is not built here",
    (
        "cluster/tasks.py",
        "if the memory of a machine was full, give more `threads`, each of which takes a CPU, so that fewer tasks run "
        "there at once",
    ): "no test fills the memory of a machine",
    (_ANSWERS, "check that the Azure credentials are valid and allow it"): _ACCOUNT,
    (_ANSWERS, "check that the Google credentials are valid and allow it"): _ACCOUNT,
    (_ANSWERS, "check the network and AZURE_STORAGE_ACCOUNT_NAME"): _ACCOUNT,
    (_ANSWERS, "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY, or run 'az login'"): _ACCOUNT,
    (
        _ANSWERS,
        "set GOOGLE_APPLICATION_CREDENTIALS, or run 'gcloud auth application-default login'",
    ): _ACCOUNT,
    ("storage/manifest.py", "a newer recordkit wrote it; upgrade"): "there is no newer one",
    ("interop/mxnet/bridge.py", "apt-get update && apt-get install {}"): "it installs packages of the system",
}


def followed():
    """Return the module and the text in each call of `advice` in this folder, and of the tests of clusters."""
    here = Path(__file__).parent
    calls = [
        node
        for path in (*here.glob("test_*.py"), *(here.parent / "cluster").rglob("test_*.py"))  # beside the one Ray
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "advice"
    ]
    return {tuple(ast.literal_eval(argument) for argument in call.args[:2]) for call in calls}


def test_every_advice_is_followed():
    missing = sites() - followed() - set(NOT_FOLLOWED)
    assert not missing, "a test in tests/advice/ has to follow:\n" + "\n".join(map(str, sorted(missing)))


def test_no_test_follows_an_advice_that_is_gone():
    gone = (followed() | set(NOT_FOLLOWED)) - sites()
    assert not gone, "not in recordkit/:\n" + "\n".join(map(str, sorted(gone)))
