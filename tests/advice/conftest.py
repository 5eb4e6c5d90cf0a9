"""Fixtures: a folder of photos to work in, and programs that must fail or succeed."""

import pytest
from conftest import gradient

from recordkit.codec import encode


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """The folder photos/ of two classes with two images each, in a working folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            image = encode(gradient(20 + number, 24), "jpg")
            (tmp_path / "photos" / name / f"{number}.jpg").write_bytes(image)
    return tmp_path / "photos"


@pytest.fixture
def fails(cli):
    """Run ``recordkit ...``, which must fail, and return what it prints on stderr."""

    def run(*arguments):
        code, _, error = cli(*arguments)
        assert code, arguments
        return error

    return run


@pytest.fixture
def works(cli):
    """Run ``recordkit ...``, which must succeed, and return what it prints, warnings last."""

    def run(*arguments):
        code, output, error = cli(*arguments)
        assert code == 0, error
        return output + error

    return run
