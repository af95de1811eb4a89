"""What the app costs and how fast it is, on a private desktop with the simulated source. Prints a Markdown table.

Processor time and memory are those of the app and the web view's processes. The helper is named apart: it is
the simulated one, and its sampling tool and server (joulebar-sim) stand for programs that are not ours.
"""

import argparse
import functools
import http.server
import os
import re
import sqlite3
import statistics
import threading
import time
from pathlib import Path

from desktop import Desktop, Page, wait_for

WEB_VIEW = ("WebKitWebProcess", "WebKitNetworkProcess", "WebKitGPUProcess")
APP = ("joulebar-app", *WEB_VIEW)
HELPER = ("joulebar-helper-simulated",)
TICKS = os.sysconf("SC_CLK_TCK")
SETTINGS = '[measurement]\npreset = "full"\n'
# the text is asked for so often while the app starts
POLL_S = 0.005


def row(what, figure, aim=""):
    print(f"| {what} | {figure} | {aim} |", flush=True)


def processes(desktop, names):
    # /proc has the first 15 letters of names; the web view's processes are told by their paths, which find() reads
    return [process for name in names for process in desktop.find(name)]


def cpu_s(pids):
    """Processor time of these processes so far, in seconds."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def memory_mb(pids, field):
    total = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1))
    return total / 1024


def cost(desktop, what, aim, seconds):
    """Share of one core over `seconds`, and memory at their end."""
    app, helper = processes(desktop, APP), processes(desktop, HELPER)
    began, before, beside = time.monotonic(), cpu_s(app), cpu_s(helper)
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    if sorted(processes(desktop, APP)) != sorted(app):
        raise AssertionError(f"{what}: a process began or ended meanwhile")
    share, other = (cpu_s(app) - before) / elapsed * 100, (cpu_s(helper) - beside) / elapsed * 100
    memory = f"{memory_mb(app, 'Pss'):.0f} MB, {memory_mb(app, 'Rss'):.0f} MB"
    row(what, f"{share:.2f} % (helper {other:.2f} %); {memory}; {len(app)} processes", aim)


def start(desktop, *arguments):
    """Starts the app alone, without WebDriver, which would keep the web view busy."""
    desktop.tray.items.clear()
    environment = {name: value for name, value in desktop.environment.items() if name != "TAURI_WEBVIEW_AUTOMATION"}
    log = desktop.log
    return desktop.start([str(desktop.app), "--demo", *arguments], env=environment, stdout=log, stderr=log)


def stop(desktop, app):
    app.terminate()
    app.wait(timeout=20)
    wait_for("the end of the app", lambda: not desktop.find("joulebar-app"))


def watts(desktop):
    return re.search(r"^\d+\.\d W", desktop.tray.title())


def to_title(desktop, rounds):
    """From the start of the program until its item has a text, and until the text has watts."""
    texts, figures = [], []
    for _ in range(rounds):
        began = time.monotonic()
        app = start(desktop)
        while not desktop.tray.items:
            time.sleep(POLL_S)
        while not desktop.tray.title():
            time.sleep(POLL_S)
        texts.append(time.monotonic() - began)
        while not watts(desktop):
            time.sleep(POLL_S)
        figures.append(time.monotonic() - began)
        stop(desktop, app)
    shown = lambda times: f"{statistics.median(times) * 1e3:.0f} ms (to {max(times) * 1e3:.0f} ms, n = {len(times)})"  # noqa: E731
    row("start to the tray's text", shown(texts), "≤ 400 ms")
    row("start to the first watts in it (first sample of 1 s)", shown(figures))


def closed_open_run(desktop, seconds):
    app = start(desktop)
    wait_for("watts", lambda: watts(desktop))
    time.sleep(15)
    cost(desktop, "popover never opened, 1 Hz", "≤ 0.3 %", seconds)
    desktop.tray.click("Show Popover")
    wait_for("the web view", lambda: processes(desktop, WEB_VIEW))
    time.sleep(15)
    cost(desktop, "popover open, 1 Hz", "≤ 2 %", seconds)
    desktop.tray.click("Run Benchmark")
    wait_for("a run", lambda: re.search(r"\d/9", desktop.tray.title()), 60)
    time.sleep(15)
    cost(desktop, "popover open, run at 4 Hz", "≤ 2 %", seconds)
    stop(desktop, app)
    app = start(desktop)
    wait_for("Run Benchmark", lambda: desktop.tray.entries()["Run Benchmark"][1])
    desktop.tray.click("Run Benchmark")
    wait_for("a run", lambda: re.search(r"\d/9", desktop.tray.title()), 60)
    time.sleep(15)
    cost(desktop, "popover closed, run at 4 Hz", "≤ 2 %", seconds)
    stop(desktop, app)


def kept_or_gone(desktop, seconds):
    """A popover that was closed: its web view hidden, and taken away after a minute. What each costs, and to open it again."""
    desktop.tray.items.clear()
    page = Page(desktop.port, desktop.app, ["--demo", "--popover"], [])
    wait_for("watts", lambda: watts(desktop))
    time.sleep(15)
    handles = lambda: page.ask("GET", f"/session/{page.session}/window/handles")  # noqa: E731
    shown = lambda: page.run("return document.visibilityState === 'visible' && /\\d W|watts/.test(document.body.innerText)")  # noqa: E731

    def reopen(name, first):
        began = time.monotonic()
        desktop.tray.click("Show Popover")
        if first:
            new = wait_for("a popover", handles)[0]
            page.ask("POST", f"/session/{page.session}/window", {"handle": new})
        wait_for("the popover's watts", shown)
        row(f"opening a popover that is {name}", f"{(time.monotonic() - began) * 1e3:.0f} ms (looked at every 100 ms)")

    page.invoke("hide_popover")
    time.sleep(3)
    cost(desktop, "popover closed, its web view hidden, 1 Hz", "≤ 0.3 %", min(seconds, 45))
    reopen("hidden", False)
    page.invoke("hide_popover")
    wait_for("the end of the web view", lambda: not handles(), 90)
    time.sleep(5)
    cost(desktop, "popover closed, its web view taken away, 1 Hz", "≤ 0.3 %", seconds)
    reopen("taken away", True)
    page.close()


FIRST_ROW = """
const done = arguments[0], began = performance.now();
const look = () => document.querySelector("[role=grid] [role=gridcell]") !== null;
const observer = new MutationObserver(() => { if (look()) { observer.disconnect(); done(performance.now() - began); } });
observer.observe(document.body, { childList: true, subtree: true });
location.hash = "#/runs";
"""


def history(desktop, runs):
    """A history of so many runs, all but the first copies of its row; from the click on Runs to the first row."""
    desktop.settings('[measurement]\npreset = "quick"\nbaseline_s = 1\ncooldown_s = 1\n')
    page = desktop.open("--demo")
    wait_for("Run Benchmark", lambda: desktop.tray.entries()["Run Benchmark"][1])
    desktop.tray.click("Run Benchmark")
    wait_for("a run", lambda: re.search(r"\d/3", desktop.tray.title()), 60)
    wait_for("the end of the run", lambda: not desktop.tray.entries()["Stop"][1], 120)
    page.close()
    wait_for("the end of the app", lambda: not desktop.find("joulebar-app"))
    with sqlite3.connect(desktop.place / "data" / "history.sqlite") as database:
        columns = [name for _, name, *_ in database.execute("PRAGMA table_info(runs)") if name != "id"]
        names = ", ".join(columns)
        first = database.execute(f"SELECT {names} FROM runs").fetchone()
        marks = ", ".join("?" * len(columns))
        database.executemany(f"INSERT INTO runs ({names}) VALUES ({marks})", [first] * (runs - 1))
    page = desktop.open("--demo")
    times = []
    for _ in range(9):
        page.go("suite")
        wait_for("another view", lambda: page.run("return document.querySelector('[role=grid]') === null"))
        path = f"/session/{page.session}/execute/async"
        times.append(page.ask("POST", path, {"script": FIRST_ROW, "args": []}))
    done, answer = page.invoke("list_runs", {"query": {"text": None, "simulated": None, "by": "started", "ascending": False, "limit": 1, "offset": 0}})
    assert done and answer["total"] == runs, answer
    page.close()
    row(f"history of {runs:,} runs, click to first row", f"{statistics.median(times):.0f} ms (to {max(times):.0f} ms, n = {len(times)})", "≤ 100 ms")


class Browser(Page):
    """The same engine with a page of ours, without the app."""

    def __init__(self, port, binary):
        self.base, self.complaints = f"http://127.0.0.1:{port}", []
        options = {"binary": str(binary), "args": ["--automation"]}
        self.session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}})["sessionId"]
        self.ask("POST", f"/session/{self.session}/timeouts", {"script": 600_000})

    def open(self, url):
        self.ask("POST", f"/session/{self.session}/url", {"url": url})


def serve(folder):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def timeline(browser, url, samples):
    browser.open(f"{url}/timeline.html")
    wait_for("the page", lambda: browser.run("return Boolean(window.measure)"))
    script = "const done = arguments[1]; window.measure(arguments[0]).then(done, (error) => done({ error: String(error) }));"
    answer = browser.ask("POST", f"/session/{browser.session}/execute/async", {"script": script, "args": [samples]})
    assert "error" not in answer, answer
    first, zoom = answer["first"], sorted(answer["zoom"])
    row(f"timeline of {samples:,} samples, first drawing", f"{statistics.median(first):.0f} ms (to {max(first):.0f} ms, n = {len(first)})", "≤ 50 ms")
    row("each frame while it is zoomed", f"{statistics.median(zoom):.0f} ms (p95 {zoom[int(len(zoom) * 0.95)]:.0f} ms, n = {len(zoom)})", "≤ 16 ms")


def day(desktop, browser, url):
    browser.open(f"{url}/day.html")
    wait_for("the page", lambda: browser.run("return window.ready === true"))
    script = "const done = arguments[0]; window.hour().then(done, (error) => done(String(error)));"
    memory, kept = [], []
    for _ in range(24):
        kept.append(browser.ask("POST", f"/session/{browser.session}/execute/async", {"script": script, "args": []}))
        memory.append(memory_mb(processes(desktop, ("WebKitWebProcess",)), "Pss"))
    assert all(isinstance(count, int) and count <= 242 for count in kept), kept
    shown = ", ".join(f"{memory[hour - 1]:.0f}" for hour in (1, 3, 6, 12, 18, 24))
    row("a day of samples at 4 Hz in the popover: PSS of the web process after 1, 3, 6, 12, 18, 24 h", f"{shown} MB", "flat")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--pages", type=Path, required=True)
    parser.add_argument("--browser", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only")
    options = parser.parse_args()
    print("| what | figure | aim |\n|---|---|---|", flush=True)

    def part(name, body):
        if options.only and options.only != name:
            return
        desktop = Desktop(options.programs.resolve() / "joulebar-app")
        try:
            desktop.settings(SETTINGS)
            body(desktop)
        finally:
            desktop.close()

    def with_browser(body):
        def run(desktop):
            browser = Browser(desktop.port, options.browser)
            try:
                body(desktop, browser, serve(options.pages.resolve()))
            finally:
                browser.close()

        return run

    part("title", lambda desktop: to_title(desktop, 9))
    part("cost", lambda desktop: closed_open_run(desktop, options.seconds))
    part("closed", lambda desktop: kept_or_gone(desktop, options.seconds))
    part("history", lambda desktop: history(desktop, 10_000))
    part("timeline", with_browser(lambda _, browser, url: timeline(browser, url, 1_000_000)))
    part("day", with_browser(day))


main()
