"""OpenAI's own Python package against the simulator's /v1."""

import asyncio
import time
from importlib.metadata import version

import openai

from judge import check, equal, finish, server, true

CHAT, THINKER, EMBED = "joulebar/tiny-chat-1b", "joulebar/thinker-4b", "text-embedding-joulebar-mini"
TOKEN = "sk-lm-abcd1234:abcdefghij0123456789"
QUICK = """
[[request]]
match = "*"
prefill_fixed_ms = 20
decode_tokens_per_s = 200.0
output_tokens = 40
"""
MESSAGES = [{"role": "user", "content": "What is 2+2?"}]
NAME = f"openai {version('openai')}"


def client(running, key="any"):
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key=key, max_retries=0, timeout=30)


def fails(kind, call):
    """The error of `kind` that `call` raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


with server(scenario=QUICK) as running:
    api = client(running)
    with check(f"{NAME}: lists and gets models"):
        equal([model.id for model in api.models.list()], [CHAT, THINKER, EMBED])
        equal(api.models.retrieve(CHAT).owned_by, "organization_owner")
        fails(openai.NotFoundError, lambda: api.models.retrieve("nothing"))

    with check(f"{NAME}: completes a chat"):
        answer = api.chat.completions.create(model=CHAT, messages=MESSAGES, max_tokens=16, temperature=0)
        equal((answer.object, answer.model, answer.choices[0].finish_reason), ("chat.completion", CHAT, "length"))
        true(answer.choices[0].message.content.startswith("Simulated answer:"), answer.choices[0].message.content)
        equal((answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens), (14, 16, 30))
        equal(answer.usage.completion_tokens_details.reasoning_tokens, 0)
        equal(answer.model_extra["stats"], {})

    with check(f"{NAME}: streams a chat with usage"):
        begun = time.monotonic_ns()
        arrived, text, usage, reason = [], "", None, None
        options = {"include_usage": True}
        stream = api.chat.completions.create(model=CHAT, messages=MESSAGES, stream=True, stream_options=options)
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                arrived.append(time.monotonic_ns())
                text += chunk.choices[0].delta.content
            if chunk.choices and chunk.choices[0].finish_reason:
                reason = chunk.choices[0].finish_reason
            if chunk.usage:
                equal(chunk.choices, [])
                usage = chunk.usage
        equal((reason, usage.completion_tokens, len(arrived)), ("stop", 40, 39))
        true(text.startswith("Simulated answer:"), text)

    with check(f"{NAME}: gets no usage that it did not ask for"):
        stream = api.chat.completions.create(model=CHAT, messages=MESSAGES, stream=True)
        equal([chunk.usage for chunk in stream if chunk.usage], [])

    with check(f"{NAME}: gets reasoning apart from the answer"):
        stream = api.chat.completions.create(model=THINKER, messages=MESSAGES, stream=True)
        deltas = [chunk.choices[0].delta for chunk in stream if chunk.choices]
        reasoning = "".join((delta.model_extra or {}).get("reasoning_content") or "" for delta in deltas)
        true(reasoning.startswith("Simulated thought:"), reasoning)
        true("".join(delta.content or "" for delta in deltas).startswith("Simulated answer:"), deltas)

    with check(f"{NAME}: completes a raw prompt"):
        answer = api.completions.create(model=CHAT, prompt="To be or not", max_tokens=5)
        equal((answer.object, answer.usage.prompt_tokens, answer.usage.completion_tokens), ("text_completion", 4, 5))

    with check(f"{NAME}: embeds with an embedding model only"):
        equal(len(api.embeddings.create(model=EMBED, input=["a", "b"], encoding_format="float").data), 2)
        fails(openai.BadRequestError, lambda: api.embeddings.create(model=CHAT, input="a"))

    with check(f"{NAME}: sees the simulator's header"):
        raw = api.chat.completions.with_raw_response.create(model=CHAT, messages=MESSAGES, max_tokens=2)
        equal(raw.headers["x-joulebar-simulator"], "1")
        true(raw.headers["x-joulebar-request"].startswith("r"), raw.headers)

    with check(f"{NAME}: is refused without messages and for a format that LM Studio has not"):
        fails(openai.BadRequestError, lambda: api.post("/chat/completions", body={"model": CHAT}, cast_to=object))
        wanted = {"type": "json_object"}
        call = lambda: api.chat.completions.create(model=CHAT, messages=MESSAGES, response_format=wanted)
        words = "'response_format.type' must be 'json_schema' or 'text'"
        equal(fails(openai.BadRequestError, call).response.json(), {"error": words})

    with check(f"{NAME}: gets four answers at once"):

        async def four():
            async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0) as many:
                calls = [many.chat.completions.create(model=CHAT, messages=MESSAGES, max_tokens=8) for _ in range(4)]
                return await asyncio.gather(*calls)

        equal([answer.usage.completion_tokens for answer in asyncio.run(four())], [8] * 4)

    with check(f"{NAME}: sees each delta when the server sends it"):
        log = [entry for entry in running.log() if entry["route"] == "/v1/chat/completions" and entry["stream"]][0]
        sent = [delta["at_ns"] for delta in log["deltas"]]
        equal(len(sent), len(arrived))
        late_ms = sorted((seen - at) / 1e6 for at, seen in zip(sent, arrived))
        print(f"# first {(arrived[0] - sent[0]) / 1e6:.2f} ms, median {late_ms[len(late_ms) // 2]:.2f} ms, worst {late_ms[-1]:.2f} ms")
        true(late_ms[0] >= 0, "seen before it was sent")
        true(begun <= log["received_ns"], "received before it was sent")
        true(late_ms[len(late_ms) // 2] < 50, "events are held back")

with server("--token", TOKEN) as running:
    with check(f"{NAME}: fails to authenticate with a malformed or a wrong token"):
        error = fails(openai.AuthenticationError, lambda: client(running, "dummy-lm-studio-key").models.list())
        equal((error.status_code, error.code), (401, "invalid_api_key"))
        true("Malformed LM Studio API token provided: dummy-lm..." in str(error), error)
        fails(openai.AuthenticationError, lambda: client(running, TOKEN[:-1] + "z").models.list())

    with check(f"{NAME}: fails to authenticate without a token"):
        bare = client(running)
        headers = {"Authorization": openai.Omit()}
        error = fails(openai.AuthenticationError, lambda: bare.models.list(extra_headers=headers))
        true("An LM Studio API token is required" in str(error), error)

    with check(f"{NAME}: authenticates with the right token"):
        true(len(client(running, TOKEN).models.list().data) == 3, "models are missing")

with server(scenario=f'[server]\nloaded = ["{CHAT}"]\n{QUICK}') as running:
    with check(f"{NAME}: is answered by the only loaded model for an unknown name"):
        equal(client(running).chat.completions.create(model="o4-mini", messages=MESSAGES).model, CHAT)

with server(scenario=f'[server]\nloaded = ["{CHAT}", "{THINKER}"]\n{QUICK}') as running:
    with check(f"{NAME}: is refused for an unknown name when two models are loaded"):
        call = lambda: client(running).chat.completions.create(model="o4-mini", messages=MESSAGES)
        error = fails(openai.BadRequestError, call)
        equal((error.code, error.param), ("model_not_found", "model"))

with server(scenario="[server]\nloaded = []\njit = false") as running:
    with check(f"{NAME}: is refused when no model is loaded"):
        call = lambda: client(running).chat.completions.create(model=CHAT, messages=MESSAGES)
        true("No models loaded" in str(fails(openai.BadRequestError, call)), "other words")
        equal(client(running).models.list().data, [])

with server(scenario=f'{QUICK}\n[[request]]\nmatch = 1\nfault = "error"\n[[request]]\nmatch = 2\nfault = "cut"') as running:
    with check(f"{NAME}: raises the error inside of a stream"):
        call = lambda: list(client(running).chat.completions.create(model=CHAT, messages=MESSAGES, stream=True))
        true("simulated failure" in str(fails(openai.APIError, call)), "other words")
    with check(f"{NAME}: notices a connection that breaks in a stream"):
        fails(Exception, lambda: list(client(running).chat.completions.create(model=CHAT, messages=MESSAGES, stream=True)))

finish()
