#!/usr/bin/env bash
# src-tauri/icons/icon.icns from icons/app-icon.svg. Run after the drawing was changed; the result is committed.
set -euo pipefail
. "$(dirname "$0")/../lib.sh"
cd "$root"
command -v rsvg-convert >/dev/null || need_packages librsvg2-bin
need_python
pictures=$(mktemp -d)
trap 'rm -rf "$pictures"' EXIT
for pixels in 16 32 64 128 256 512 1024; do
    rsvg-convert -w $pixels -h $pixels icons/app-icon.svg -o "$pictures/$pixels.png"
done
python3 - "$pictures" src-tauri/icons/icon.icns <<'PYTHON'
import pathlib
import struct
import sys

# four letters of each kind of picture (points, then twice the pixels), and its pixels
KINDS = [("icp4", 16), ("ic11", 32), ("icp5", 32), ("ic12", 64), ("ic07", 128), ("ic13", 256), ("ic08", 256),
         ("ic14", 512), ("ic09", 512), ("ic10", 1024)]
pictures = pathlib.Path(sys.argv[1])
body = b""
for kind, pixels in KINDS:
    png = (pictures / f"{pixels}.png").read_bytes()
    body += kind.encode() + struct.pack(">I", 8 + len(png)) + png
pathlib.Path(sys.argv[2]).write_bytes(b"icns" + struct.pack(">I", 8 + len(body)) + body)
PYTHON
say "src-tauri/icons/icon.icns: $(wc -c <src-tauri/icons/icon.icns) bytes"
