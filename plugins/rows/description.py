"""Model descriptions as data: what must hold before a single layer is built, said with file, row and block."""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from ..blocks.registry import PREFIX
from ..blocks.signature import is_count
from .shortening import short

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
HINTS = {"Index": "Ultralytics has it from 8.3.59 on: pip install -U ultralytics"}
"""What to say of modules that older releases lack."""

SHARED = {"nc", "kpt_shape", "reg_max", "end2end", "depth", "width", "max_channels", "scale"}
"""What a row's argument may name: values of the YAML itself."""


class ModelYAMLError(ValueError):
    """A model YAML that cannot be built; the message names the file, the row, the block and what to do.

    `problem` is the same in parts.
    """

    def __init__(self, file: str, problem: Problem) -> None:
        super().__init__(problem.sentence(file))
        self.problem = problem


@dataclass(frozen=True)
class Problem:
    """Something wrong with a model description: the reason with what to write instead, and the row if it is one's."""

    reason: str
    row: int | None = None
    module: str = ""

    def sentence(self, file: str) -> str:
        """The problem in one line, with the file's name."""
        return f"{file}: {self}"

    def __str__(self) -> str:
        if self.row is None:
            return self.reason
        return f"row {self.row}{f' ({self.module})' if self.module else ''}: {self.reason}"


@dataclass(frozen=True)
class Names:
    """What rows may name: `known` tells whether a module exists, `near` are names to suggest where it does not.

    `taken` are strings that must not be arguments, since Ultralytics would put something else in their place. `maps`
    gives the channels of each of the maps in the list that a row makes, from its module and arguments; else nothing.
    """

    known: Callable[[str], bool]
    near: Iterable[str] = ()
    taken: frozenset[str] = frozenset()
    maps: Callable[[str, list[Any]], Sequence[int]] = lambda name, args: ()


def read(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file, as plain data, whatever somebody may have put into it.

    Raises:
        ModelYAMLError: a file that is too large, is not YAML, or holds no mapping.
        OSError: it cannot be read.
    """
    import yaml

    data = Path(path).read_bytes()
    if len(data) > MAX_BYTES:
        reason = f"has {len(data):,} bytes; a model YAML of more than {MAX_BYTES:,} is not read"
        raise ModelYAMLError(str(path), Problem(reason))
    text = data.decode("utf-8", errors="ignore")
    # As Ultralytics reads it: without the characters that YAML does not know.
    text = re.sub(r"[^\x09\x0A\x0D\x20-\x7E\x85\xA0-\uD7FF\uE000-\uFFFD\U00010000-\U0010ffff]+", "", text)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):  # before anything recurses, in C without a limit
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise RecursionError
        model = yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError) as error:  # also impossible dates and keys
        raise ModelYAMLError(str(path), Problem(f"is not YAML: {' '.join(str(error).split())[:300]}")) from None
    except RecursionError:
        raise ModelYAMLError(str(path), Problem("is not a model YAML: its lists nest too deeply")) from None
    if problem := mapping_problem(model):
        raise ModelYAMLError(str(path), problem)
    return {key: None if isinstance(value, str) and value == "None" else value for key, value in model.items()}


def rows_of(description: dict[str, Any]) -> list[list[Any]]:
    """All rows of a model, backbone and head."""
    return list(description["backbone"] + description["head"])


def image_channels(description: Mapping[str, Any]) -> int:
    """Channels of the image that a model takes."""
    return int(description.get("channels") or description.get("ch") or 3)


def scales_by_size(description: Mapping[str, Any]) -> list[str]:
    """The letters of a model's scales, the least depth × width first; one empty letter for a model without."""
    scales = description.get("scales") or {"": (1, 1, 1)}
    return sorted(scales, key=lambda letter: math.prod(scales[letter][:2]))


def has_plugins(description: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a model description has a row of the pack's, well formed or not."""
    if not isinstance(description, dict):
        return False
    parts = (description.get("backbone"), description.get("head"))
    rows = [row for part in parts if isinstance(part, list) for row in part if isinstance(row, list)]
    return any(isinstance(value, str) and value.startswith(PREFIX) for row in rows for value in row)


def mapping_problem(model: Any) -> Problem | None:
    """What is wrong with a description that is empty or no mapping, or None."""
    if not model:
        return Problem("is empty; a model YAML needs `nc`, `backbone` and `head`")
    if not isinstance(model, dict):
        return Problem(f"holds a {type(model).__name__}, not a mapping with `nc`, `backbone` and `head`")
    return None


def check(model: Any, file: str, names: Names) -> None:
    """Refuse a model description whose structure, names or `from` references cannot be built.

    Args:
        model: What the YAML holds.
        file: Its name, for messages.
        names: What rows may name.

    Raises:
        ModelYAMLError: at the first thing found.
    """
    for problem in problems(model, names):
        raise ModelYAMLError(file, problem)


def problems(model: Any, names: Names) -> Iterator[Problem]:
    """Everything wrong with a model description that can be told without building it."""
    if problem := mapping_problem(model):
        yield problem
        return
    for key, (fits, words) in KEYS.items():
        if key in model and not fits(model[key]):
            yield Problem(f"{key}: {short(model[key])} must be {words}")
    yield from _check_scales(model)
    parts = [model.get(part) for part in ("backbone", "head")]
    for part, rows in zip(("backbone", "head"), parts, strict=True):
        if part not in model:
            yield Problem(f"lacks `{part}`; it must list its rows [from, repeats, module, arguments]")
        elif not isinstance(rows, list) or not rows:
            yield Problem(f"`{part}` must be a list of rows [from, repeats, module, arguments]")
    rows = [row for part in parts if isinstance(part, list) for row in part]
    wrong = [problem for i, row in enumerate(rows) for problem in _check_row(row, i, names)]
    yield from wrong or _check_picks(rows, names)


def _check_row(row: Any, i: int, names: Names) -> Iterator[Problem]:
    if not isinstance(row, list) or len(row) != 4:
        yield Problem(f"{short(row)} is no row; write [from, repeats, module, [arguments]]", i)
        return
    source, n, name, args = row
    module = name if isinstance(name, str) and len(name) <= 60 and name.isprintable() else short(name)

    def problem(reason: str) -> Problem:
        return Problem(reason, i, module)

    if not isinstance(name, str):
        yield problem("the module must be a name")
    elif not names.known(name):
        near = difflib.get_close_matches(name[:60], list(names.near), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`yolo-plugins list` shows the pack's blocks"
        hint = HINTS.get(name, hint)
        yield problem(f"no module of this name; {hint}")
    if not is_count(n) or n < 1:
        yield problem(f"repeats {short(n)} must be a whole number from 1")
    if not isinstance(args, list):
        yield problem(f"arguments {short(args)} must be a list; write [] for none")
    else:
        yield from map(problem, filter(None, (_text_problem(a, names.taken) for a in args if isinstance(a, str))))
    sources = source if isinstance(source, list) else [source]
    if not sources:
        yield problem("`from` is an empty list; -1 is the row above")
    for f in sources:
        if not is_count(f):
            yield problem(f"`from` {short(f)} must be a row number, -1 for the row above")
        elif f >= i or f < -max(i, 1):
            exist = f"rows 0 to {i - 1} exist" if i else "only the image, -1, exists"
            yield problem(f"`from` points at row {short(f)}, but above it {exist}")


def _check_picks(rows: list[Any], names: Names) -> Iterator[Problem]:
    """Of a row that gives a list of maps, only `Index` rows may take, each one of them by number and with its channels.

    The rows are well formed.
    """
    lists: dict[int, Sequence[int]] = {}
    for i, (source, _, name, args) in enumerate(rows):
        lists[i] = names.maps(name, args)
        for f in source if isinstance(source, list) else [source]:
            at = f if f >= 0 else i + f
            if not (maps := lists.get(at)):
                continue
            c, k = [*args, *[None, 0][len(args) :]][:2]
            if name != "Index" or not is_count(k) or not 0 <= k < len(maps):
                picks = ", ".join(f"[{c}, {k}]" for k, c in enumerate(maps))
                yield Problem(f"row {at} gives a list of maps; `Index` picks one, with {picks}", i, name)
            elif c != maps[k]:
                yield Problem(
                    f"map {k} of row {at} has {maps[k]} channels, not {short(c)}; write [{maps[k]}, {k}]", i, name
                )


def _text_problem(text: str, taken: frozenset[str]) -> str:
    """Ultralytics puts a local variable of that name, or the literal that it spells, in a string's place."""
    if text in taken and text not in SHARED:
        return f"argument {short(text)} is a name that Ultralytics uses itself; write the value"
    try:
        ast.literal_eval(text)
    except ValueError:
        return ""  # stays the string that it is
    except (SyntaxError, TypeError, MemoryError, RecursionError):
        return f"argument {short(text)} is neither a word nor a value"
    return ""


def _check_scales(model: dict[str, Any]) -> Iterator[Problem]:
    scales, scale = model.get("scales"), model.get("scale")
    if scales is None or scales == {}:
        return
    if not isinstance(scales, dict):
        yield Problem(f"scales: {short(scales)} must map letters to [depth, width, max_channels]")
        return
    for letter, values in scales.items():
        if not isinstance(letter, str) or not isinstance(values, (list, tuple)) or not _is_scale(values):
            yield Problem(
                f"scales: {short(letter)}: {short(values)} must be [depth, width, max_channels], "
                "such as [0.33, 0.25, 1024]"
            )
    if scale and not (isinstance(scale, str) and scale in scales):
        yield Problem(f"scale {short(scale)} is not one of its scales {', '.join(map(short, scales))}")


def _is_scale(values: Any) -> bool:
    return len(values) == 3 and all(map(_is_multiple, values[:2])) and (values[2] == math.inf or _positive(values[2]))


def _positive(value: Any) -> bool:
    return is_count(value) and value >= 1


def _is_multiple(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def _is_switch(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _is_keypoints(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and _positive(value[0]) and value[1] in (2, 3)


KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "nc": (_positive, "the number of classes, at least 1"),
    "channels": (_positive, "the number of image channels, at least 1"),
    "reg_max": (_positive, "a whole number from 1"),
    "kpt_shape": (_is_keypoints, "[keypoints, 2 or 3], such as [17, 3]"),
    "end2end": (_is_switch, "True or False"),
    "legacy": (_is_switch, "True or False"),
    "inplace": (_is_switch, "True or False"),
    "depth_multiple": (_is_multiple, "a number above 0"),
    "width_multiple": (_is_multiple, "a number above 0"),
}
"""Keys whose values have one form, the test of it, and the form in words."""
