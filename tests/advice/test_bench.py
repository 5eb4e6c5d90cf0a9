"""Following the advices of `recordkit bench`. Reports are made up, because a measurement takes seconds."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest
from advice.walk import advice, commands, text_of
from bench.reports import report

import recordkit as rk
from recordkit import recordio
from recordkit.bench import machine, protocol
from recordkit.bench.workload import resolve_workload


def measured():
    whole = report()
    return dataclasses.replace(whole, cases=[case for case in whole.cases if case.measured])


@pytest.fixture
def rec(photos, monkeypatch):
    """A .rec file, and a measurement that takes no time."""
    rk.pack("photos", "out")
    monkeypatch.setattr("recordkit.cli.commands.bench.run_comparison", lambda *_, **__: measured())
    return "out.rec"


def test_nothing_to_measure(rec, fails, works):
    advice("cli/commands/bench.py", "give it, or two reports with `compare`", fails("bench"))
    works("bench", rec)
    for name in ("old.json", "new.json"):
        Path(name).write_text(json.dumps(measured().as_json()))
    works("bench", "--compare", "old.json", "new.json")


def test_a_budget_for_few_rounds(rec, monkeypatch, works):
    def run(plan, *, on_round, **_):
        on_round(measured(), 3 if plan.n_records > 2 else 12)
        return measured()

    monkeypatch.setattr("recordkit.cli.commands.bench.run_comparison", run)
    text = works("bench", rec)
    (n_rounds,) = advice(
        "cli/commands/bench.py", "The budget is enough for {} rounds, the fewest; --records makes rounds shorter.", text
    )
    assert n_rounds == "3" and "The budget" not in works("bench", rec, "--records", 2)


def test_outputs(rec, fails, works):
    works("bench", rec, "--csv", "new/table.csv")
    advice("cli/commands/bench.py", "give another name", fails("bench", rec, "--report", "out.json"))
    works("bench", rec, "--report", "another.json")


def test_a_file_that_is_no_report(rec, fails, works):
    Path("old.json").write_text("{}")
    error = fails("bench", "--compare", "old.json", "old.json")
    advice("bench/report.py", "a report of 'recordkit bench --json'", error)
    ((*command,),) = commands(error)
    code_and_text = works(*command, rec)
    Path("old.json").write_text(code_and_text)
    works("bench", "--compare", "old.json", "old.json")


def test_reports_without_a_common_reference(rec, fails, works):
    old, new = measured().as_json(), measured().as_json()
    old["cases"] = [case for case in old["cases"] if case["name"] != old["reference"]]
    for name, facts in (("old.json", old), ("new.json", new)):
        Path(name).write_text(json.dumps(facts))
    advice("bench/report.py", "measure it in both runs", fails("bench", "--compare", "old.json", "new.json"))
    Path("old.json").write_text(json.dumps(new))
    works("bench", "--compare", "old.json", "new.json")


def test_a_shape_larger_than_the_images(rec, fails, works):
    advice("bench/workload.py", "give a smaller `shape`, or `resize`", fails("bench", rec, "--shape", "3,24,24"))
    works("bench", rec, "--shape", "3,20,20")
    works("bench", rec, "--shape", "3,24,24", "--resize", 24)


def test_a_name_that_mxnet_does_not_read(rec, fails, works):
    for suffix in (".rec", ".idx"):
        shutil.copy(f"out{suffix}", f"other{suffix}".removesuffix(".rec"))
    advice("bench/workload.py", "rename it and its .idx", fails("bench", "other"))
    Path("other").rename("other.rec")
    works("bench", "other.rec")


def test_a_record_that_is_no_image(rec, fails):
    with recordio.MXIndexedRecordIO("plain.idx", "plain.rec", "w") as writer:
        for key, payload in enumerate((b"no image", Path("photos/cat/0.jpg").read_bytes())):
            writer.write_idx(key, recordio.pack(recordio.IRHeader(0, 1.0, key, 0), payload))
    error = fails("bench", "plain.rec")
    advice("formats/frame.py", "run 'recordkit verify --decode {}'", error)
    (command,) = commands(error)
    assert "expected an image, got 8 bytes" in fails(*command)


def test_a_file_that_stays_in_the_cache(rec, monkeypatch, works):
    monkeypatch.setattr(machine, "cached_share", lambda _path: 0.5)
    monkeypatch.setattr(machine, "drop_from_cache", lambda _path: None)
    error = text_of(lambda: protocol._drop_from_cache(resolve_workload(rec)))
    advice(
        "bench/protocol.py",
        "another process has it mapped, or it lies in memory (tmpfs): use `cache=warm`",
        error,
    )
    works("bench", rec, "--cache", re.search('cache="(.*)"', error)[1])
