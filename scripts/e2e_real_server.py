"""Runs `joulebar bench --quick` against llama.cpp's server and compares the report with the server's own words.

The server's words are taken from its bytes on the wire, through a relay, and not from anything that Joulebar says.
Prints one `ok` / `not ok` line a check; fails if one failed.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import urllib.parse

from recording_proxy import Exchange, RecordingProxy

SCRIPTS = pathlib.Path(__file__).parent
# below this, one token more or less at either end of the window is more than the tolerance
RATE_FROM_TOKENS = 64
RATE_TOLERANCE = 0.05


class Checks:
    def __init__(self) -> None:
        self.failed = 0

    def check(self, good: bool, what: str, detail: str = "") -> bool:
        print(f"{'ok' if good else 'not ok'} - {what}{f' ({detail})' if detail else ''}", flush=True)
        self.failed += not good
        return good


@dataclasses.dataclass
class Answer:
    """One generation as the server told it."""

    prompt: str
    text: str
    prompt_tokens: int
    completion_tokens: int
    tokens_per_second: float

    @classmethod
    def of(cls, exchange: Exchange) -> "Answer | None":
        """None for whatever is not a whole streamed answer with usage and timings."""
        if exchange.method != "POST" or not exchange.path.endswith("/chat/completions") or exchange.status != 200:
            return None
        events = exchange.events()
        usage = next((event["usage"] for event in events if event.get("usage")), None)
        timings = next((event["timings"] for event in events if event.get("timings")), None)
        if usage is None or timings is None:
            return None
        deltas = [choice["delta"] for event in events for choice in event.get("choices", [])]
        return cls(
            prompt=exchange.request_json()["messages"][-1]["content"],
            text="".join(delta.get("content") or "" for delta in deltas),
            prompt_tokens=usage["prompt_tokens"],
            completion_tokens=usage["completion_tokens"],
            tokens_per_second=timings["predicted_per_second"],
        )


def compare(checks: Checks, prompts: list[dict], answers: list[Answer]) -> None:
    compared = 0
    for number, prompt in enumerate(prompts, 1):
        name = f"prompt {number}"
        # a nonce may stand in front of the prompt, and a warm-up may have sent the same one before
        matching = [a for a in answers if prompt["prompt"] in a.prompt and a.text.strip() == prompt["response"].strip()]
        if not checks.check(bool(matching), f"{name}: its answer is one that the server gave"):
            continue
        answer, stats = matching[-1], prompt["inference_stats"]
        for field in ("prompt_tokens", "completion_tokens"):
            said = getattr(answer, field)
            checks.check(stats[field] == said, f"{name}: {field} as the server counts them", f"{stats[field]}, {said}")
        if answer.completion_tokens >= RATE_FROM_TOKENS:
            ours, theirs = stats["tokens_per_second"], answer.tokens_per_second
            close = ours is not None and abs(ours - theirs) <= RATE_TOLERANCE * theirs
            error = "" if ours is None else f", {100 * (ours / theirs - 1):+.2f} %"
            checks.check(close, f"{name}: decode rate within 5 % of the server's", f"{ours}, {theirs:.3f} tokens/s{error}")
            compared += 1
            kept = stats["reported"]["tokens_per_second"]
            checks.check(kept == theirs, f"{name}: the server's own rate is kept as it was sent", f"{kept}")
    checks.check(compared > 0, f"at least one answer has {RATE_FROM_TOKENS} tokens or more", f"{compared}")


def run(checks: Checks, joulebar: pathlib.Path, directory: pathlib.Path, server_url: str) -> None:
    upstream = urllib.parse.urlsplit(server_url)
    proxy = RecordingProxy(upstream.hostname, upstream.port)
    report_path = directory / "report.json"
    bench = [joulebar, "bench", "--quick", "--server", proxy.url, "--source", "demo", "--output", report_path]
    # the nonces decide what the model says; with these it says enough for a rate
    bench += ["--seed", "1"]
    status = subprocess.run(bench, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=900).returncode
    if not checks.check(status == 0, "joulebar bench --quick ends well", f"exit {status}"):
        return
    status = subprocess.run([joulebar, "verify", report_path], stdout=sys.stderr, timeout=120).returncode
    checks.check(status == 0, "joulebar verify accepts the report", f"exit {status}")
    report = json.loads(report_path.read_text())
    prompts = report["prompts"]
    simulation = report["simulation"]
    honest = report["simulated"] is True and simulation == {"power": True, "server": False}
    checks.check(honest, "the report says that its watts are simulated and its server is not", f"{simulation}")
    checks.check("smollm2" in report["model"].lower(), "the report names the server's model", report["model"])
    checks.check(len(prompts) == report["summary"]["total_prompts"] > 0, "every prompt of the suite is in it", f"{len(prompts)}")
    for number, prompt in enumerate(prompts, 1):
        sampled = prompt["power_consumption"]["inference"]["sample_count"]
        checks.check(sampled > 0, f"prompt {number}: power was sampled during inference", f"{sampled} samples")
    compare(checks, prompts, [answer for answer in map(Answer.of, proxy.exchanges()) if answer])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--joulebar", type=pathlib.Path, required=True)
    parser.add_argument("--directory", type=pathlib.Path, required=True, help="for the report and the server's log")
    arguments = parser.parse_args()
    checks = Checks()
    command = [SCRIPTS / "llm_server.sh", "--log", arguments.directory / "server.log"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            word, _, url = server.stdout.readline().strip().partition(" ")
            if checks.check(word == "READY", "llama.cpp serves SmolLM2", url):
                run(checks, arguments.joulebar, arguments.directory, url)
        finally:
            server.terminate()
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
