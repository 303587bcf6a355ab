"""Model YAMLs as data: what must hold before a single layer is built, said with file, row and block."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

MAX_ROWS = 2000
MAX_REPEATS = 1000


class ModelYAMLError(ValueError):
    """A model YAML that cannot be built; the message names the file, the row, the block and what to do."""


def check(model: Any, file: str, known: Callable[[str], bool], names: Iterable[str]) -> None:
    """Refuse a model description whose structure, names or `from` references cannot be built.

    Args:
        model: What the YAML holds.
        file: Its name, for messages.
        known: Tells whether a row may name this module.
        names: Names to suggest where `known` says no.

    Raises:
        ModelYAMLError: at the first thing found.
    """
    check_mapping(model, file)
    for part in ("backbone", "head"):
        if part not in model:
            raise ModelYAMLError(f"{file} lacks `{part}`; it must list its rows [from, repeats, module, arguments]")
        if not isinstance(model[part], list) or not model[part]:
            raise ModelYAMLError(f"{file}: `{part}` must be a list of rows [from, repeats, module, arguments]")
    check_activation(model.get("activation"), file)
    rows = model["backbone"] + model["head"]
    if len(rows) > MAX_ROWS:
        raise ModelYAMLError(f"{file} has {len(rows)} rows; at most {MAX_ROWS} can be built")
    for i, row in enumerate(rows):
        _check_row(row, i, file, known, names)


def check_mapping(model: Any, file: str) -> None:
    """Refuse what is empty or not a mapping.

    Raises:
        ModelYAMLError: naming the file and what it holds.
    """
    if not model:
        raise ModelYAMLError(f"{file} is empty; a model YAML needs `nc`, `backbone` and `head`")
    if not isinstance(model, dict):
        raise ModelYAMLError(f"{file} holds a {type(model).__name__}, not a mapping with `nc`, `backbone` and `head`")


def _check_row(row: Any, i: int, file: str, known: Callable[[str], bool], names: Iterable[str]) -> None:
    if not isinstance(row, list) or len(row) != 4:
        raise ModelYAMLError(f"{file}: row {i} is {_short(row)}; write [from, repeats, module, [arguments]]")
    source, n, name, args = row
    where = f"{file}: row {i} ({name if isinstance(name, str) else _short(name)})"
    if not isinstance(name, str):
        raise ModelYAMLError(f"{where}: the module must be a name")
    if not known(name):
        near = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`yolo-plugins list` shows the pack's blocks"
        raise ModelYAMLError(f"{where}: no module of this name; {hint}")
    if not _is_int(n) or not 1 <= n <= MAX_REPEATS:
        raise ModelYAMLError(f"{where}: repeats {_short(n)} must be a whole number from 1 to {MAX_REPEATS}")
    if not isinstance(args, list):
        raise ModelYAMLError(f"{where}: arguments {_short(args)} must be a list; write [] for none")
    sources = source if isinstance(source, list) else [source]
    if not sources:
        raise ModelYAMLError(f"{where}: `from` is an empty list; -1 is the row above")
    for f in sources:
        if not _is_int(f):
            raise ModelYAMLError(f"{where}: `from` {_short(f)} must be a row number, -1 for the row above")
        if f >= i or f < -max(i, 1):
            exist = f"rows 0 to {i - 1} exist" if i else "only the image, -1, exists"
            raise ModelYAMLError(f"{where}: `from` points at row {f}, but above it {exist}")


def check_activation(spec: Any, file: str) -> None:
    """Refuse an `activation:` that is more than a torch.nn class called with literals, since Ultralytics evaluates it.

    Raises:
        ModelYAMLError: anything but the form `torch.nn.ReLU()` or `nn.LeakyReLU(0.1)`.
    """
    if spec in (None, False, ""):
        return
    try:
        call = ast.parse(str(spec).strip(), mode="eval").body
        assert isinstance(call, ast.Call)
        path = ast.unparse(call.func).split(".")
        assert path[:-1] in (["nn"], ["torch", "nn"])
        layer = getattr(nn, path[-1])
        assert issubclass(layer, nn.Module)
        args = [ast.literal_eval(a) for a in call.args]
        layer(*args, **{str(k.arg): ast.literal_eval(k.value) for k in call.keywords})
    except Exception as error:
        raise ModelYAMLError(
            f"{file}: activation: {_short(spec)} must be a torch.nn layer with plain arguments, such as torch.nn.ReLU()"
        ) from error


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
