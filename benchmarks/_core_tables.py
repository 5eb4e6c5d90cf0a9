"""The tables about single steps of the core, made from `results/`."""

from __future__ import annotations

import statistics

from _results import read_facts


def entropy() -> list[str]:
    """Return the time of a Huffman symbol by each decoder."""
    about, (facts,) = read_facts("entropy")
    lines = [f"| {about['date']} | ns a symbol (lowest to highest) | ticks a symbol |", "| --- | --- | --- |"]
    for case in facts["cases"]:
        low, middle, high = (
            1e9 / rate for rate in (max(case["img_s"]), statistics.median(case["img_s"]), min(case["img_s"]))
        )
        ticks = facts["ticks_a_symbol"][case["title"]]
        lines.append(f"| {case['title']} | {middle:.2f} ({low:.2f} to {high:.2f}) | {ticks:.1f} |")
    return lines


def planes_output() -> list[str]:
    """Return bytes and PSNR of packs by planes and as RGB."""
    about, (facts,) = read_facts("planes")
    kinds = {row["photos"]: row["n"] for row in facts["outputs"] if row["photos"] != "no chroma"}
    titles = " | ".join(f"{n} photos with {kind}" for kind, n in kinds.items())
    lines = [f"| {about['date']} | {titles} |", f"| --- |{' --- |' * len(kinds)}"]
    for way in dict.fromkeys(row["way"] for row in facts["outputs"]):
        rows = [row for row in facts["outputs"] if row["way"] == way and row["photos"] in kinds]
        cells = [f"{row['psnr_db']:.2f} dB ({row['lowest_psnr_db']:.2f}), {row['bytes']:,} bytes" for row in rows]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return lines


def planes_difference() -> list[str]:
    """Return the differences of planes, of Y, Cb and Cr."""
    about, (facts,) = read_facts("planes")
    lines = [
        f"| {about['date']} | between | mean | mean of the worst photo | 99.9th percentile | largest |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in facts["differences"]:
        values = [", ".join(f"{value:.2f}" for value in row[name]) for name in ("mean", "worst_mean")]
        values += [", ".join(f"{value:.0f}" for value in row[name]) for name in ("worst_p999", "worst_max")]
        lines.append(f"| {row['photos']} | {row['between']} | {' | '.join(values)} |")
    return lines


def threads() -> list[str]:
    """Return the counts per image with each number of threads, and the serial share."""
    about, (facts,) = read_facts("threads")
    titles = ("allocations", "of 128 KiB or more", "locks", "futex calls", "memory calls", "page faults", "switches")
    names = ("allocations", "large", "locks", "futex", "memory", "faults", "switches")
    n_cores = " and ".join(facts["rows"][0]["speedups"])
    heads = ("threads", *titles, "CPU", "main thread", "serial", f"speed-up on {n_cores} cores")
    lines = [f"| {about['date']}, per image | {' | '.join(heads)} |", f"| --- |{' --- |' * len(heads)}"]
    for row in facts["rows"]:
        cells = [f"{max(0, row[name]):.2f}" for name in names]  # differences of two runs may be a little below 0
        cells += [f"{1e6 * row[name]:.1f} µs" for name in ("cpu_s", "main_s")]
        speedups = " and ".join(f"{speedup:.0f}" for speedup in row["speedups"].values())
        lines.append(f"| {row['case']} | {row['threads']} | {' | '.join(cells)} | {row['serial']:.0%} | {speedups} |")
    return lines
