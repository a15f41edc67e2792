"""The wheel: both programs of a release as scripts of a Python package without Python, for `pip install`.

The very programs of the archive, so that one list of digests is true of both: maturin would build them anew, and those of one
package only. The form is that of maturin's `bindings = "bin"` (PEP 427, PEP 600). The same programs give the same bytes.
"""
import argparse
import base64
import hashlib
import os
import pathlib
import time
import zipfile

SUMMARY = "Training runs that can be re-checked: a deterministic engine, Hydra-compatible configs and a signed record"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    for name in ("version", "glibc", "from", "out"):
        arguments.add_argument(f"--{name}", required=True)
    arguments = arguments.parse_args()
    folder, version = pathlib.Path(getattr(arguments, "from")), arguments.version
    tag = f"py3-none-manylinux_{arguments.glibc.replace('.', '_')}_x86_64"
    info = f"spectramind-{version}.dist-info"
    metadata = [
        "Metadata-Version: 2.4",
        "Name: spectramind",
        f"Version: {version}",
        f"Summary: {SUMMARY}",
        "License-Expression: MIT OR Apache-2.0",
        *(f"License-File: {name}" for name in ("LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY.txt")),
        "Requires-Python: >=3.8",
        "Description-Content-Type: text/markdown",
        "",
        (folder / "install.md").read_text(),
    ]
    wheel = ["Wheel-Version: 1.0", "Generator: spectramind release/wheel.py", "Root-Is-Purelib: false", f"Tag: {tag}", ""]
    files = {f"spectramind-{version}.data/scripts/{name}": (folder / "bin" / name).read_bytes()
             for name in ("spectramind", "spectramind-verify")}
    files |= {f"spectramind-{version}.data/data/share/man/man1/{page.name}": page.read_bytes()
              for page in sorted((folder / "man").iterdir())}
    files |= {f"{info}/licenses/{name}": (folder / name).read_bytes() for name in ("LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY.txt")}
    files |= {
        f"{info}/METADATA": "\n".join(metadata).encode(),
        f"{info}/WHEEL": "\n".join(wheel).encode(),
        f"{info}/sboms/spectramind.cdx.json": (folder / "sbom.cdx.json").read_bytes(),
    }
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record = [f"{name},sha256={digest(data)},{len(data)}" for name, data in files.items()] + [f"{info}/RECORD,,", ""]
    files[f"{info}/RECORD"] = "\n".join(record).encode()
    # Zip counts two seconds from 1980 on.
    moment = time.gmtime(max(int(os.environ["SOURCE_DATE_EPOCH"]), 315532800))[:6]
    path = pathlib.Path(arguments.out) / f"spectramind-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, moment)
            entry.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            archive.writestr(entry, data)
    print(path)


main()
