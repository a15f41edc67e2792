"""What is linked into the programs of a release: every package with its licence texts, and as a CycloneDX 1.6 document.

Reads Cargo alone: `cargo tree` for what is linked with these features, `cargo metadata` for licences, Cargo.lock for digests. The
same sources give the same bytes: no time and no random number is in the document.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tomllib

PROGRAMS = ["spectramind", "spectramind-verify"]
TEXTS = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE).*", re.IGNORECASE)


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def linked(target, features):
    """The packages that are linked, by name and version; macros run at build time, and are none."""
    names = [word for name in PROGRAMS for word in ("--package", name)]
    tree = cargo("tree", "--locked", "--offline", *names, "--target", target, "--features", features,
                 "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}")
    return sorted({(line.split()[0], line.split()[1].removeprefix("v")) for line in tree.splitlines() if line.strip()})


def texts(package):
    """Its licence files: those in its folder, and below a folder of that name."""
    folder = pathlib.Path(package["manifest_path"]).parent
    found = [path for path in folder.iterdir() if TEXTS.fullmatch(path.name)]
    files = [file for path in found for file in (sorted(path.rglob("*")) if path.is_dir() else [path]) if file.is_file()]
    return [(file.relative_to(folder).as_posix(), file.read_text(errors="replace").strip()) for file in sorted(files)]


# Licences whose text names nobody, from where it begins: for packages that come without one.
STANDARD = [
    ("Apache-2.0", "Apache License", ""),
    ("MIT", "Permission is hereby granted", ""),
    ("BSD-3-Clause", "Redistribution and use in source and binary forms", "Neither the name of the copyright holder"),
]


def standard(licence, texts_of_all):
    """The text of one of a package's licences as another package has it."""
    offered = set(re.findall(r"[\w.+-]+", licence or ""))
    for name, begin, within in STANDARD:
        if name in offered:
            return name, next(text[text.index(begin):] for text in texts_of_all if begin in text and within in text)
    if "CC0-1.0" in offered:
        return "CC0-1.0", "Given to the public domain: https://creativecommons.org/publicdomain/zero/1.0/"
    return None


def notices(packages):
    found = {package["id"]: texts(package) for package in packages}
    texts_of_all = [text for of_one in found.values() for _, text in of_one]
    lines = [
        "The programs spectramind and spectramind-verify are under the MIT licence or the Apache licence 2.0, at your choice",
        "(LICENSE-MIT, LICENSE-APACHE). Linked into them are these packages, under the licences below.",
        "",
    ]
    # Hundreds of packages have the same text, which stands here once.
    numbers = {}
    for package in packages:
        if package["source"] is None:
            continue
        title = f"{package['name']} {package['version']}: {package['license'] or 'see its licence file'}"
        own, note = [text for _, text in found[package["id"]]], ""
        if not own:
            known = standard(package["license"], texts_of_all)
            if known is None:
                sys.exit(f"{title}: expected a licence text in the package, got none, and none is known for that licence")
            own, note = [known[1]], f"; the package comes without a text: that of {known[0]} in another one"
        texts_here = ", ".join(str(numbers.setdefault(text, len(numbers) + 1)) for text in own)
        by = f", by {', '.join(package['authors'])}" if package["authors"] else ""
        lines.append(f"{title}{by}; texts {texts_here}{note}")
    for text, number in numbers.items():
        lines += ["", "=" * 100, f"Text {number}", "", text]
    return "\n".join(lines) + "\n"


def sbom(packages, version, checksums):
    components = []
    for package in packages:
        component = {
            "type": "application" if package["name"] in PROGRAMS else "library",
            "bom-ref": f"pkg:cargo/{package['name']}@{package['version']}",
            "name": package["name"],
            "version": package["version"],
            "purl": f"pkg:cargo/{package['name']}@{package['version']}",
        }
        checksum = checksums.get((package["name"], package["version"]))
        if checksum:
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if package["license"]:
            # Cargo's older way of saying OR.
            component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        components.append(component)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "spectramind-release", "name": "spectramind", "version": version}},
        "components": components,
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    for name in ("target", "features", "licences", "sbom"):
        arguments.add_argument(f"--{name}", required=True)
    arguments = arguments.parse_args()
    metadata = json.loads(cargo("metadata", "--locked", "--offline", "--all-features", "--format-version=1"))
    known = {(package["name"], package["version"]): package for package in metadata["packages"]}
    packages = [known[key] for key in linked(arguments.target, arguments.features)]
    lock = tomllib.loads(pathlib.Path("Cargo.lock").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    version = next(package["version"] for package in packages if package["name"] == PROGRAMS[0])
    pathlib.Path(arguments.licences).write_text(notices(packages))
    pathlib.Path(arguments.sbom).write_text(json.dumps(sbom(packages, version, checksums), indent=1, ensure_ascii=False) + "\n")
    print(f"{len(packages)} packages are linked")


main()
