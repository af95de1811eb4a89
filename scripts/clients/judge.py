"""Starts the simulated LM Studio for a client and prints what the client found, one line for each check."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback

failed = 0


class Server:
    """A running `joulebar-sim lmstudio`."""

    def __init__(self, process, clock_log):
        self._process = process
        self._clock_log = clock_log
        line = process.stdout.readline().strip()
        if not line.startswith("READY "):
            raise RuntimeError(f"the simulator did not start: {line!r}")
        self.url = line.removeprefix("READY ")

    def stop(self):
        """Ends the server, after which its log is complete."""
        if self._process.stdin:
            self._process.stdin.close()
            self._process.stdin = None
        self._process.wait(timeout=30)

    def log(self):
        """One entry for each generation so far, in the order in which they ended. Ends the server."""
        self.stop()
        return [json.loads(line) for line in self._clock_log.read_text().splitlines()]


@contextlib.contextmanager
def server(*options, scenario=""):
    """A server with the given options and scenario text, for the length of a `with` block."""
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        (directory / "scenario.toml").write_text(scenario)
        clock_log = directory / "clock.ndjson"
        command = [os.environ["JOULEBAR_SIM"], "lmstudio", "--exit-with-stdin", "--scenario", directory / "scenario.toml"]
        process = subprocess.Popen(
            [*command, "--clock-log", clock_log, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            running = Server(process, clock_log)
            yield running
            running.stop()
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def check(name):
    """One check: what happens inside of the `with` block must not fail."""
    global failed
    try:
        yield
    except Exception:
        failed += 1
        print(f"not ok - {name}", flush=True)
        traceback.print_exc()
    else:
        print(f"ok - {name}", flush=True)


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"found {found!r}, expected {expected!r}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def finish():
    """Ends the program; fails if a check failed."""
    sys.exit(1 if failed else 0)
