#!/usr/bin/env python3
"""Writes what a linker needs of macOS's frameworks where there is no SDK: their names and versions, no symbols.

    stubs.py DIRECTORY

A framework that is missing here is one line. Whether a framework has a symbol is not proven by linking against these; see
crates/inspect/src/tables.rs for the ones that came with macOS one by one.
"""
import pathlib
import sys

FRAMEWORKS = {
    "AppKit": "C", "ApplicationServices": "A", "Carbon": "A", "Cocoa": "A", "CoreFoundation": "A", "CoreGraphics": "A",
    "CoreServices": "A", "CoreText": "A", "CoreVideo": "A", "Foundation": "C", "IOKit": "A", "ImageIO": "A",
    "QuartzCore": "A", "Security": "A", "ServiceManagement": "A", "SystemConfiguration": "A", "UserNotifications": "A",
    "WebKit": "A",
}
LIBRARIES = {"objc": "/usr/lib/libobjc.A.dylib", "iconv": "/usr/lib/libiconv.2.dylib", "IOReport": "/usr/lib/libIOReport.dylib"}
TARGETS = "[ x86_64-macos, arm64-macos, arm64e-macos ]"
STUB = """--- !tapi-tbd
tbd-version:     4
targets:         {targets}
install-name:    '{name}'
current-version: 1
compatibility-version: 1
exports:
  - targets:         {targets}
    symbols:         [ ]
...
"""


def write(path: pathlib.Path, install_name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STUB.format(targets=TARGETS, name=install_name))


out = pathlib.Path(sys.argv[1])
for name, version in FRAMEWORKS.items():
    place = out / "Frameworks" / f"{name}.framework" / f"{name}.tbd"
    write(place, f"/System/Library/Frameworks/{name}.framework/Versions/{version}/{name}")
for name, install_name in LIBRARIES.items():
    write(out / "lib" / f"lib{name}.tbd", install_name)
