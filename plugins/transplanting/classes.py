"""A trained model for other classes: those that both have, by name, keep their rows; the others begin anew."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from .students import rebuilt


def with_classes(network: Any, names: Mapping[int, str]) -> tuple[Any, str]:
    """A network for these classes, in this order, and a sentence on what is left of its own.

    Args:
        network: An Ultralytics model that knows its classes' names; returned as it is if they are these.
        names: By number.
    """
    known = {_folded(name): number for number, name in network.names.items()}
    places = {new: known[_folded(name)] for new, name in names.items() if _folded(name) in known}
    if len(names) == len(network.names) and all(places.get(new) == new for new in names):
        return network, ""
    other = rebuilt(network, {**copy.deepcopy(network.yaml), "nc": len(names)})
    begin = [layer.bias.detach().clone() for layer in _class_layers(other)]
    other.load(network, verbose=False)
    if not _copy_rows(network, other, places, begin):
        places = {}
    other.names, other.args, other.task = dict(names), network.args, network.task
    return other.eval(), _said(network.names, names, places)


def _said(before: Mapping[int, str], names: Mapping[int, str], places: Mapping[int, int]) -> str:
    shared, anew = ([str(n) for new, n in names.items() if (new in places) is kept] for kept in (True, False))
    parts = [f"{_listed(shared)} known to the teacher"] if shared else []
    parts += [f"{_listed(anew)} learned anew"] if anew else []
    return f"classes: {len(before)} → {len(names)}; {', '.join(parts)}"


def _listed(names: list[str], most: int = 8) -> str:
    return " ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _folded(name: str) -> str:
    return str(name).strip().lower()


@torch.no_grad()
def _copy_rows(network: Any, other: Any, places: Mapping[int, int], begin: list[Any]) -> bool:
    """Give each known class its row of the last layers, and others small ones and the bias that they begin with.

    False, with nothing done, where there are none, or they have other inputs than before.
    """
    pairs = list(zip(_class_layers(network), _class_layers(other), strict=True))
    if not pairs or any(old.weight.shape[1:] != new.weight.shape[1:] for old, new in pairs):
        return False
    for (old, new), bias in zip(pairs, begin, strict=True):
        nn.init.normal_(new.weight, std=0.01)
        new.bias.copy_(bias)
        for to, place in places.items():
            new.weight[to], new.bias[to] = old.weight[place], old.bias[place]
    return True


def _class_layers(network: Any) -> list[Any]:
    """The layers of a head with a row for each class."""
    head = network.model[-1]
    if isinstance(getattr(head, "linear", None), nn.Linear):
        return [head.linear]
    lists = [getattr(head, name, None) for name in ("cv3", "one2one_cv3")]
    return [branch[-1] for branches in lists if branches is not None for branch in branches]
