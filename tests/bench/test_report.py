"""Reports: written and read as JSON, as a table and CSV, and compared."""

import csv
import io
import json

import pytest
from bench.reports import report

from recordkit.bench.report import compare_reports, read_report
from recordkit.bench.table import as_csv, comparison_remarks, report_lines, verdict_lines
from recordkit.errors import FormatError, PlanError


def test_json_has_all_figures_and_is_read_back(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(report().as_json()))
    facts = json.loads(path.read_text())
    assert set(facts) >= {"machine", "file", "versions", "command", "date", "cases"}
    first = facts["cases"][0]
    assert first["median_img_s"] == 6000 and first["ratio"] == pytest.approx(10, rel=0.01)
    assert first["interval"][0] < first["ratio"] < first["interval"][1]
    assert set(first) >= {"name", "threads", "img_s", "cpu_s_per_1000", "peak_rss_mb", "first_batch_s"}
    assert facts["cases"][3] | {"ratio": None, "interval": None, "median_img_s": None} == facts["cases"][3]
    assert read_report(path).as_json() == facts


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cases": [{}]}'])
def test_a_file_that_is_no_report_is_named(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"a\.json: expected a report of 'recordkit bench --json'"):
        read_report(path)


@pytest.mark.parametrize("rates", [["a"], [0.0, 600.0]])
def test_a_report_with_bad_rates_is_named(tmp_path, rates):
    facts = report().as_json()
    facts["cases"][0]["img_s"] = rates
    path = tmp_path / "a.json"
    path.write_text(json.dumps(facts))
    with pytest.raises(FormatError, match=r"a\.json: expected a report of 'recordkit bench --json'"):
        read_report(path)


def test_the_table_has_every_case_the_fastest_first_and_reasons_for_the_others():
    text = report_lines(report())
    rows = [line for line in text if "thread" in line and "Ratios" not in line]
    assert [row.split(",")[0] for row in rows[:3]] == ["recordkit native", "MXNet ImageRecordIter", "MXNet ImageIter"]
    assert "6,000" in rows[0] and "x9.98" in rows[0]
    assert "absent: not installed; pip install nvidia-dali-cuda120" in rows[3]
    assert any(line == "Ratios are to MXNet ImageIter, .rec, 2 threads, in the same rounds." for line in text)
    assert not any("NOISY" in line for line in text)


def test_the_table_warns_of_noise_and_wide_intervals():
    text = "\n".join(report_lines(report(noise=0.2, n_rounds=2)))
    assert "NOISY: other processes had 20% of the processors" in text
    assert "Wider than 5% to each side: recordkit native, 2 threads" in text


def test_without_the_reference_there_are_rates_and_no_ratios():
    unmeasured = report()
    unmeasured.reference = "nobody"
    assert "No ratios: nobody was not measured." in report_lines(unmeasured)
    assert unmeasured.as_json()["cases"][0]["ratio"] is None


def test_csv_has_one_line_for_each_case():
    rows = list(csv.DictReader(io.StringIO(as_csv(report()))))
    assert [row["name"] for row in rows] == ["native", "image-record-iter", "image-iter", "dali", "torch"]
    assert float(rows[0]["ratio"]) == pytest.approx(10, rel=0.01) and rows[3]["median_img_s"] == ""
    assert rows[4]["note"] == "MemoryError: <b>no</b>"


def test_a_comparison_tells_same_from_slower():
    new_reports = dict(zip(("same", "slower"), (report(n_rounds=20), report(faster=0.9, n_rounds=20)), strict=True))
    for word, new in new_reports.items():
        (native, verdict), (iterator, iterator_verdict) = compare_reports(report(n_rounds=20), new)
        assert (native.name, verdict.word) == ("native", word)
        assert (iterator.name, iterator_verdict.word) == ("image-record-iter", "same")
    assert any(
        line.startswith("recordkit native, 2 threads") and "slower" in line
        for line in verdict_lines(compare_reports(report(n_rounds=20), new_reports["slower"]))
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda report: report.file.update(sha256="1" * 64), "expected runs of the same records, got 0000"),
        (lambda report: report.workload.update(preset="none"), "expected runs of the same workload"),
        (lambda report: report.protocol.update(cache="cold"), "expected runs of the same cache, got warm and cold"),
        (lambda report: setattr(report.cases[2], "threads", 1), r"got \('image-iter', 2\) and \('image-iter', 1\)"),
        (
            lambda report: report.cases.pop(2),
            "expected image-iter as the reference of both runs",
        ),
    ],
)
def test_runs_of_different_things_are_not_compared(change, message):
    new = report()
    change(new)
    with pytest.raises(PlanError, match=message):
        compare_reports(report(), new)


def test_differences_of_machine_and_versions_are_remarks():
    old, new = report(), report()
    new.machine = new.machine | {"cpus": 64}
    new.versions = new.versions | {"recordkit": "9.9"}
    remarks = comparison_remarks(old, new)
    assert remarks[0] == "Compared are ratios to MXNet ImageIter, .rec, 2 threads, not rates."
    assert remarks[1].endswith("64 CPUs.") and remarks[1].startswith("Different machines: ")
    assert remarks[2:] == [f"Different versions: recordkit {old.versions['recordkit']}, now 9.9."]
    assert comparison_remarks(old, report()) == remarks[:1]


def test_runs_with_nothing_in_common_but_the_reference_are_refused():
    new = report()
    new.cases = [case for case in new.cases if case.name == new.reference]
    with pytest.raises(PlanError, match="expected cases beside image-iter that both runs measured, got none"):
        compare_reports(report(), new)


def test_the_reference_is_never_uncertain():
    assert [case.name for case in report(n_rounds=1).uncertain_cases()] == ["native", "image-record-iter"]
