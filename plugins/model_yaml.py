"""Model YAMLs as data: what must hold before a single layer is built, said with file, row and block.

A YAML may come from anybody, and Ultralytics evaluates parts of it: `activation:` as Python, a row's strings as names
of variables. So it is read as plain data, and whatever is not of the expected form is refused.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .geometry import MAX_REPEATS

MAX_BYTES = 1_000_000
MAX_ROWS = 500
MAX_ARGUMENTS = 200  # numbers and strings in one row, however they are nested
MAX_NUMBER = 1_000_000
MAX_TEXT = 200
MAX_DEPTH = 20
SHARED = {"nc", "kpt_shape", "reg_max", "end2end", "depth", "width", "max_channels", "scale"}
"""What a row's argument may name: values of the YAML itself."""


class ModelYAMLError(ValueError):
    """A model YAML that cannot be built; the message names the file, the row, the block and what to do.

    `problem` is the same in parts, where it is a row's.
    """

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True)
class Problem:
    """Something wrong with a model description: the reason with what to write instead, and the row if it is one's."""

    reason: str
    row: int | None = None
    module: str = ""

    def sentence(self, file: str) -> str:
        """The problem in one line, with the file's name."""
        if self.row is None:
            return f"{file}: {self.reason}"
        return f"{file}: row {self.row}{f' ({self.module})' if self.module else ''}: {self.reason}"


@dataclass(frozen=True)
class Names:
    """What rows may name: `known` tells whether a module exists, `near` are names to suggest where it does not.

    `taken` are strings that must not be arguments, since Ultralytics would put something else in their place.
    """

    known: Callable[[str], bool]
    near: Iterable[str] = ()
    taken: frozenset[str] = frozenset()


def read(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file, as plain data.

    Raises:
        ModelYAMLError: a file that is too large, is not YAML, or holds no mapping.
        OSError: it cannot be read.
    """
    import yaml

    data = Path(path).read_bytes()
    if len(data) > MAX_BYTES:
        raise ModelYAMLError(f"{path} has {len(data):,} bytes; a model YAML of more than {MAX_BYTES:,} is not read")
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
        raise ModelYAMLError(f"{path} is not YAML: {_line(error)}") from None
    except RecursionError:
        raise ModelYAMLError(f"{path} is not a model YAML: its lists nest too deeply") from None
    check_mapping(model, str(path))
    return {key: None if isinstance(value, str) and value == "None" else value for key, value in model.items()}


def check(model: Any, file: str, names: Names) -> None:
    """Refuse a model description whose structure, names or `from` references cannot be built.

    Args:
        model: What the YAML holds.
        file: Its name, for messages.
        names: What rows may name.

    Raises:
        ModelYAMLError: at the first thing found.
    """
    check_mapping(model, file)
    for problem in problems(model, names):
        raise ModelYAMLError(problem.sentence(file), problem)


def check_mapping(model: Any, file: str) -> None:
    """Refuse what is empty or not a mapping.

    Raises:
        ModelYAMLError: naming the file and what it holds.
    """
    if not model:
        raise ModelYAMLError(f"{file} is empty; a model YAML needs `nc`, `backbone` and `head`")
    if not isinstance(model, dict):
        raise ModelYAMLError(f"{file} holds a {type(model).__name__}, not a mapping with `nc`, `backbone` and `head`")


def problems(model: dict[str, Any], names: Names) -> Iterator[Problem]:
    """Everything wrong with a model description that can be told without building it."""
    for key, (fits, words) in KEYS.items():
        if key in model and not fits(model[key]):
            yield Problem(f"{key}: {_short(model[key])} must be {words}")
    yield from _check_scales(model)
    if reason := activation_problem(model.get("activation")):
        yield Problem(reason)
    parts = [model.get(part) for part in ("backbone", "head")]
    for part, rows in zip(("backbone", "head"), parts, strict=True):
        if part not in model:
            yield Problem(f"lacks `{part}`; it must list its rows [from, repeats, module, arguments]")
        elif not isinstance(rows, list) or not rows:
            yield Problem(f"`{part}` must be a list of rows [from, repeats, module, arguments]")
    rows = [row for part in parts if isinstance(part, list) for row in part]
    if len(rows) > MAX_ROWS:
        yield Problem(f"has {len(rows)} rows; at most {MAX_ROWS} can be built")
        return
    for i, row in enumerate(rows):
        yield from _check_row(row, i, names)


def _check_row(row: Any, i: int, names: Names) -> Iterator[Problem]:
    if not isinstance(row, list) or len(row) != 4:
        yield Problem(f"{_short(row)} is no row; write [from, repeats, module, [arguments]]", i)
        return
    source, n, name, args = row
    module = name if isinstance(name, str) and len(name) <= 60 and name.isprintable() else _short(name)

    def problem(reason: str) -> Problem:
        return Problem(reason, i, module)

    if not isinstance(name, str):
        yield problem("the module must be a name")
    elif not names.known(name):
        near = difflib.get_close_matches(name[:60], list(names.near), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`yolo-plugins list` shows the pack's blocks"
        yield problem(f"no module of this name; {hint}")
    if not is_count(n, MAX_REPEATS):
        yield problem(f"repeats {_short(n)} must be a whole number from 1 to {MAX_REPEATS}")
    if not isinstance(args, list):
        yield problem(f"arguments {_short(args)} must be a list; write [] for none")
    elif reason := _argument_problem(args, names.taken):
        yield problem(reason)
    sources = source if isinstance(source, list) else [source]
    if not sources:
        yield problem("`from` is an empty list; -1 is the row above")
    for f in sources[:MAX_ROWS]:
        if not _is_int(f):
            yield problem(f"`from` {_short(f)} must be a row number, -1 for the row above")
            return
        if f >= i or f < -max(i, 1):
            exist = f"rows 0 to {i - 1} exist" if i else "only the image, -1, exists"
            yield problem(f"`from` points at row {_short(f)}, but above it {exist}")


def _argument_problem(args: list[Any], taken: frozenset[str]) -> str:
    """What is wrong with a row's arguments as data; empty if nothing is."""
    values = 0
    waiting = list(args)
    while waiting:
        value = waiting.pop()
        values += 1
        if values > MAX_ARGUMENTS:
            return f"has more than {MAX_ARGUMENTS} arguments, nested ones counted"
        if isinstance(value, (list, tuple)):
            waiting.extend(value[:MAX_ARGUMENTS])
        elif isinstance(value, dict):
            waiting.extend(list(value.values())[:MAX_ARGUMENTS])
        elif isinstance(value, str) and (reason := _text_problem(value, taken)):
            return reason
        elif isinstance(value, (int, float)) and not -MAX_NUMBER <= value <= MAX_NUMBER:  # not a number included
            return f"argument {_short(value)} must be a number from -{MAX_NUMBER:,} to {MAX_NUMBER:,}"
    return ""


def _text_problem(text: str, taken: frozenset[str]) -> str:
    """Ultralytics puts a local variable of that name, or the literal that it spells, in a string's place."""
    if len(text) > MAX_TEXT or not text.isprintable():
        return f"argument {_short(text)} must be a word of at most {MAX_TEXT} printable characters"
    if text in taken and text not in SHARED:
        return f"argument {text!r} is a name that Ultralytics uses itself; write the value"
    try:
        value = ast.literal_eval(text)
    except ValueError:
        return ""  # stays the string that it is
    except (SyntaxError, TypeError, MemoryError, RecursionError):
        return f"argument {_short(text)} is neither a word nor a value"
    return _argument_problem([value], taken) if not isinstance(value, (str, bytes)) else ""


def _check_scales(model: dict[str, Any]) -> Iterator[Problem]:
    scales, scale = model.get("scales"), model.get("scale")
    if scales is None or scales == {}:
        return
    if not isinstance(scales, dict) or len(scales) > 20:
        yield Problem(f"scales: {_short(scales)} must map letters to [depth, width, max_channels]")
        return
    for letter, values in scales.items():
        if not isinstance(letter, str) or not isinstance(values, (list, tuple)) or not _is_scale(values):
            yield Problem(
                f"scales: {_short(letter)}: {_short(values)} must be [depth, width, max_channels], "
                "such as [0.33, 0.25, 1024]"
            )
    if scale and not (isinstance(scale, str) and scale in scales):
        yield Problem(f"scale {_short(scale)} is not one of its scales {', '.join(map(_short, scales))}")


def _is_scale(values: Any) -> bool:
    return (
        len(values) == 3
        and all(map(_is_multiple, values[:2]))
        and (values[2] == math.inf or is_count(values[2], MAX_NUMBER))
    )


def activation_problem(spec: Any) -> str:
    """What is wrong with an `activation:`, which Ultralytics evaluates; empty if it is a torch.nn layer called plainly.

    The form is `torch.nn.ReLU()` or `nn.LeakyReLU(0.1)`: a class of torch.nn's activations with literals.
    """
    if spec is None or spec is False or spec == "":
        return ""
    wrong = f"activation: {_short(spec)} must be a torch.nn layer with plain arguments, such as torch.nn.ReLU()"
    if not isinstance(spec, str) or len(spec) > MAX_TEXT:
        return wrong
    import torch
    from torch import nn

    try:
        call = ast.parse(spec.strip(), mode="eval").body
        if not isinstance(call, ast.Call):
            return wrong
        path = ast.unparse(call.func).split(".")
        layer = getattr(nn, path[-1], None)
        known = layer is nn.Identity or layer in vars(nn.modules.activation).values()
        if path[:-1] not in (["nn"], ["torch", "nn"]) or layer is None or not known:
            return wrong
        args = [ast.literal_eval(a) for a in call.args]
        options = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        if _argument_problem([*args, *options.values()], frozenset()):
            return wrong
        with torch.device("meta"):
            layer(*args, **options)
    except Exception:
        return wrong
    return ""


def is_count(value: Any, limit: int) -> bool:
    """Whether a value is a whole number from 1 to `limit`."""
    return _is_int(value) and 1 <= value <= limit


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_multiple(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 100


def _is_switch(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _is_keypoints(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and is_count(value[0], 1000) and value[1] in (2, 3)


KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "nc": (lambda value: is_count(value, 100_000), "the number of classes, from 1 to 100,000"),
    "channels": (lambda value: is_count(value, 1000), "the number of image channels, from 1 to 1,000"),
    "reg_max": (lambda value: is_count(value, 1000), "a whole number from 1 to 1,000"),
    "kpt_shape": (_is_keypoints, "[keypoints, 2 or 3], such as [17, 3]"),
    "end2end": (_is_switch, "True or False"),
    "legacy": (_is_switch, "True or False"),
    "inplace": (_is_switch, "True or False"),
    "depth_multiple": (_is_multiple, "a number above 0, at most 100"),
    "width_multiple": (_is_multiple, "a number above 0, at most 100"),
}
"""Keys whose values have one form, the test of it, and the form in words."""


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


class _Repr(reprlib.Repr):
    """`repr` of bounded length, whatever nests in what."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict, self.maxtuple = 3, 6, 6, 6
        self.maxstring = self.maxother = self.maxlong = 60

    def repr_int(self, x: int, level: int) -> str:
        return str(x) if x.bit_length() < 200 else f"<a number of {x.bit_length()} bits>"


def _short(value: Any, limit: int = 60) -> str:
    text = _Repr().repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
