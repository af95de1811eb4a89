"""The real app on a private desktop, from its tray to a report that verifies."""

import argparse
import json
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

from desktop import Desktop, Skip, wait_for

ALL = {"query": {"text": None, "simulated": None, "by": "started", "ascending": False, "limit": 50, "offset": 0}}
QUICK = '[measurement]\npreset = "quick"\nbaseline_s = 1\ncooldown_s = 1\n'
FULL = '[measurement]\npreset = "full"\nbaseline_s = 0.5\ncooldown_s = 0.5\n'


def rows(page):
    done, answer = page.invoke("list_runs", ALL)
    assert done, answer
    return answer["rows"]


def running(desktop, seconds=60):
    return wait_for("a running benchmark", lambda: re.search(r"\d/\d", desktop.tray.title()), seconds)


def ended(desktop, seconds=240):
    wait_for("the end of the run", lambda: not desktop.tray.entries()["Stop"][1], seconds)


def only_export(desktop):
    return wait_for("the exported file", lambda: list((desktop.place / "exports").glob("*.json")))[-1]


def verify(programs, report):
    done = subprocess.run([programs / "joulebar", "verify", report], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def demo_run(desktop, programs, shots):
    """In the demo: the tray says simulated watts, its menu runs, exports what verifies; a restart finds the run."""
    desktop.settings(QUICK)
    page = desktop.open("--demo")
    title = wait_for("simulated watts", lambda: re.search(r"^\d+\.\d W.* sim$", desktop.tray.title()))
    assert title.group().startswith("0.0") is False, title
    wait_for("Run Benchmark", lambda: desktop.tray.entries()["Run Benchmark"][1])
    for label in ("Stop", "Export Last Report…", "Open Joulebar", "Settings…", "Quit"):
        assert label in desktop.tray.entries(), desktop.tray.entries()
    assert not desktop.tray.entries()["Stop"][1]
    page.screenshot(shots / "desktop-runs-empty.png")
    desktop.tray.click("Run Benchmark")
    running(desktop)
    page.screenshot(shots / "desktop-running.png")
    ended(desktop)
    assert len(rows(page)) == 1 and rows(page)[0]["state"] == "completed", rows(page)
    assert "Simulated" in page.text()
    desktop.tray.click("Export Last Report…")
    report = only_export(desktop)
    verify(programs, report)
    exported = json.loads(report.read_text())
    assert exported["simulated"] is True and len(exported["prompts"]) == 3
    wait_for("the notification", lambda: desktop.tray.notifications, 5)
    assert desktop.tray.notifications[-1][0] == "Benchmark finished", desktop.tray.notifications
    for route in ("runs", "run/1", "suite", "settings/general", "settings/measurement", "settings/lm-studio",
                  "settings/helper", "settings/cost", "settings/diagnostics"):
        page.go(route)
        time.sleep(0.7)
        page.screenshot(shots / f"desktop-{route.replace('/', '-')}.png")
    page.close()
    wait_for("the end of the app", lambda: not desktop.find("joulebar-app"), 20)
    page = desktop.open("--demo")
    assert [row["id"] for row in rows(page)] == [1]
    wait_for("the run in the list", lambda: "Tiny Chat" in page.text() or "tiny-chat" in page.text())
    page.close()


def forbidden(desktop, _programs, _shots):
    """The page may ask for its own commands alone."""
    desktop.settings(QUICK)
    page = desktop.open("--demo")
    for command in ("plugin:shell|execute", "plugin:fs|read_text_file", "plugin:dialog|open", "hide_popover"):
        done, error = page.invoke(command)
        assert not done and "not allowed" in str(error), (command, error)
    done, error = page.invoke("run_detail", {"id": 99})
    assert (done, error["code"]) == (False, "no_such_run"), error
    page.close()


def kill_and_resume(desktop, programs, source, seconds):
    """kill -9 at the third prompt, a restart, Resume clicked, to nine prompts; the report, which verifies."""
    page = desktop.open(source)
    wait_for("Run Benchmark", lambda: desktop.tray.entries()["Run Benchmark"][1], 60)
    desktop.tray.click("Run Benchmark")
    wait_for("the third prompt", lambda: " 3/9" in desktop.tray.title(), seconds)
    assert desktop.kill("joulebar-app")
    wait_for("the end of the app", lambda: not desktop.find("joulebar-app"), 20)
    wait_for("the end of the helper", lambda: not desktop.find("joulebar-helper-simulated"), 20)
    page.close()
    page = desktop.open(source)
    row = rows(page)[0]
    assert row["state"] == "interrupted" and row["prompts_done"] >= 2, row
    page.press("Resume")
    running(desktop)
    ended(desktop, 2 * seconds)
    row = rows(page)[0]
    assert (row["state"], row["prompts_done"]) == ("completed", 9), row
    desktop.tray.click("Export Last Report…")
    report = only_export(desktop)
    verify(programs, report)
    page.close()
    exported = json.loads(report.read_text())
    assert len(exported["prompts"]) == 9
    return exported


def killed_and_resumed(desktop, programs, _shots):
    """kill -9 in a run loses no finished prompt; the run goes on after a restart, to nine prompts."""
    desktop.settings(FULL)
    assert kill_and_resume(desktop, programs, "--demo", 120)["simulated"] is True


def server_gone(desktop, _programs, _shots):
    """A server that ends in a run is said, with how far the run came; the app lives on."""
    desktop.settings(FULL)
    page = desktop.open("--demo")
    wait_for("Run Benchmark", lambda: desktop.tray.entries()["Run Benchmark"][1])
    desktop.tray.click("Run Benchmark")
    wait_for("the second prompt", lambda: " 2/9" in desktop.tray.title(), 120)
    servers = [p for p in desktop.find("joulebar-sim") if b"lmstudio" in Path(f"/proc/{p}/cmdline").read_bytes()]
    assert servers
    for process in servers:
        subprocess.run(["kill", "-9", str(process)], check=True)
    ended(desktop, 60)
    row = rows(page)[0]
    assert (row["state"], row["end_reason"]) == ("interrupted", "server_lost"), row
    page.popover(desktop.tray, r"The server stopped answering\. Stopped after [1-8] of 9 prompts\.")
    assert desktop.find("joulebar-app")
    page.close()


def source_gone(desktop, _programs, _shots):
    """A power source that ends in a run is said, and is started again."""
    desktop.settings(FULL)
    page = desktop.open("--demo")
    wait_for("Run Benchmark", lambda: desktop.tray.entries()["Run Benchmark"][1])
    desktop.tray.click("Run Benchmark")
    wait_for("the second prompt", lambda: " 2/9" in desktop.tray.title(), 120)
    assert desktop.kill("joulebar-helper-simulated")
    ended(desktop, 60)
    row = rows(page)[0]
    assert (row["state"], row["end_reason"]) == ("interrupted", "power_lost"), row
    page.popover(desktop.tray, r"The power source (ended|failed).* Stopped after [1-8] of 9 prompts\.")
    wait_for("watts again", lambda: re.search(r"^\d+\.\d W", desktop.tray.title()), 30)
    page.close()


def no_history(desktop, programs, _shots):
    """Where nothing can be kept the app still measures and exports, and says so."""
    desktop.settings(QUICK)
    folder = desktop.place / "data"
    folder.rmdir()
    folder.write_text("in the way")
    page = desktop.open("--demo")
    wait_for("Run Benchmark", lambda: desktop.tray.entries()["Run Benchmark"][1])
    desktop.tray.click("Run Benchmark")
    running(desktop)
    ended(desktop)
    page.popover(desktop.tray, "This run is not kept in the history")
    desktop.tray.click("Export Last Report…")
    verify(programs, only_export(desktop))
    page.close()


def full_disk(desktop, programs, shots):
    """A disk that fills up in a run ends neither run nor app; it is said, and the report is exported elsewhere."""
    desktop.settings(QUICK)
    desktop.mount("data", "16m")
    page = desktop.open("--demo")
    wait_for("Run Benchmark", lambda: desktop.tray.entries()["Run Benchmark"][1])
    desktop.tray.click("Run Benchmark")
    running(desktop)
    with open(desktop.place / "data" / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
    ended(desktop)
    assert desktop.find("joulebar-app")
    page.popover(desktop.tray, "The disk is full.*The history doesn’t hold this whole run", shots / "desktop-full-disk.png")
    assert [row["state"] for row in rows(page)] in ([], ["interrupted"]), rows(page)
    desktop.tray.click("Export Last Report…")
    report = only_export(desktop)
    verify(programs, report)
    assert len(json.loads(report.read_text())["prompts"]) == 3
    page.close()


def second_start(desktop, _programs, _shots):
    """A second start ends at once, leaves the first alone and opens its window."""
    desktop.settings(QUICK)
    desktop.start([str(desktop.app), "--demo"], env=desktop.environment, stdout=desktop.log, stderr=desktop.log)
    wait_for("the tray", lambda: desktop.tray.items and desktop.tray.title())
    assert not desktop.find("WebKitWebProcess")
    second = desktop.start([str(desktop.app), "--demo"], env=desktop.environment)
    assert second.wait(timeout=20) == 0
    assert len(desktop.find("joulebar-app")) == 1
    wait_for("the window", lambda: desktop.find("WebKitWebProcess"))


def real_server(desktop, programs, _shots, server):
    """Against a real model server: kill -9 in the run, a restart, nine prompts of real tokens, a report that verifies."""
    desktop.settings(FULL + f'[lm_studio]\nurl = "{server}"\n')
    exported = kill_and_resume(desktop, programs, "--demo-power", 300)
    assert exported["simulation"] == {"power": True, "server": False}, exported["simulation"]
    assert all(prompt["inference_stats"]["completion_tokens"] > 0 for prompt in exported["prompts"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--screenshots", type=Path, required=True)
    parser.add_argument("--server")
    parser.add_argument("--only")
    options = parser.parse_args()
    programs = options.programs.resolve()
    cases = [demo_run, forbidden, killed_and_resumed, server_gone, source_gone, no_history, full_disk, second_start]
    if options.server:
        cases.append(lambda *parts: real_server(*parts, options.server))
        cases[-1].__doc__, cases[-1].__name__ = real_server.__doc__, "real_server"
    else:
        print("ok - against a real model server # SKIP no server is named")
    failed = 0
    for case in cases:
        if options.only and options.only != case.__name__:
            continue
        desktop = Desktop(programs / "joulebar-app")
        try:
            case(desktop, programs, options.screenshots)
            assert "panicked" not in desktop.messages(), desktop.messages()
            assert not desktop.complaints, desktop.complaints
            print(f"ok - {case.__doc__}", flush=True)
        except Skip as why:
            print(f"ok - {case.__doc__} # SKIP {why}", flush=True)
        except Exception:  # noqa: BLE001 - whatever it was is the result
            failed += 1
            print(f"not ok - {case.__doc__}", flush=True)
            traceback.print_exc()
            print(desktop.messages()[-3000:], file=sys.stderr)
        finally:
            desktop.close()
    sys.exit(1 if failed else 0)


main()
