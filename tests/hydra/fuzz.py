"""Random trees and overrides, one JSON case a line: `fuzz.py SEED COUNT`. The fields are those of live.jsonl."""
import json
import random
import sys

seed, count = int(sys.argv[1]), int(sys.argv[2])
random.seed(seed)
chance, choice = random.random, random.choice
GROUPS = ["db", "model", "opt", "model/enc", "x"]
OPTIONS = ["a", "b", "c"]
KEYS = ["k", "n", "lr", "name", "sub", "l", "a"]
SCALARS = [
    "1", "2.5", "true", "null", "abc", "'q'", "1e-3", "???", "[1, 2]", "{k: 1}", "${n}", "${..n}", "${.k}", "pre_${n}_x",
    "${oc.env:HOMEX,default}", "${oc.select:zz,5}", "0x1F", "1_000", "on", "012", "{}", "[]", "${db.k}", "${hydra:job.name}",
    "${now:%Y}", "'???'", "-.5", "${oc.decode:'[1,2]'}",
]
HYDRA = [
    "{run: {dir: o}}", "{job: {name: j}}", "{sweeper: {params: {n: '1,2'}}}", "{searchpath: [file://more]}",
    "{job: {env_set: {A: b}}}", "{launcher: {x: 1}}", "{verbose: true}", "{output_subdir: null}", "{callbacks: {c: {d: 1}}}",
    "{job_logging: {version: 2}}", "{sweeper: {params: {}}}", "{help: 1}", "{foo: 1}", "{job: {chdir: 'yes'}}",
]
HYDRA_OVERRIDES = [
    "hydra.run.dir=o", "hydra.sweeper.params={}", "+hydra.launcher.z=1", "hydra.job.name=n", "hydra/launcher=basic",
    "hydra/job_logging=none", "hydra.sweeper.max_batch_size=3", "hydra.foo=1", "+hydra.job.env_set.X=1",
    "hydra.searchpath=[file://more]", "hydra.verbose=[a]", "~hydra.run", "hydra.output_subdir=null",
]
VALUES = [
    "1", "2.5", "abc", "null", "[1,2]", "{k: 2}", "{}", "${n}", "'q s'", "true", "1e3", "a b", "???", "'${.k}'", "int('3')",
    "[a,{b: c}]", "", "\\,x",
]


def value(depth=0):
    if depth < 2 and chance() < 0.25:
        keys = random.sample(KEYS, random.randint(0, 3))
        return "{" + ", ".join(f"{key}: {value(depth + 1)}" for key in keys) + "}"
    if depth < 2 and chance() < 0.1:
        return "[" + ", ".join(value(2) for _ in range(random.randint(0, 3))) + "]"
    text = choice(SCALARS)
    return f"'{text}'" if "${" in text else text


def package():
    return choice(["", "", "", "", "@_global_", "@" + choice(["p", "p.q", "_here_", "_global_.z", "_group_"])])


def entry():
    roll = chance()
    if roll < 0.2:
        return "_self_"
    if roll < 0.6:
        word = choice(["", "", "", "optional ", "override ", "/", "override /"])
        odd = OPTIONS + ["null", "[a, b]", "'${db}'", "nope", "'???'"]
        return "{%s%s%s: %s}" % (word, choice(GROUPS), package(), choice(odd if chance() < 0.3 else OPTIONS))
    if roll < 0.7:
        names = ["override hydra/launcher: basic", "override hydra/job_logging: none", "hydra/job_logging: stdout"]
        return "{" + choice(names + ["override hydra/sweeper: basic"]) + "}"
    return choice(["base", "db/a", "/db/a", "model/b"])


def body():
    return "".join(f"{key}: {value()}\n" for key in random.sample(KEYS, random.randint(0, 4)))


def config(primary):
    text = ""
    if chance() < 0.12:
        text += "# @package " + choice(["_global_", "p.q", "_group_", "_here_", "a b", "_global_.m"]) + "\n"
    entries = random.randint(0, 3) if primary or chance() < 0.4 else 0
    if entries:
        text += "defaults:\n" + "".join(f"  - {entry()}\n" for _ in range(entries))
    elif chance() < 0.05:
        text += "defaults: " + choice(["null", "[]", "a", "{db: a}"]) + "\n"
    text += body()
    if (primary or chance() < 0.1) and chance() < 0.15:
        text += "hydra: " + choice(HYDRA) + "\n"
    return text


def override():
    roll = chance()
    if roll < 0.25:
        return f"{choice(['', '+', '++', '~'])}{choice(GROUPS)}{package()}={choice(OPTIONS + ['null'])}"
    if roll < 0.3:
        return "~" + choice(GROUPS + KEYS)
    if roll < 0.38:
        return choice(HYDRA_OVERRIDES)
    key = choice(KEYS + ["db.k", "model.n", "sub.k", "l.0", "model.enc.k", "x.lr"])
    return f"{choice(['', '', '+', '++', '~'])}{key}={choice(VALUES)}"


STORED = ["config", "launcher/basic", "job_logging/mine", "sweeper/basic", "output/default"]
for number in range(count):
    files = {"config.yaml": config(True)}
    for group in GROUPS:
        for option in OPTIONS:
            if chance() < 0.75:
                files[f"{group}/{option}.yaml"] = config(False) if chance() < 0.6 else body()
    if chance() < 0.5:
        files["base.yaml"] = config(False)
    case = {
        "id": f"fuzz-{seed}-{number}",
        "kind": "fuzz",
        "files": files,
        "overrides": [override() for _ in range(choice([0, 0, 1, 1, 2, 3]))],
        "extra_files": {"more/db/d.yaml": "m: 1\n", "more/x/c.yaml": "xm: 1\n"},
    }
    if chance() < 0.1:
        case["version_base"] = "1.1"
    if chance() < 0.05:
        files["hydra/" + choice(STORED) + ".yaml"] = choice(["a: 1\n", "_target_: x\n", "max_batch_size: 2\n", "version: 1\n"])
    print(json.dumps(case))
