"""llama.cpp's own HTTP server, in this process, on one GGUF file. Called by llm_server.sh."""

import argparse
import hashlib
import os
import pathlib
import signal
import stat
import sys
import threading


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--sha256", required=True, help="the model file's expected checksum")
    parser.add_argument("--alias", default="smollm2-135m-instruct", help="name under which the server lists the model")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    # One thread: two of them, on two cores that something else uses too, wait for each other most of the time.
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--log", type=pathlib.Path, help="where the server's messages go (default: standard error)")
    return parser.parse_args()


def check_model(path: pathlib.Path, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest() if sys.version_info >= (3, 11) else digest(file)
    if found != expected:
        sys.exit(f"error: {path} has checksum {found}, expected {expected}. Delete its directory and try again.")


def digest(file) -> str:
    checksum = hashlib.sha256()
    while block := file.read(1 << 20):
        checksum.update(block)
    return checksum.hexdigest()


def start_server(arguments: argparse.Namespace):
    import xllamacpp  # here, because loading it takes a second and an argument error should not wait

    params = xllamacpp.CommonParams()
    params.model.path = str(arguments.model)
    params.model_alias = {arguments.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = arguments.threads
    params.cpuparams_batch.n_threads = arguments.threads
    params.n_gpu_layers = 0
    params.warmup = True
    params.offline = True
    params.endpoint_props = True
    params.endpoint_slots = True
    params.verbosity = 2
    return xllamacpp.Server(params)


def wait_for_end(done: threading.Event) -> None:
    """Returns on a signal, when the parent has gone, or at the end of a piped standard input."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: done.set())
    # a shell gives its background jobs /dev/null, which is at its end at once; only a pipe is somebody's
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), done.set()), daemon=True).start()
    parent = os.getppid()
    while not done.wait(0.25) and os.getppid() == parent:
        pass


def main() -> None:
    arguments = parse_arguments()
    check_model(arguments.model, arguments.sha256)
    ready = os.dup(1)
    # llama.cpp's messages must not mix with the READY line
    log = os.open(arguments.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if arguments.log else 2
    os.dup2(log, 1)
    os.dup2(log, 2)
    server = start_server(arguments)
    os.write(ready, f"READY {server.listening_address}\n".encode())
    wait_for_end(threading.Event())
    os._exit(0)  # the server's threads have no orderly end from here, and nothing to save


if __name__ == "__main__":
    main()
