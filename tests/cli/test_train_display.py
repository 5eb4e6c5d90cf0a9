"""The log of a training run."""

import pytest
from storage.users import as_nobody, needs_root

from recordkit.cli.console import Console
from recordkit.cli.training.display import Display
from recordkit.errors import PublishError


@needs_root
def test_a_log_that_another_user_planted_in_a_sticky_folder_is_not_written(shared_folder):
    (shared_folder / "secret").write_text("secret")
    with as_nobody():
        (shared_folder / "lenet.log").symlink_to("secret")
    with Display(shared_folder / "lenet.log", Console(quiet=True), disp_batches=None) as display:
        with pytest.raises(PublishError, match=r"lenet\.log: expected a log of your own, got one of the user nobody"):
            display.log("line")
    assert (shared_folder / "secret").read_text() == "secret"
