"""What blocks there are: the pack's own, those of other installed packages, and the heads where Ultralytics is."""

from __future__ import annotations

import inspect
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

from ..blocks.registry import BLOCKS, PACKAGE, PREFIX, Spec, register_installed, spec_of
from ..blocks.signature import SUPPLIED, shown, signature_of
from ..networks.network import Network, NetworkStage
from .costs import cost


@dataclass(frozen=True)
class Entry:
    """A block: its name, its YAML row's module and arguments, the first sentence about it, and its specification."""

    name: str
    row: str
    summary: str
    spec: Spec


def blocks() -> list[Entry]:
    """Every block that rows may name, in the order of registration."""
    with suppress(ImportError):  # heads need Ultralytics
        import_module("..heads", __package__)
    register_installed()
    return [_entry(name) for name in BLOCKS]


def _entry(name: str) -> Entry:
    cls = BLOCKS[name]
    spec = spec_of(cls)
    assert spec is not None
    summary = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")
    source = "" if cls.__module__ == PACKAGE else f" (from {cls.__module__})"
    own = ", ".join(shown(p) for parameter, p in signature_of(cls).items() if parameter not in SUPPLIED)
    return Entry(name, f"{PREFIX}{name}, [{own}]", summary + source, spec)


def networks() -> list[dict[str, object]]:
    """A row for each network whose ImageNet weights are published: its cost at 224×224, and the weights' source."""
    stages = [cls for cls in BLOCKS.values() if issubclass(cls, NetworkStage)]
    rows: list[dict[str, object]] = []
    for stage in stages:
        for options, (package, name) in stage.published.items():
            network = Network(stage, options)
            counted = cost(network, (3, 224, 224), runs=0)
            weights = f"{package} {name}"
            rows.append({"network": network.name, "params": counted.params, "MACs": counted.macs, "weights": weights})
    return rows
