"""The error if PyTorch is not installed."""

import sys

import pytest

from recordkit.errors import MissingError


def test_a_missing_pytorch_is_an_error_with_its_install_command(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("recordkit.interop.torch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingError, match=r"torch: expected PyTorch .*; pip install 'recordkit\[torch\]'"):
        import recordkit.interop.torch  # noqa: F401 (only the import is tested)
