"""The one table of blocks: by name, each with the specification of how it is used.

A block is registered where it is written, by one decorator; rows of model YAMLs, `list`, `replace`, recipes,
checkpoints, costs, drawings and the documentation's tables all follow from it.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Any, TypeVar

from torch import nn

from .formula import unknown_names
from .signature import signature_of

PACKAGE = "yolo_plugins"
PREFIX = "plugins."
ENTRY_POINTS = "yolo_plugins.blocks"

ROWS: dict[str, tuple[str, ...]] = {
    "conv": ("c1",),
    "stage": ("c1", "c2", "n"),
    "same": (),
    "inputs": ("c1",),
    "network": ("c1",),
}
"""How a YAML row may read, and with which parameters a block of that kind begins:

- "conv": `[c2, …]` → `Block(c1, c2, …)`
- "stage": `[c2, …]` → `Block(c1, c2, n, …)`, the repeats inside the block
- "same": `[…]` → `Block(c1, …)`, or `Block(…)` for a block without `c1`; the channels stay as they are
- "inputs": `[c2, …]` → `Block([c1, …], c2, …)`, for several `from` rows
- "network": `[…]` → `Block(c1, …)` giving `Block.out_channels(…)` channels, which a published table fixes
"""

PLACES = ("conv", "bottleneck", "stage", "up", "join")
"""What a block may stand for: "up" is what enlarges a map, "join" what makes one map of several rows."""

TASKS = ("detect", "segment", "classify", "pose", "obb")
FORMATS = ("torchscript", "onnx", "openvino", "ncnn", "mnn", "dnn")
"""What every block is exported to and compared with torch in, but for its `limits`; "dnn" is OpenCV's, from ONNX."""


@dataclass(frozen=True)
class Spec:
    """How a block is used, beside what its signature says. `d` in a signature is always dilation.

    Attributes:
        row: How its YAML row reads, one of `ROWS`.
        channels: Arguments that are channel counts, and scale with the model's width.
        stands_for: What it can replace in a model, of `PLACES`; by default what its row's kind says.
        gate: Whether it weighs maps, so that it may stand on an inner block's branch.
        attends: Whether it attends over the map, so that it may stand for a stage that does.
        outer: What makes the 1×1 convolutions of a stage that has it as inner block; by default plain ones.
        task: The task of a model that it is the head of.
        source: The paper, with its arXiv number.
        example: Arguments, c1 first, that show what it has, for drawings and tables.
        maps: Whether it gives a list of maps, of which `Index` rows pick; `map_channels(…)` says the channels of each.
        saves: How many times fewer multiply-adds than the plain convolution its paper predicts, from its arguments.
        large: Arguments that its rows have at scales m, l and x whatever they say, as Ultralytics' C3k2 has `c3k`.
        params: Its parameter count, batch norms included, as a formula of its arguments: `2*c1*(c1//r)`.
        limits: Formats that it cannot be exported to or does not run in, each with the reason, in a few words.
    """

    row: str
    channels: tuple[str, ...] = ("c2",)
    stands_for: tuple[str, ...] | None = None
    gate: bool = False
    attends: bool = False
    outer: type[nn.Module] | None = None
    task: str = ""
    source: str = ""
    example: Mapping[str, Any] = field(default_factory=dict)
    maps: bool = False
    saves: Callable[[Mapping[str, Any]], float | None] | None = None
    large: Mapping[str, Any] = field(default_factory=dict)
    params: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)

    @property
    def places(self) -> tuple[str, ...]:
        """What the block can stand for."""
        if self.stands_for is not None:
            return self.stands_for
        kind = "join" if self.row == "inputs" else self.row
        return (kind,) if kind in PLACES and not self.task else ()

    def check(self, cls: type[nn.Module]) -> None:
        """Refuse what does not fit the class.

        Raises:
            TypeError: naming the class, and what is wrong.
        """
        if self.row not in ROWS:
            raise TypeError(
                f"{cls.__name__}: row={self.row!r} must say how its YAML row reads: one of {', '.join(ROWS)}"
            )
        names = list(signature_of(cls))
        begins = ROWS[self.row]
        if tuple(names[: len(begins)]) != begins:
            raise TypeError(f"{cls.__name__}: a {self.row!r} row's block begins with {', '.join(begins)}, not {names}")
        if self.row == "network" and not hasattr(cls, "out_channels"):
            raise TypeError(f"{cls.__name__}: a 'network' row's block needs a class method out_channels")
        if self.maps and not hasattr(cls, "map_channels"):
            raise TypeError(f"{cls.__name__}: a block that gives a list of maps needs a class method map_channels")
        known = {
            "stands_for": (self.places, PLACES),
            "task": ((self.task,) if self.task else (), TASKS),
            "example": (self.example, names),
            "large": (self.large, names),
            "channels": (self.channels if self.channels != ("c2",) else (), names),
            "limits": (self.limits, FORMATS),
        }
        for what, (values, allowed) in known.items():
            if unknown := [value for value in values if value not in allowed]:
                raise TypeError(f"{cls.__name__}: {what} has {unknown[0]!r}; there are {', '.join(allowed)}")
        try:
            if self.params and (strange := unknown_names(self.params, signature_of(cls))):
                raise TypeError(f"{cls.__name__}: params has {strange[0]!r}; its arguments are {', '.join(names)}")
        except SyntaxError as error:
            raise TypeError(f"{cls.__name__}: params={self.params!r} is no formula: {error.msg}") from error
        if self.gate and self.row != "same":
            raise TypeError(f"{cls.__name__}: a gate keeps its channels, so its row is 'same', not {self.row!r}")
        for place, row in (("up", "same"), ("join", "inputs")):
            if place in self.places and self.row != row:
                raise TypeError(f"{cls.__name__}: what stands for {place!r} has a {row!r} row, not {self.row!r}")
        if self.gate and names[:1] != ["c1"]:
            raise TypeError(f"{cls.__name__}: a gate is made for its channels, so it begins with c1, not {names}")


BLOCKS: dict[str, type[nn.Module]] = {}
"""Every block by the name that YAML rows give after `plugins.`."""

PUBLIC: dict[str, type[nn.Module]] = {}
"""The pack's own classes by the name under which `yolo_plugins` gives them and checkpoints hold them."""

_SPECS: dict[type[nn.Module], Spec] = {}

Block = TypeVar("Block", bound=type[nn.Module])


def register(row: str, **specification: Any) -> Callable[[Block], Block]:
    """Class decorator that lets YAML rows name a block as `plugins.<its name>`.

    Args:
        row: How its row reads, one of `ROWS`.
        specification: The other attributes of `Spec`.

    Raises:
        TypeError: a class that is no `torch.nn.Module`, or a specification that does not fit it.
        ValueError: another class has that name already.
    """
    if not isinstance(row, str):
        raise TypeError(f'register takes how the row reads, as in @register("conv"), not {row!r}')
    spec = Spec(row, **specification)

    def decorate(cls: Block) -> Block:
        if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
            raise TypeError(f"register() decorates a class derived from torch.nn.Module, not {cls!r}")
        spec.check(cls)
        owner = BLOCKS.get(cls.__name__, cls)
        if owner is not cls:
            raise ValueError(
                f"plugins.{cls.__name__} is {owner.__module__}.{owner.__qualname__} already; "
                f"give {cls.__module__}.{cls.__qualname__} another name"
            )
        BLOCKS[cls.__name__], _SPECS[cls] = cls, spec
        return part(cls)

    return decorate


def part(cls: Block) -> Block:
    """Class decorator for what lies inside blocks: checkpoints hold it by the public name `yolo_plugins.<its name>`.

    So files may move. Only the pack's own classes are renamed; a user's stay theirs.
    """
    if cls.__module__.partition(".")[0] == PACKAGE:
        other = PUBLIC.setdefault(cls.__name__, cls)
        if other is not cls:
            raise ValueError(f"two classes of the pack are named {cls.__name__}")
        cls.__module__ = PACKAGE
    return cls


def unregister(cls: type[nn.Module]) -> None:
    """Take back the registration of a class; one that is not registered is left alone."""
    if BLOCKS.get(cls.__name__) is cls:
        del BLOCKS[cls.__name__]
        _SPECS.pop(cls, None)


def spec_of(cls: Any) -> Spec | None:
    """The specification of a registered block, or None for anything else."""
    return _SPECS.get(cls) if isinstance(cls, type) else None


def find(name: str) -> type[nn.Module]:
    """The block of a name, with or without `plugins.`.

    Raises:
        ValueError: there is none; names near ones.
    """
    bare = name.removeprefix(PREFIX)
    if bare not in BLOCKS:
        register_installed()
    if bare in BLOCKS:
        return BLOCKS[bare]
    near = difflib.get_close_matches(bare, BLOCKS, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else "`yolo-plugins list` shows them all"
    raise ValueError(f"no block is called {name[:60]!r}; {hint}")


def register_installed() -> None:
    """Register the blocks that installed packages offer under the entry-point group `yolo_plugins.blocks`.

    Raises:
        TypeError: one that its own package does not decorate with `register`.
    """
    for entry in entry_points(group=ENTRY_POINTS):
        if spec_of(entry.load()) is None:
            raise TypeError(f"{entry.value} is offered as plugins.{entry.name}, but is not decorated with register(…)")


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every module of a package, so that what they register is known."""
    for module in iter_modules(path):
        import_module(f"{package}.{module.name}")


def checkpoint_classes() -> list[type[nn.Module]]:
    """Every class that a checkpoint may hold: the pack's, and those of the files of users' blocks."""
    classes = dict.fromkeys(PUBLIC.values())
    for block in [cls for cls in BLOCKS.values() if cls.__module__ != PACKAGE]:
        classes[block], module = None, block.__module__
        for cls in vars(sys.modules.get(module, object)).values():
            if isinstance(cls, type) and issubclass(cls, nn.Module) and cls.__module__ == module:
                classes[cls] = None
    return list(classes)
