#!/usr/bin/env python3
"""CPU time that Python's plistlib needs for one powermetrics document.

usage: bench_plistlib.py [FILE]      (default: target/bench/decode.plist, written by `cargo bench --bench decode`)

Prints the median of the CPU time per document in microseconds, and the size of the document.
"""
import pathlib
import plistlib
import statistics
import sys
import time

ROUNDS, DOCUMENTS_PER_ROUND = 31, 10


def main() -> None:
    default = pathlib.Path(__file__).resolve().parent.parent / "target/bench/decode.plist"
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    document = path.read_bytes()
    if plistlib.loads(document)["elapsed_ns"] <= 0:
        sys.exit(f"{path} holds no powermetrics sample")
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        for _ in range(DOCUMENTS_PER_ROUND):
            plistlib.loads(document)
        rounds.append((time.process_time_ns() - start) / DOCUMENTS_PER_ROUND / 1e3)
    print(f"plistlib: median {statistics.median(rounds):.1f} us of CPU time for {len(document)} bytes "
          f"(Python {sys.version.split()[0]}, {ROUNDS} rounds of {DOCUMENTS_PER_ROUND})")


if __name__ == "__main__":
    main()
