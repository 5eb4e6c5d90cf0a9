"""The begin of a run: who gets a prefix, and the plan of a run that continues."""

import contextlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recordkit.errors import InUseError, PlanError, TrainError
from recordkit.storage.staging import Staging
from recordkit.training.plan import TrainPlan
from recordkit.training.run import begin
from recordkit.training.run.begin import open_run
from recordkit.training.run.checkpoint import Checkpoints
from recordkit.training.run.record import RunRecord, recorded_options

REC = Path("a.rec")


def begin_numbered(folder, **options):
    return open_run(REC, folder / "book", is_numbered=True, **options)


def write_run(prefix, **options):
    """Write the files that a run with one checkpoint has, as far as another run looks at them."""
    plan = TrainPlan.from_options(REC, prefix, **options)
    facts = {"options": recorded_options(plan.options(), prefix.parent), "epochs": 3, "shape": [1, 28, 28]}
    checkpoints = Checkpoints(prefix)
    checkpoints.params_path(1).touch()
    checkpoints.run_path.write_text(json.dumps(facts))


def test_runs_that_begin_at_once_take_prefixes_of_their_own(tmp_path):
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(4) as threads:
        runs = [stack.enter_context(begin_numbered(tmp_path)) for _ in range(2)]
        runs += threads.map(lambda _: stack.enter_context(begin_numbered(tmp_path)), range(6))
        names = [plan.model_prefix.name for plan, _ in runs]
        assert names[:2] == ["book", "book-run02"]
        assert sorted(names) == ["book", *(f"book-run{number:02d}" for number in range(2, 9))]
        assert all(writer.checkpoints.prefix == plan.model_prefix for plan, writer in runs)
    assert os.listdir(tmp_path) == []


def test_a_run_that_ends_between_the_look_and_the_claim_keeps_its_prefix(tmp_path, monkeypatch):
    def other_run_first(checkpoints):
        if checkpoints.prefix.name == "book":
            write_run(checkpoints.prefix)
        return writer_class(checkpoints)

    writer_class = begin.RunWriter
    monkeypatch.setattr(begin, "RunWriter", other_run_first)
    with begin_numbered(tmp_path) as (plan, _), Staging(tmp_path / "book"):  # it is free again
        assert plan.model_prefix.name == "book-run02"


def test_a_prefix_that_a_killed_run_has_left_without_a_checkpoint_is_taken(tmp_path):
    (tmp_path / ".book.staging").mkdir()
    with begin_numbered(tmp_path) as (plan, _):
        assert plan.model_prefix.name == "book"


def test_a_prefix_that_is_given_has_no_number(tmp_path):
    with open_run(REC, tmp_path / "book") as (plan, _):
        assert plan.model_prefix == tmp_path / "book"
        with pytest.raises(InUseError, match="a training run, process"), open_run(REC, tmp_path / "book"):
            pass


def test_options_are_checked_before_a_folder_is_made(tmp_path):
    with pytest.raises(PlanError, match="seed"), open_run(REC, tmp_path / "m" / "book", seed=-1):
        pass
    assert os.listdir(tmp_path) == []


def test_a_resumed_run_is_the_last_one_with_a_checkpoint_and_nobody_elses(tmp_path):
    for name in ("book", "book-run02"):
        write_run(tmp_path / name, seed=7)
    (tmp_path / ".book-run03.staging").mkdir()
    with begin_numbered(tmp_path, resume=True, threads=2) as (plan, writer):
        assert plan.model_prefix == tmp_path / "book-run02" and plan.resume and writer.has_checkpoint
        assert (plan.seed, plan.threads, plan.epochs) == (7, 2, 3)
        with pytest.raises(InUseError), open_run(None, tmp_path / "book-run02", resume=True):
            pass


def test_the_record_is_read_when_the_prefix_is_held(tmp_path, monkeypatch):
    def is_read(checkpoints):
        with pytest.raises(InUseError):
            Staging(checkpoints.prefix)
        return read(checkpoints)

    write_run(tmp_path / "book")
    read = Checkpoints.run_record
    monkeypatch.setattr(Checkpoints, "run_record", is_read)
    with open_run(None, tmp_path / "book", resume=True):
        pass


def test_a_run_that_does_not_exist_is_not_resumed_and_no_folder_is_made(tmp_path):
    with pytest.raises(TrainError, match=r"expected a checkpoint such as book-0001\.params, got none"):
        with open_run(None, tmp_path / "m" / "book", resume=True):
            pass
    assert os.listdir(tmp_path) == []


def test_the_plan_of_a_resumed_run_is_made_of_its_record_alone():
    begun = TrainPlan.from_options(REC, Path("nowhere/a"), recipe="book", seed=3)
    facts = {"options": recorded_options(begun.options(), Path("nowhere")), "epochs": 4, "shape": [1, 28, 28]}
    record = RunRecord(Path("nowhere/a-run.json"), facts)
    plan = TrainPlan.from_record(record, None, Path("nowhere/a"), threads=2)
    assert plan.resume and (plan.seed, plan.epochs, plan.threads, plan.recipe) == (3, 4, 2, "book, version 2")
    assert TrainPlan.from_record(record, Path("b.rec"), Path("nowhere/a")).path == Path("b.rec")
    with pytest.raises(PlanError, match="seed: expected 3 to continue the run, got 4"):
        TrainPlan.from_record(record, None, Path("nowhere/a"), seed=4)
