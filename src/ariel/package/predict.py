# %% [markdown]
# # Predictions of run @RUN@
#
# Runs offline. Attach this package and the competition's data as inputs, leave the internet off, and run all cells. Each file of
# the package is checked before it is used.

# %%
import hashlib
import json
import pathlib
import platform
import shutil
import subprocess
import tempfile

# Where Kaggle puts the inputs: the package, and the competition's data.
INPUT = pathlib.Path("/kaggle/input")


def folder_with(*names):
    """The first folder below INPUT with all of these in it."""
    for depth in range(4):
        for found in sorted(INPUT.glob("*/" * depth + names[0])):
            if all((found.parent / name).exists() for name in names):
                return found.parent
    raise SystemExit(f"expected a folder below {INPUT} with {', '.join(names)}, got none: attach it as an input")


package = folder_with("@INDEX@", "run")
data = folder_with("wavelengths.csv", "test", "test_star_info.csv")
print("package", package)
print("data   ", data)

# %%
index = json.loads((package / "@INDEX@").read_text())
for name, expected in index["files"].items():
    digest = hashlib.sha256()
    with open(package / name, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise SystemExit(f"{package / name}: expected sha256 {expected}, got {digest.hexdigest()}: upload the package again")
needed, (_, here) = index["glibc"], platform.libc_ver()
numbers = lambda version: [int(number) for number in version.split(".")]
if needed and here and numbers(here) < numbers(needed):
    raise SystemExit(f"the program needs glibc {needed}, got {here}: build it on an older system, or as a static one")
print(len(index["files"]), "files are those of the package; manifest", index["manifest"])

# %%
# Inputs are read-only, and nothing in them can be run.
scratch = pathlib.Path(tempfile.mkdtemp())
program = scratch / "spectramind"
shutil.copyfile(package / "spectramind", program)
program.chmod(0o755)
submission = pathlib.Path("submission.csv").resolve()
subprocess.run(
    [program, "predict", "--config-path", package / "configs", f"checkpoint={package / 'run'}", f"data.root={data}",
     f"calib.out={scratch / 'calibrated'}", f"out={submission}"],
    cwd=scratch, check=True)

# %%
rows = submission.read_text().splitlines()
planets = [row.split(",")[0] for row in rows[1:]]
sample = data / "sample_submission.csv"
if sample.exists():
    expected = [row.split(",")[0] for row in sample.read_text().splitlines()[1:]]
    if planets != expected:
        raise SystemExit(f"submission.csv: expected the {len(expected)} planets of {sample}, got {len(planets)}")
shutil.rmtree(scratch)
print("submission.csv:", len(planets), "planets,", len(rows[0].split(",")), "columns")
print("Whoever has the public key and the data verifies the run in", package / "run", "with:")
print("  @VERIFY@")
