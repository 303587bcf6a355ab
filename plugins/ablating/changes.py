"""Named changes of a base model: what a command line asks for, and which rows that makes of the base's.

ghost                                         a recipe of `yolo-plugins yaml --recipes`, or a recipe's YAML file
slim=slim-neck                                the same under a name of one's own
se="--gate SE --from-stride 16"               the options of `yolo-plugins yaml`
head="22=plugins.LiteDetect"                  a row by its number, with the arguments that it has
c3="12=C3, [512]; 15=plugins.C3, [256]"       several rows, with others
"""

from __future__ import annotations

import difflib
import inspect
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..blocks.registry import PREFIX
from ..rows.description import rows_of
from ..swapping.backbones import Backbone, backbone_of
from ..swapping.composing import compose
from ..swapping.recipes import RECIPES
from ..swapping.row_edits import RowEdit, edit_rows, reasons, stock_of
from ..training.arguments import known

NAME = re.compile(r"[^\W_](?:[^\W_]|[.-])*")
ROW = re.compile(r"\s*(\d+)\s*=\s*([A-Za-z][\w.]*)\s*(?:,\s*(\[.*\]))?\s*", re.S)
OPTIONS = {f"--{name.replace('_', '-')}": name for name in (*inspect.signature(compose).parameters, "backbone")}


@dataclass(frozen=True)
class Change:
    """A change of a base: the rows that it edits, and another backbone if it brings one.

    `asked` is what was asked for. `gates` tells that on stages it puts gates and nothing else.
    """

    name: str
    asked: str
    edits: Mapping[int, RowEdit] = field(default_factory=dict)
    gates: bool = False
    under: Backbone | None = None

    def rows(self, count: int) -> set[int]:
        """The rows that it touches, of so many, those that go with a backbone among them."""
        gone = set(range(count)) - set(self.under.kept) if self.under else set()
        return {*self.edits, *gone}


def named(texts: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """What is asked for, by the changes' names: of `ghost`, `se=…` and the like.

    Args:
        texts: As they were given.
        taken: Names that no change may have.

    Raises:
        ValueError: no change, one without a name that files and columns can have, or two of one name.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, given, what = text.partition("=")
        if not given:
            name, what = (Path(text).stem if _is_file(text) else text), text
        if name.strip().isdecimal():
            raise ValueError(f'{text}: give the change a name as well, as in head="{text}"')
        if not NAME.fullmatch(name) or name in taken:
            why = "is a heading of the table" if name in taken else "may have letters, digits, - and . in its name"
            raise ValueError(f"the change {name!r} {why}; call it otherwise, as in another={shlex.quote(what)}")
        if name in found:
            raise ValueError(f"two changes are called {name}: {found[name]} and {what}; call one of them otherwise")
        if not what.strip():
            raise ValueError(f"{text} says nothing of what is to change; give a recipe, options or rows")
        found[name] = what.strip()
    if not found:
        raise ValueError(
            "nothing is to be added to the base; give a change, as in "
            '--add ghost="--stage GhostBottleneck" se="--gate SE"'
        )
    return found


def change(name: str, asked: str, description: dict[str, Any], file: str) -> Change:
    """A change of a base model.

    Args:
        name: What it is called.
        asked: A recipe's name or file, options of `yolo-plugins yaml`, or rows.
        description: The base's.
        file: The base's file name.

    Raises:
        ValueError: what is no change, or one for which the base has no row; with the change's name.
    """
    try:
        if asked.startswith("-"):
            return _by_options(name, asked, description, file)
        if ROW.match(asked):
            return Change(name, asked, _by_hand(asked, description, file))
        _refuse_misspelt(name, asked)
        return _by_options(name, shlex.join(["--swap", asked]), description, file)
    except (ValueError, OSError) as error:
        raise ValueError(f"{name}: {error}") from error


def _refuse_misspelt(name: str, asked: str) -> None:
    """An argument of training that nobody knows is no change either."""
    near = difflib.get_close_matches(name, known(), n=1, cutoff=0.8)
    if near and asked not in RECIPES and not _is_file(asked):
        raise ValueError(f"{asked!r} is no recipe, and `yolo train` has no such argument; did you mean {near[0]}=?")


def _by_options(name: str, asked: str, description: dict[str, Any], file: str) -> Change:
    given = _options(asked)
    network = given.pop("backbone", None)
    stock = stock_of(description, file)
    under = backbone_of(description, stock, file, network) if network else None
    if not given:
        return Change(name, asked, under=under)
    recipe = compose(**given)
    edits = edit_rows(description, file, recipe)[0]
    swapped = {edit.row: edit for edit in edits if edit.block and (under is None or edit.row in under.kept)}
    if not swapped:
        raise ValueError(f"{file} has no row for {recipe.named}: {reasons(description, edits)}")
    kinds = {rule.kind for rule in recipe.rules}
    return Change(name, asked, swapped, "gate" in kinds and "stage" not in kinds, under)


def _options(text: str) -> dict[str, Any]:
    """`--gate SE --from-stride 16` by the names of `compose`'s arguments, and `backbone`."""
    words, given = shlex.split(text), dict[str, Any]()
    while words:
        option, equals, value = words.pop(0).partition("=")
        if option not in OPTIONS:
            raise ValueError(f"{option} is no option of `yolo-plugins yaml`; there are {', '.join(OPTIONS)}")
        if not equals and not words:
            raise ValueError(f"{option} lacks its value")
        given[OPTIONS[option]] = value if equals else words.pop(0)
    if "from_stride" in given:
        if not given["from_stride"].isdecimal():
            raise ValueError(f"--from-stride {given['from_stride']} must be a whole number")
        given["from_stride"] = int(given["from_stride"])
    return given


def _by_hand(text: str, description: dict[str, Any], file: str) -> dict[int, RowEdit]:
    """`22=plugins.LiteDetect, [nc]; 9=SPPF`, each row's `from` and repeats as they are."""
    import yaml

    rows, edits = rows_of(description), dict[int, RowEdit]()
    for part in filter(str.strip, text.split(";")):
        found = ROW.fullmatch(part)
        if found is None:
            raise ValueError(f"{part.strip()!r} is no row; write 22=plugins.LiteDetect, or 6=C2f, [256, True]")
        row, module = int(found[1]), found[2]
        if row >= len(rows):
            raise ValueError(f"{file} has rows 0 to {len(rows) - 1}, and none of number {row} to become {module}")
        if row in edits:
            raise ValueError(f"row {row} is given twice")
        try:
            args = yaml.safe_load(found[3]) if found[3] else rows[row][3]
        except yaml.YAMLError as error:
            raise ValueError(f"{found[3]} is no list of arguments: {' '.join(str(error).split())}") from error
        plugin = module.startswith(PREFIX)
        block = module.removeprefix(PREFIX)
        edits[row] = RowEdit(row, rows[row][2], block, tuple(args), plugin=plugin)
    return edits


def _is_file(text: str) -> bool:
    return text.endswith((".yaml", ".yml"))
