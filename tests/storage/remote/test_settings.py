"""Settings of remote storage."""

import dataclasses
import inspect
import pickle
from pathlib import Path

import pytest

from recordkit.errors import PlanError
from recordkit.storage.remote import settings
from recordkit.storage.remote.settings import RemoteSettings


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"cache_bytes": 1000}, "cache_bytes"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"total_s": float("inf")}, "total_s"),
        ({"n_requests": 0}, "n_requests"),
    ],
)
def test_a_value_out_of_range_names_its_argument(changes, argument):
    with pytest.raises(PlanError, match=f"^{argument}: expected ") as caught:
        RemoteSettings(**changes)
    assert caught.value.argument == argument


def test_settings_survive_pickling_and_know_their_folder():
    chosen = RemoteSettings(cache_dir="cache", n_requests=4)
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    assert chosen.cache_folder == Path("cache")
    assert RemoteSettings().cache_folder.name == "recordkit"


def test_configure_changes_the_defaults_of_the_process(monkeypatch):
    monkeypatch.setattr(settings, "_current", RemoteSettings())
    settings.configure_remote(total_s=7)
    assert settings.configure_remote(timeout_s=2) == settings.current() == RemoteSettings(timeout_s=2, total_s=7)


def test_the_parameters_are_written_out_and_are_those_of_the_settings():
    names = [field.name for field in dataclasses.fields(RemoteSettings)]
    parameters = inspect.signature(settings.configure_remote).parameters
    assert list(parameters) == names
    assert {each.kind for each in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
