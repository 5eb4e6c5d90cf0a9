"""How long does the Huffman decoding of a JPEG take? Beside libjpeg-turbo, and beside another version of recordkit.

Usage: python benchmarks/compare_entropy.py --photos DIR [--before CHECKOUT] [--epochs N] [--repeats N] [--json FILE]

--photos: folder of JPEGs of any size; progressive ones are left out.
--before: a checkout of recordkit, whose decoder is timed too.

Method: peers/entropy.cpp decodes the images and reads the processor's clock before and after each call of the function
that decodes an MCU. Each case is a program, and all programs run in turn, round after round.

It needs g++ for x86-64, and libjpeg-turbo with its header jpegint.h (Debian: libjpeg-dev). Ticks are of the clock that
rdtsc reads, which does not change with the processor's frequency. It does not show the copy of the scan without byte
stuffing, which recordkit makes before the first MCU, or the inverse DCT.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from _run import compare_commands, write

PEER = Path(__file__).parent / "peers" / "entropy.cpp"
CHECKOUT = Path(__file__).parent.parent


def build(program: Path, checkout: Path | None) -> list[str]:
    """Compile the program with the decoder of a checkout, or with libjpeg-turbo's; return its command line."""
    command = ["g++", "-O3", "-std=c++17", str(PEER), "-o", str(program)]
    if checkout is not None:
        sources = checkout.resolve() / "recordkit" / "native" / "src"
        command += ["-DRECORDKIT", f"-I{sources}", *map(str, sorted(sources.glob("huffman*.cpp")))]
    subprocess.run([*command, "-ljpeg"], check=True)
    return [str(program)]


def tick_rate(command: list[str]) -> float:
    """Return the ticks of a second of the processor's clock."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["ticks_per_s"])


def main() -> None:
    """Compile the programs and time them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, metavar="DIR", required=True)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    parser.add_argument("--epochs", type=int, default=4, help="epochs in a round")
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    photos = [str(file) for file in sorted(options.photos.rglob("*")) if file.suffix.lower() in (".jpg", ".jpeg")]
    with tempfile.TemporaryDirectory() as folder:
        programs = {"libjpeg-turbo": build(Path(folder, "libjpeg"), None)}
        if options.before is not None:
            programs["recordkit, before"] = build(Path(folder, "before"), options.before)
        programs["recordkit"] = build(Path(folder, "now"), CHECKOUT)
        commands = {title: [*program, str(options.epochs), *photos] for title, program in programs.items()}
        facts = compare_commands("Huffman decoding", commands, "symbols/s", rounds=options.repeats, threads=1)
        ticks = tick_rate([*programs["recordkit"], "1", *photos])
    ticks_a_symbol = {case["title"]: ticks / statistics.median(case["img_s"]) for case in facts["cases"]}
    print("\n".join(f"  {title}: {number:.2f} ticks a symbol" for title, number in ticks_a_symbol.items()))
    write(options.json, [facts | {"ticks_a_symbol": ticks_a_symbol}])


if __name__ == "__main__":
    main()
