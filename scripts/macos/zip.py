#!/usr/bin/env python3
"""Zips a bundle with its permissions: zip.py BUNDLE ARCHIVE. The same files always give the same archive."""
import pathlib
import stat
import sys
import zipfile

bundle, archive = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle.parent).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            sys.exit(f"{path} is no plain file")
        entry = zipfile.ZipInfo(name + ("/" if path.is_dir() else ""), date_time=(2026, 1, 1, 0, 0, 0))
        entry.create_system = 3
        entry.external_attr = path.stat().st_mode << 16 | (0x10 if stat.S_ISDIR(path.stat().st_mode) else 0)
        entry.compress_type = zipfile.ZIP_STORED if path.is_dir() else zipfile.ZIP_DEFLATED
        out.writestr(entry, b"" if path.is_dir() else path.read_bytes())
