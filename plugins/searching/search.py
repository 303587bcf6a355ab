"""A search from end to end: candidates, what they are worth, times, the choice, and its YAML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..comparing import Store, command, content, describe, fit, require
from ..files import write_text
from ..rows.yaml_files import locate
from ..swapping.yaml_text import written
from ..tables import columns
from ..transplanting.students import one_scale
from .candidates import STOCK, candidates, edits_of
from .finding import Found, find
from .measuring import Machine
from .networks import network
from .progress import Line
from .settings import Settings
from .worths import guessed, taught


@dataclass(frozen=True)
class Result:
    """What was found, and all of it as text."""

    found: Found
    text: str


def search(model: str, output: Path, settings: Settings) -> Result:
    """Find the model that is worth the most within a budget on this machine, and write its YAML.

    Args:
        model: A model YAML with its scale letter, or with images a trained `.pt`; its stock rows are replaced.
        output: The YAML to write.
        settings: How to go about it.

    Raises:
        ValueError: anything in the arguments that cannot be searched, or a budget that nothing keeps.
        RuntimeError: a runtime that is missing, or cannot run the model.
        OSError: a file is missing or cannot be written.
    """
    line = Line()
    require(settings.runtime)
    _refuse(model, output, settings)
    wanted = candidates(settings.blocks)
    base = network(model)
    stride = int(max(base.stride))
    fit(settings.imgsz, stride, f"{model}'s stride {stride}")
    edits = edits_of(base, wanted, model)
    store = _store(settings)
    facts = describe([settings.runtime], settings.threads)
    for key in ("processor", "threads", "versions", "load before"):
        line.say(f"{key}: {facts[key]}")
    if settings.images is None:
        worth = guessed(base, edits, settings.imgsz)
    else:
        about = content(Path(model))
        worth = taught(base, edits, settings.images, settings.steps, settings.imgsz, store, about, line)
    where = [facts[key] for key in ("machine", "processor", "versions")]
    machine = Machine(base, edits, settings, store, where, line)
    found = find(worth, machine, settings.limit, line.say)
    summary = _summary(found, machine)
    head = f"{command()}\n{summary}\n{facts['processor']}, {facts['threads']}, {facts['versions']}"
    write_text(output, written(one_scale(base.yaml), machine.edits_of(found.choice), head))
    return Result(found, f"{render(found)}\n\n{summary}\nwritten: {output}")


def render(found: Found) -> str:
    """Milliseconds of every candidate alone and inside the model, and worth, a line a row; the chosen ones starred."""
    names = list(dict.fromkeys(option.name for row in found.table.values() for option in row))
    lines = [["row, ms alone → inside, worth", *names]]
    for i, row in found.table.items():
        cells = {o.name: f"{found.alone[i, o.name]:.2f} → {o.ms:.2f}, {o.worth:.2f} " for o in row}
        cells[found.choice[i]] = f"{cells[found.choice[i]][:-1]}*"
        lines.append([str(i), *(cells.get(name, "") for name in names)])
    return columns(lines, right=range(1, len(names) + 1))


def _refuse(model: str, output: Path, settings: Settings) -> None:
    """What can be said before anything is built."""
    if model.endswith(".pt") != (settings.images is not None):
        raise ValueError("a trained .pt and --images go together: what blocks are worth is what they learn of its rows")
    if not model.endswith(".pt") and output.exists() and locate(model).resolve() == output.resolve():
        raise ValueError(f"{output} is the model itself; give another name with -o")
    if output.exists() and not settings.force:
        raise FileExistsError(f"{output} exists; --force replaces it, -o gives another name")
    if output.suffix not in (".yaml", ".yml"):
        raise ValueError(f"{output} must end in .yaml")
    if not output.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of {output} does not exist")


def _store(settings: Settings) -> Store:
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        return Store(settings.folder / "measured.jsonl")
    except OSError as error:
        raise OSError(f"cannot write into {settings.folder} ({error.strerror}); choose another --folder") from error


def _summary(found: Found, machine: Machine) -> str:
    """The choice in three sentences."""
    asked, replaced = machine.settings, sum(name != STOCK for name in found.choice.values())
    beside: Any = machine.beside[found.number]
    interval = f" ({beside.low:.2f}–{beside.high:.2f})" if beside.low is not None else ""
    return (
        f"{replaced} of {len(found.choice)} rows replaced for {asked.runtime} at {asked.imgsz} px: "
        f"{found.measured:.2f} ms measured, {found.expected:.2f} ms expected, stock {found.stock:.2f} ms, "
        f"{beside.median:.2f}× as fast{interval}"
    )
