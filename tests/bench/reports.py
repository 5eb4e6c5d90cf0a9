"""Made-up reports."""

from recordkit.bench.report import Case, Report


def case(name, title, rates, threads=2):
    n = len(rates)
    return Case(name, title, threads, "measured", "", list(rates), [1.1] * n, [0.05] * n, [123.0] * n)


def report(*, faster=1.0, noise=0.01, threads=(2,), n_rounds=5):
    """Return a report of recordkit, an iterator with spread, the reference, and two cases that were not measured."""
    spread = [1 + 0.01 * (number % 3 - 1) for number in range(n_rounds)]
    cases = [
        case("native", "recordkit native", [6000 * faster * factor * count / 2 for factor in spread], count)
        for count in threads
    ]
    cases += [
        case("image-record-iter", "MXNet ImageRecordIter", [1700 * factor for factor in reversed(spread)]),
        case("image-iter", "MXNet ImageIter, .rec", [600.0] * n_rounds),
        Case("dali", "DALI, CPU", 2, "absent", "not installed; pip install nvidia-dali-cuda120"),
        Case("torch", "torch DataLoader, Pillow", 2, "failed", "MemoryError: <b>no</b>"),
    ]
    return Report(
        machine={"cpu": "a CPU", "cpus": 2, "memory_gb": 8.0, "system": "Linux", "python": "3.11"},
        file={"name": "photos.rec", "bytes": 31_000_000, "records": 1000, "sha256": "0" * 64},
        workload={"title": "crop 224x224, mirror, normalise; RGB, float32 NCHW, batches of 64", "preset": "crop"},
        versions={"recordkit": "0.1.0"},
        command="recordkit bench photos.rec",
        date="2026-11-21T12:00:00+00:00",
        protocol={"rounds": n_rounds, "epochs": 2, "round_s": 1.0, "turns": 10, "cache": "warm"},
        reference="image-iter",
        noise=noise,
        cases=cases,
    )
