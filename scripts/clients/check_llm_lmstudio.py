"""llm with its plugin llm-lmstudio, an /api/v0 client, against the simulator."""

import os
import subprocess
import sys
import tempfile
from importlib.metadata import version

from judge import check, equal, finish, server, true

CHAT, THINKER, EMBED = "joulebar/tiny-chat-1b", "joulebar/thinker-4b", "text-embedding-joulebar-mini"
SCENARIO = """
[server]
load_ms = 100
[[request]]
match = "*"
prefill_fixed_ms = 20
decode_tokens_per_s = 200.0
output_tokens = 30
"""
NAME = f"llm-lmstudio {version('llm-lmstudio')}"

with server(scenario=SCENARIO) as running, tempfile.TemporaryDirectory() as home:
    # the plugin reads it when it is imported
    os.environ.update(LMSTUDIO_API_BASE=running.url, LLM_USER_PATH=home)
    import llm

    models = {model.model_id: model for model in llm.get_models() if model.model_id.startswith("lmstudio/")}
    with check(f"{NAME}: lists the models of /api/v0 with their state"):
        equal(sorted(models), [f"lmstudio/{THINKER}", f"lmstudio/{CHAT}"])
        loaded, idle = models[f"lmstudio/{CHAT}"].inspect(), models[f"lmstudio/{THINKER}"].inspect()
        equal((loaded["state"], idle["state"], loaded["api_path"]), ("loaded", "not-loaded", "/api/v0"))
        equal((loaded["arch"], loaded["quantization"], loaded["publisher"]), ("llama", "Q4_K_M", "joulebar"))
        true(EMBED in [model.model_id for model in llm.get_embedding_models()], "embedding model is missing")

    with check(f"{NAME}: streams an answer"):
        pieces = list(models[f"lmstudio/{CHAT}"].prompt("What is 2+2?", max_tokens=12))
        equal(len(pieces), 12)
        true("".join(pieces).startswith("Simulated answer:"), pieces)

    with check(f"{NAME}: gets an answer in one piece, with its usage"):
        response = models[f"lmstudio/{CHAT}"].prompt("What is 2+2?", stream=False, max_tokens=12)
        true(response.text().startswith("Simulated answer:"), response.text())
        usage = response.usage()
        equal((usage.input, usage.output), (14, 12))

    with check(f"{NAME}: loads a model that is not loaded and keeps its reasoning apart"):
        response = models[f"lmstudio/{THINKER}"].prompt("Why?")
        true(response.text().startswith("Simulated answer:"), response.text())

    with check(f"{NAME}: goes on with a conversation"):
        conversation = models[f"lmstudio/{CHAT}"].conversation()
        first = conversation.prompt("One", stream=False)
        first.text()
        second = conversation.prompt("Two", stream=False)
        second.text()
        true(second.usage().input > first.usage().input + 25, (first.usage(), second.usage()))

    with check(f"{NAME}: embeds"):
        equal(len(llm.get_embedding_model(EMBED).embed("water")), 8)

    with check(f"{NAME}: answers at the command line"):
        command = [sys.executable, "-m", "llm", "-m", f"lmstudio/{CHAT}", "-o", "max_tokens", "8", "What is 2+2?"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        equal((done.returncode, done.stdout.startswith("Simulated answer:")), (0, True))

    with check(f"{NAME}: its requests went to the routes of /api/v0"):
        log = running.log()
        equal({entry["route"] for entry in log}, {"/api/v0/chat/completions"})
        equal({entry["outcome"] for entry in log}, {"complete"})

finish()
