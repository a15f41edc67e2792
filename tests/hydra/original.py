"""What Hydra itself makes of cases: one JSON case a line on standard input, one JSON answer a line on standard output.

A case: files (below @ROOT@/conf), extra_files (below @ROOT@), config_name, overrides, env, version_base, resolvers
(name: text of a function). An answer: yaml, hydra, resolved, or error. The working directory is @ROOT@, and in Python's path.
"""
import dataclasses
import importlib
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")

plain = dataclasses.dataclass


def hashable(cls=None, **options):
    """The releases of some plugins have defaults that Python 3.11 refuses unless they can be hashed."""
    options.setdefault("unsafe_hash", True)
    return plain(cls, **options) if cls is not None else lambda inner: plain(inner, **options)


dataclasses.dataclass = hashable

from omegaconf import OmegaConf, open_dict
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

def answer(case, root):
    conf = os.path.join(root, "conf")
    for name, text in case.get("resolvers", {}).items():
        OmegaConf.register_new_resolver(name, eval(text), replace=True)
    try:
        with initialize_config_dir(config_dir=conf, version_base=case.get("version_base", "1.3")):
            config = compose(case["config_name"], case["overrides"], return_hydra_config=True)
        # The folder that a plugin brings: there is none where the plugin is data.
        sources = config.hydra.runtime.config_sources
        own = [source for source in sources if source.provider != "hydra-colorlog"]
        with open_dict(config):
            config.hydra.runtime.config_sources = own
        hydra = OmegaConf.to_yaml(OmegaConf.create({"hydra": config.hydra}))
        with open_dict(config):
            config.pop("hydra")
        found = {"yaml": OmegaConf.to_yaml(config), "hydra": hydra}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:300]}
    finally:
        GlobalHydra.instance().clear()
    try:
        return {**found, "resolved": OmegaConf.to_yaml(config, resolve=True)}
    except Exception as error:
        return {**found, "resolve_error": f"{type(error).__name__}: {error}"[:300]}
    finally:
        for name in case.get("resolvers", {}):
            OmegaConf.clear_resolver(name)


def main():
    environment, path = dict(os.environ), list(sys.path)
    for line in sys.stdin:
        case = json.loads(line)
        root = case["root"]
        os.chdir(root)
        os.environ.update(case.get("env", {}))
        sys.path[:0] = [root, *filter(None, case.get("env", {}).get("PYTHONPATH", "").split(":"))]
        importlib.invalidate_caches()
        before = set(sys.modules)
        print(json.dumps(answer(case, root)), flush=True)
        for name in set(sys.modules) - before:
            places = [getattr(sys.modules[name], "__file__", None) or "", *getattr(sys.modules[name], "__path__", [])]
            if any(str(place).startswith(root) for place in places):
                del sys.modules[name]
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path


main()
