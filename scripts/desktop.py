"""A private desktop for one test: display, session bus, tray watcher, WebDriver."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_call, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

WATCHER = "org.kde.StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
PROPERTIES = "org.freedesktop.DBus.Properties"


def wait_for(what, condition, seconds=30.0):
    """The first true value of `condition`; fails by name when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")


class Skip(Exception):
    """This machine can't do what the test needs."""


# what the console or a lost promise says from here on is kept, for the end of the test
LISTEN = """
if (window.complaints) return;
window.complaints = [];
window.addEventListener("error", (event) => window.complaints.push(String(event.message)));
window.addEventListener("unhandledrejection", (event) => window.complaints.push(String(event.reason?.message ?? event.reason)));
const say = console.error;
console.error = (...parts) => { window.complaints.push(parts.map(String).join(" ")); say(...parts); };
"""


class Tray:
    """Owns the watcher's name and talks to the item that registers."""

    def __init__(self, bus):
        self.bus = bus
        self.items = []
        self.notifications = []
        self.server = open_dbus_connection(bus=bus)
        for name in (WATCHER, "org.freedesktop.Notifications"):
            self.server.send_and_get_reply(message_bus.RequestName(name))
        threading.Thread(target=self.serve, daemon=True).start()
        self.client = open_dbus_connection(bus=bus)

    def serve(self):
        while True:
            try:
                message = self.server.receive()
            except (ConnectionError, OSError):
                return
            if message.header.message_type is not MessageType.method_call:
                continue
            fields = message.header.fields
            member = fields[HeaderFields.member]
            if member == "RegisterStatusNotifierItem":
                self.items.append((fields[HeaderFields.sender], message.body[0]))
                reply = new_method_return(message)
            elif member == "Get":
                value = ("b", True) if message.body[1] == "IsStatusNotifierHostRegistered" else ("i", 0)
                reply = new_method_return(message, "v", (value,))
            elif member == "GetAll":
                reply = new_method_return(message, "a{sv}", ({"IsStatusNotifierHostRegistered": ("b", True)},))
            elif member == "Notify":
                self.notifications.append((message.body[3], message.body[4]))
                reply = new_method_return(message, "u", (1,))
            elif member == "Introspect":
                reply = new_method_return(message, "s", (f'<node><interface name="{WATCHER}"/></node>',))
            else:
                reply = new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")
            self.server.send(reply)

    def item(self):
        sender, path = wait_for("the tray item", lambda: self.items and self.items[-1])
        return (sender, path if path.startswith("/") else "/StatusNotifierItem")

    def call(self, path, interface, method, signature=None, body=()):
        sender, _ = self.item()
        message = new_method_call(DBusAddress(path, sender, interface), method, signature, body)
        reply = self.client.send_and_get_reply(message, timeout=10)
        if reply.header.message_type is MessageType.error:
            raise AssertionError(f"{method}: {reply.body}")
        return reply.body

    def get(self, name):
        return self.call(self.item()[1], PROPERTIES, "Get", "ss", (ITEM, name))[0][1]

    def title(self):
        return self.get("XAyatanaLabel").replace("\u2007", "").replace("\u00a0", " ")

    def entries(self):
        """Labels of the menu with id and whether they can be chosen."""
        layout = self.call(self.get("Menu"), "com.canonical.dbusmenu", "GetLayout", "iias", (0, -1, []))[1]
        found = {}
        for _, (number, properties, _) in layout[2]:
            label = properties.get("label", ("s", ""))[1].replace("_", "")
            if label:
                found[label] = (number, properties.get("enabled", ("b", True))[1])
        return found

    def click(self, label):
        number, enabled = self.entries()[label]
        assert enabled, f"{label} can't be chosen"
        self.call(self.get("Menu"), "com.canonical.dbusmenu", "Event", "isvu", (number, "clicked", ("s", ""), 0))


class Page:
    """A WebDriver session with the app's window."""

    def __init__(self, port, app, arguments, complaints):
        self.complaints = complaints
        self.base = f"http://127.0.0.1:{port}"
        options = {"binary": str(app), "args": [str(argument) for argument in arguments]}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        answer = self.ask("POST", "/session", wanted)
        self.session = answer["sessionId"]
        assert answer["capabilities"]["browserName"] == "wry", answer["capabilities"]

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from error

    def run(self, script, *arguments):
        return self.ask("POST", f"/session/{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def invoke(self, command, arguments=None):
        """A command as the page would ask for it: (True, answer) or (False, error)."""
        script = (
            "const done = arguments[2]; window.__TAURI_INTERNALS__.invoke(arguments[0], arguments[1])"
            ".then((value) => done([true, value]), (error) => done([false, error]));"
        )
        path = f"/session/{self.session}/execute/async"
        return tuple(self.ask("POST", path, {"script": script, "args": [command, arguments or {}]}))

    def text(self):
        return self.run("return document.body.innerText")

    def popover(self, tray, words, screenshot=None):
        """Opens the popover by the tray's menu and waits for these words in it."""
        window = self.ask("GET", f"/session/{self.session}/window")
        handles = lambda: self.ask("GET", f"/session/{self.session}/window/handles")  # noqa: E731
        tray.click("Show Popover")
        other = wait_for("the popover", lambda: [handle for handle in handles() if handle != window])[0]
        try:
            self.ask("POST", f"/session/{self.session}/window", {"handle": other})
            self.run(LISTEN)
            try:
                wait_for(f"{words} in the popover", lambda: re.search(words, self.text(), re.DOTALL), 10)
            except AssertionError as error:
                raise AssertionError(f"{error}; it says: {self.text()}") from error
            if screenshot:
                self.screenshot(screenshot)
            self.complaints += self.run("return window.complaints.splice(0)")
        finally:
            self.ask("POST", f"/session/{self.session}/window", {"handle": window})

    def press(self, name):
        """Clicks the button of this name once it can be pressed."""
        button = f"//button[normalize-space()='{name}' and not(@disabled)]"
        place = {"using": "xpath", "value": button}
        found = wait_for(f"the button {name}", lambda: self.ask("POST", f"/session/{self.session}/elements", place))
        self.ask("POST", f"/session/{self.session}/element/{next(iter(found[0].values()))}/click", {})

    def go(self, route):
        self.run("location.hash = '#/' + arguments[0]", route)

    def screenshot(self, path):
        Path(path).write_bytes(base64.b64decode(self.ask("GET", f"/session/{self.session}/screenshot")))

    def close(self):
        try:
            self.complaints += self.run("return window.complaints ?? []")
        except (AssertionError, OSError):
            pass  # the app was killed
        try:
            self.ask("DELETE", f"/session/{self.session}")
        except (AssertionError, OSError):
            pass  # an app that has ended has no session to close


class Desktop:
    """Display, bus, folders and drivers; all of it ends with the test."""

    def __init__(self, app):
        self.app = Path(app)
        self.place = Path(tempfile.mkdtemp(prefix="joulebar-desktop-"))
        for name in ("run", "data", "config", "exports"):
            (self.place / name).mkdir(mode=0o700)
        self.processes = []
        self.mounts = []
        self.complaints = []
        read, write = os.pipe()
        self.start(["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"], pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as numbers:
            display = numbers.readline().strip()
        bus = self.start(["dbus-daemon", "--session", "--nofork", "--print-address=1"], stdout=subprocess.PIPE)
        address = bus.stdout.readline().decode().strip()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("WAYLAND_DISPLAY", "LM_API_TOKEN")},
            "DISPLAY": f":{display}",
            "DBUS_SESSION_BUS_ADDRESS": address,
            "HOME": str(self.place),
            "XDG_RUNTIME_DIR": str(self.place / "run"),
            "JOULEBAR_DATA": str(self.place / "data"),
            "JOULEBAR_CONFIG": str(self.place / "config"),
            "TMPDIR": str(self.place / "run"),
            "GDK_BACKEND": "x11",
            "NO_AT_BRIDGE": "1",
            "LANG": "C.UTF-8",
            "TAURI_WEBVIEW_AUTOMATION": "true",
        }
        self.tray = Tray(address)
        self.log = open(self.place / "app.log", "wb")
        self.port = 4_500 + os.getpid() % 20_000
        self.start(["WebKitWebDriver", f"--port={self.port}"], env=self.environment, stdout=self.log, stderr=self.log)
        time.sleep(0.5)

    def start(self, command, **options):
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(command, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def settings(self, text):
        (self.place / "config" / "settings.toml").write_text("[app]\nwelcomed = true\n" + text)

    def open(self, *arguments):
        self.tray.items.clear()
        page = Page(self.port, self.app, [*arguments, "--window", "--export-to", self.place / "exports"], self.complaints)
        wait_for("the page", lambda: page.run("return Boolean(document.querySelector('#app')?.children.length)"))
        page.run(LISTEN)
        return page

    def mount(self, name, size):
        """A small disk in place of one of the folders."""
        folder = self.place / name
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], capture_output=True)
        if done.returncode != 0:
            raise Skip("a small disk can't be mounted here")
        self.mounts.append(folder)

    def find(self, name):
        """Process ids of our programs of this name."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if Path(command[0].decode(errors="replace")).name == name and str(self.place).encode() in environment:
                found.append(int(entry.name))
        return found

    def kill(self, name, sign=signal.SIGKILL):
        found = self.find(name)
        for process in found:
            os.kill(process, sign)
        return found

    def messages(self):
        self.log.flush()
        return (self.place / "app.log").read_text(errors="replace")

    def close(self):
        self.kill("joulebar-app")
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        for folder in self.mounts:
            subprocess.run(["umount", "-l", folder], check=False)
        self.log.close()
        shutil.rmtree(self.place, ignore_errors=True)
