"""``recordkit mxnet SCRIPT.py``: a script ends and prints as with Python, and a missing GPU is one line."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from recordkit.errors import MissingError
from recordkit.interop.mxnet import scripts

# Stands in for MXNet, whose import takes seconds.
MXNET = """
from types import SimpleNamespace
ndarray = SimpleNamespace(utils=SimpleNamespace(spsp=None), sparse=SimpleNamespace(spsp=None))
class Context:
    devstr2type = {"cpu": 1, "gpu": 2, "cpu_pinned": 3}
"""
# Each of them has the same output, errors and exit code with python as with recordkit.
SCRIPTS = {
    "environment": """
        '''What a script finds.'''
        import os, pickle, signal, sys, warnings
        def scale(x: int): pass
        class Net: pass
        print(sys.argv, sys.path, __name__, __doc__, __file__, __spec__, __package__, __cached__)
        print(scale.__annotations__, __annotations__, type(pickle.loads(pickle.dumps(Net()))) is Net)
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            print(type(stream), stream.errors, stream.line_buffering, stream.write_through)
        print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGINT))
        print(sys.stdin.read())
        warnings.warn("old")
        import helper
        os.chdir("/")
        raise ValueError("after another folder was entered")
    """,
    "exit code": "import sys, atexit, threading\natexit.register(print, 'end')\nsys.exit(7)",
    "exit text": "import sys, threading\nthreading.Timer(0.1, print, ['later']).start()\nsys.exit('bad options')",
    "exit none": "import sys\nsys.exit()",
    "error": """
        def fit():
            try:
                {}['lr']
            except KeyError as error:
                raise ValueError('no rate') from error
        fit()
    """,
    "no python": "print 'epoch', 1",
    "excepthook": "import sys\nsys.excepthook = lambda *a: print(a[0].__name__, 'seen')\n1 / 0",
    "interrupt": "def fit():\n    raise KeyboardInterrupt\nfit()",
    "terminated": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
    "closed pipe": "import sys\nsys.stdout.write('x' * 100000)\nsys.stdout.flush()",
    "closed pipe at the end": "print('x')",
}


@pytest.fixture
def run(tmp_path, request):
    """Run a script with python or recordkit in a process; return exit code, stdout and stderr."""
    request.getfixturevalue("mx")  # these tests need MXNet's environment
    (tmp_path / "lib" / "mxnet").mkdir(parents=True)
    (tmp_path / "lib" / "mxnet" / "__init__.py").write_text(MXNET)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "helper.py").write_text("print('helper of', __name__)")

    def run(text, *program, stdout=subprocess.PIPE):
        lines = text.splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        (tmp_path / "work" / "train.py").write_text("\n".join(line[indent:] for line in lines).lstrip())
        path = os.pathsep.join([str(tmp_path / "lib"), *filter(None, sys.path)])
        command = [sys.executable, *program, "work/train.py", "--help", "--json", "--cpu", "-x", "--", "", "é"]
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(
            command, stdout=stdout, stderr=subprocess.PIPE, input="in", text=True, cwd=tmp_path, env=environment
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_and_ends_as_with_python(run, name):
    if name.startswith("closed pipe"):
        end, pipe = os.pipe()
        os.close(end)
        expected, got = (run(SCRIPTS[name], *program, stdout=pipe) for program in ([], ["-m", "recordkit", "mxnet"]))
        os.close(pipe)
    else:
        expected, got = (run(SCRIPTS[name], *program) for program in ([], ["-m", "recordkit", "mxnet"]))
    if name == "interrupt":
        assert expected[0] == -signal.SIGINT and got[0] == 130
        expected, got = expected[1:], got[1:]
    assert got == expected


def test_python_m_is_the_same_and_pythons_options_hold(run):
    options = ["-u", "-W", "error", *(["-P"] if sys.version_info >= (3, 11) else [])]  # -P: without the script's folder
    expected = run(SCRIPTS["environment"], *options)
    assert "UserWarning: old" in expected[2]
    assert run(SCRIPTS["environment"], *options, "-m", "recordkit.interop.mxnet", "--cpu") == expected


@pytest.fixture
def restored(tmp_path, mx, monkeypatch):
    """Restore what a script changes that runs in this process, whose MXNet is loaded already."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(mx.Context, "devstr2type", mx.Context.devstr2type.copy())
    monkeypatch.chdir(tmp_path)
    for name in scripts._NUMPY_NAMES:
        if name in vars(np):
            monkeypatch.setitem(vars(np), name, vars(np)[name])
        else:
            monkeypatch.setitem(vars(np), name, None)
            del vars(np)[name]


@pytest.fixture
def script(tmp_path, cli, restored):
    """Run a script in this process; return exit code, stdout and stderr."""

    def run(text, *options):
        (tmp_path / "train.py").write_text(f"import mxnet as mx\nimport numpy as np\n{text}\n")
        return cli("mxnet", *options, "train.py")

    return run


def test_a_script_may_use_the_names_that_numpy_has_removed(script):
    text = """
array = np.array([1.6, 0]).astype(np.int)
print(array, np.asscalar(np.float(2) * np.ones(1)), array.astype(np.bool), np.dtype(np.object))
mx.test_utils.assert_almost_equal(mx.nd.ones(2), np.ones(2, np.float32))
"""
    assert script(text) == (0, "[1 0] 2.0 [ True False] object\n", "")


GPU_USES = {
    "array": "mx.nd.zeros((2, 3), ctx=mx.gpu())",
    "copy": "mx.nd.ones(2).as_in_context(mx.gpu())",
    "random": "mx.nd.random.uniform(shape=(2,), ctx=mx.gpu())",
    "gluon": "mx.gluon.nn.Dense(3, in_units=2).initialize(ctx=[mx.gpu(0), mx.gpu(1)])",
    "module": "mx.mod.Module(mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3), label_names=None, "
    "context=mx.gpu()).bind([('data', (2, 1))])",
}


def no_gpu(_name):
    raise MissingError("gpu", expected="MXNet with CUDA", got="the CPU build", advice="pip install it")


@pytest.mark.parametrize("name", GPU_USES)
def test_a_script_that_ends_because_there_is_no_gpu_is_one_line(script, name, monkeypatch):
    monkeypatch.setattr(scripts, "device", no_gpu)
    code, output, error = script(f"print('begins')\ndef use():\n    {GPU_USES[name]}\nuse()")
    assert (code, output) == (2, "begins\n")
    assert error == (
        "recordkit: train.py: line 5: gpu: expected MXNet with CUDA, got the CPU build; "
        "run 'recordkit mxnet --cpu train.py', or see 'recordkit doctor'\n"
    )
    assert script(f"print({GPU_USES[name]})\nprint('ends')", "--cpu")[0] == 0  # the advice works


def test_the_advice_without_a_gpu_has_the_arguments_and_says_whose_option_cpu_was(tmp_path, cli, restored, monkeypatch):
    monkeypatch.setattr(scripts, "device", no_gpu)
    (tmp_path / "my net.py").write_text("import mxnet as mx\nmx.nd.ones(1, ctx=mx.gpu())\n")
    advice = "run 'recordkit mxnet --cpu "
    code, _, error = cli("mxnet", "my net.py", "--gpus", "0")
    assert code == 2 and error.endswith(f"""; {advice}"my net.py" --gpus 0', or see 'recordkit doctor'\n""")
    code, _, error = cli("mxnet", "my net.py", "--cpu")
    assert code == 2 and f"""; --cpu after the script is an option of the script: {advice}"my net.py"'""" in error


def test_the_line_may_be_in_another_file_of_the_user(script, tmp_path):
    (tmp_path / "my_fit.py").write_text("import mxnet as mx\ndef fit():\n    mx.nd.ones(1, ctx=mx.gpu())\n")
    code, _, error = script("import my_fit\nmy_fit.fit()")
    assert code == 2 and error.startswith(f"recordkit: {tmp_path / 'my_fit.py'}: line 3: gpu: expected ")


def test_another_error_of_mxnet_has_its_traceback(script):
    code, _, error = script("mx.nd.ones((2, 3)) + mx.nd.ones((4, 5))")
    assert code == 1
    assert error.startswith('Traceback (most recent call last):\n  File "') and 'train.py", line 3, in ' in error
    assert "recordkit" not in error and "MXNetError" in error


def test_a_gpu_that_works_is_no_reason(script, monkeypatch):
    monkeypatch.setattr(scripts, "device", lambda _name: None)
    code, _, error = script("mx.nd.ones(1, ctx=mx.gpu())")
    assert code == 1 and "Traceback" in error and "MXNetError" in error


def test_a_script_that_tries_a_gpu_goes_on_with_the_cpu(script):
    text = """
def try_gpu():
    try:
        ctx = mx.gpu()
        _ = mx.nd.array([0], ctx=ctx)
    except mx.base.MXNetError:
        ctx = mx.cpu()
    return ctx
print(try_gpu(), mx.gpu(1), mx.context.num_gpus())
"""
    assert script(text) == (0, "cpu(0) gpu(1) 0\n", "")


def test_with_cpu_every_gpu_context_is_the_cpu(script):
    text = """
from mxnet import autograd, gluon
ctx = [mx.gpu(i) for i in range(2)]
print(ctx, mx.Context('gpu', 1), mx.gpu(0) == mx.cpu(0), mx.gpu().device_type, mx.npx.gpu(1))
print(mx.nd.ones(1, ctx=ctx[1]).as_in_context(mx.gpu(0)).context, mx.nd.ones(1, ctx=mx.cpu_pinned()).context)
with mx.gpu(1):
    print(mx.current_context(), mx.nd.ones(1).context)
data, label = mx.nd.random.uniform(shape=(24, 4)), mx.nd.arange(24) % 3
loader = gluon.data.DataLoader(gluon.data.ArrayDataset(data, label), 8, num_workers=4, pin_memory=True)
net = gluon.nn.Dense(3)
net.initialize(ctx=ctx)
trainer = gluon.Trainer(net.collect_params(), 'sgd', {'learning_rate': 0.1}, kvstore='device')
for batch in loader:
    print(batch[0].context, end=' ')
    xs, ys = (gluon.utils.split_and_load(array, ctx) for array in batch)
    with autograd.record():
        losses = [gluon.loss.SoftmaxCrossEntropyLoss()(net(x), y) for x, y in zip(xs, ys)]
    autograd.backward(losses)
    trainer.step(8)
print(net.weight.list_ctx(), (net.weight.data(ctx[0]) == net.weight.data(ctx[1])).min().asscalar())
symbol = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.Variable('data'), num_hidden=3), name='softmax')
module = mx.mod.Module(symbol, context=ctx)
module.fit(mx.io.NDArrayIter(data, label, 8), num_epoch=1, kvstore='device', eval_metric='acc')
print(module.get_outputs()[0].shape)
"""
    code, output, error = script(text, "--cpu")
    assert (code, output.splitlines()) == (
        0,
        [
            "[cpu(0), cpu(1)] cpu(1) True cpu cpu(1)",
            "cpu(0) cpu(0)",
            "cpu(1) cpu(1)",
            "cpu(0) cpu(0) cpu(0) [cpu(0), cpu(1)] 1.0",
            "(8, 3)",
        ],
    )
    assert error == ""


def test_options_of_recordkit_stand_before_the_script(script, cli, tmp_path):
    script("pass")
    assert cli("mxnet", "--gpu", "train.py") == (
        2, "", "recordkit: unexpected option --gpu; did you mean '--cpu'?; see 'recordkit mxnet --help'\n",
    )  # fmt: skip
    assert cli("mxnet") == (2, "", "recordkit: SCRIPT.py is missing; see 'recordkit mxnet --help'\n")
    assert cli("mxnet", "none.py") == (1, "", "recordkit: none.py: No such file or directory\n")
