"""The rows of a stock model that a block may stand for: what each is, at every scale, and at which stride."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from torch import nn

from ..blocks.counting import parameters
from ..blocks.registry import PREFIX
from ..blocks.signature import is_count
from ..models.building import quiet
from ..models.dry_run import IMAGE, RowError, Shapes, build, run
from ..rows.arguments import Scale
from ..rows.description import image_channels, rows_of, scales_by_size
from .places import NoPlace, Place, place_of

Maps = list[Shapes]


@dataclass(frozen=True)
class Site:
    """A stock row: its kind, its stride, and its places, one a scale, or why it has none.

    `kind` is "conv", "stage", "up" or "join", "down" for what halves a map in another way than by one convolution, or
    "" where it cannot be told. `halves` are the places of any row that halves a map, as those of a convolution.
    """

    row: int
    module: str
    c2: Any
    neck: bool
    stride: float
    kind: str = ""
    places: tuple[Place, ...] = ()
    halves: tuple[Place, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Stock:
    """A stock model: its task, its sites, and of each row the stride; `blind` is the first row that cannot be run.

    Such a row takes something besides the image. What lies behind it has an infinite stride.
    """

    task: str
    sites: tuple[Site, ...]
    strides: tuple[float, ...]
    blind: int | None = None


@dataclass(frozen=True)
class _Scaled:
    """A model built at one scale: its layers, the maps of each, and how its channel counts scale."""

    layers: nn.Sequential
    maps: Maps
    scale: Scale

    def channels(self, row: int) -> int | None:
        """Channels of a row's one map."""
        map_ = self.maps[row] if row < len(self.maps) else []
        return map_[0][1] if len(map_) == 1 and len(map_[0]) == 4 else None


@lru_cache(maxsize=2)
def sites_of(text: str, name: str) -> Stock:
    """The sites of a model, whose description is given as YAML; kept for the next recipe, as models are built for it.

    Raises:
        ModelYAMLError: a row that cannot be built.
    """
    import yaml
    from ultralytics.nn import tasks

    description = yaml.safe_load(text)
    scaled = [_scaled(description, letter, name) for letter in scales_by_size(description)]
    strides = [_side(maps) for maps in scaled[0].maps]
    strides += [math.inf] * (len(rows_of(description)) - len(strides))
    blind = len(scaled[0].maps) if len(scaled[0].maps) < len(strides) else None
    with quiet():
        task = str(tasks.guess_model_task(description) or "detect")  # it does not know RT-DETR's decoder
    finder = _Finder(description, scaled, strides, blind)
    sites = [finder.site(i) for i in range(len(strides) - 1)]
    return Stock(task, tuple(site for site in sites if site is not None), tuple(strides), blind)


def sources_of(row: list[Any], i: int) -> list[int]:
    """The numbers of the rows that row i takes, -1 for the image."""
    given = row[0] if isinstance(row[0], list) else [row[0]]
    return [f if f >= 0 else max(i + f, -1) for f in given]


def _scaled(description: dict[str, Any], letter: str, name: str) -> _Scaled:
    layers = build({**description, "scale": letter, "yaml_file": name})
    try:
        maps = run(layers, image_channels(description))
    except RowError as error:  # a row that takes text besides the image
        maps = error.maps
    width, limit = description.get("scales", {}).get(letter, (1, description.get("width_multiple", 1), math.inf))[1:]
    return _Scaled(layers, maps, Scale(width, limit))


def _side(maps: Shapes) -> float:
    """The stride of a row's output; infinite for one that is no map."""
    return IMAGE / maps[0][2] if len(maps) == 1 and len(maps[0]) == 4 else math.inf


@dataclass(frozen=True)
class _Finder:
    """What a model's rows are."""

    description: dict[str, Any]
    scaled: list[_Scaled]
    strides: list[float]
    blind: int | None

    def site(self, i: int) -> Site | None:
        """The site that row i is, or None for one of another sort."""
        _, n, module, args = rows_of(self.description)[i]
        if module.startswith(PREFIX):
            return None
        neck, stride, c2 = i >= len(self.description["backbone"]), self.strides[i], args[0] if args else None
        layers = [scale.layers[i] for scale in self.scaled]
        if kind := self._mixer(i):
            places, reason = self._mixing(i, kind)
            level = rows_of(self.description)[i + 1][3][:1] if kind == "join" else []
            return Site(i, module, level[0] if level else None, neck, stride, kind, places, reason=reason)
        halves = self._halves(i)
        try:
            found = [
                place_of(m[0] if n > 1 and type(m) is nn.Sequential and _alike(m) else m, with_attention=True)
                for m in layers
            ]
        except NoPlace as error:
            return Site(i, module, c2, neck, stride, halves=halves, reason=str(error))
        places = tuple(place for place in found if place is not None)
        if not places and not halves:
            return None
        kind = ("conv" if places[0].kind == "conv" else "stage") if places else "down"
        return Site(i, module, c2, neck, stride, kind, places, halves)

    def _mixer(self, i: int) -> str:
        """Whether a row enlarges its one input, "up", or concatenates several, "join"; empty for any other."""
        from ultralytics.nn.modules import Concat

        source, *others = sources_of(rows_of(self.description)[i], i)
        layer, first = self.scaled[0].layers[i], self.scaled[0]
        same = source >= 0 and not others and first.channels(i) == first.channels(source) is not None
        if isinstance(layer, nn.Upsample) or (same and self.strides[source] == 2 * self.strides[i]):
            return "up"
        return "join" if isinstance(layer, Concat) else ""

    def _mixing(self, i: int, kind: str) -> tuple[tuple[Place, ...], str]:
        """Places of an upsampling or a join, or why there are none."""
        rows, places = rows_of(self.description), []
        if self.blind is not None and i + (kind == "join") >= self.blind:
            return (), f"is not before row {self.blind}, which takes something besides the image"
        for scale in self.scaled:
            given = [scale.channels(j) for j in sources_of(rows[i], i)]
            made, level = scale.channels(i), scale.channels(i + 1)
            if made is None or level is None or None in given:
                return (), "takes or gives something else than one map"
            channels = tuple(c for c in given if c is not None)
            if kind == "up":
                (source,) = sources_of(rows[i], i)
                places.append(Place("up", made, made, scale=round(self.strides[source] / self.strides[i])))
            elif not self._told(i + 1, scale):
                return (), f"is followed by row {i + 1}, whose arguments do not say how many channels its level has"
            else:
                places.append(Place("join", sum(channels), level, sources=channels))
        return tuple(places), ""

    def _halves(self, i: int) -> tuple[Place, ...]:
        """Places of a row that halves its one input, as those of a convolution."""
        (source, *others), layer = sources_of(rows_of(self.description)[i], i), self.scaled[0].layers[i]
        before = 1 if source < 0 else self.strides[source]
        if others or self.strides[i] != 2 * before or not parameters(layer):
            return ()
        places = []
        for scale in self.scaled:
            c1 = image_channels(self.description) if source < 0 else scale.channels(source)
            c2 = scale.channels(i)
            if c1 is None or c2 is None or not self._told(i, scale):
                return ()
            places.append(Place("conv", c1, c2, s=2))
        return tuple(places)

    def _told(self, i: int, scale: _Scaled) -> bool:
        """Whether a row's first argument is how many channels it gives, before scaling."""
        args = rows_of(self.description)[i][3]
        return bool(args) and is_count(args[0]) and scale.scale(args[0]) == scale.channels(i)


def _alike(layers: nn.Sequential) -> bool:
    return len({type(layer) for layer in layers}) == 1
