"""Recipes: which block stands in for which stock rows, from which stride on. A table to read, and to extend.

Field evidence behind them: plain convolutions at strides 2 to 8, light ones at 16 and 32 and in the neck. A recipe of
your own is a YAML file of the same form, given in place of a name:

    title: depthwise stages
    where: Stages alone, from stride 16 on and in the neck.
    own_activations: true
    rules:
      - {stage: C2fDW, stride: 16, options: {d: 2}}
      - {conv: GhostConv, stride: 32, kernel: 3}
      - {up: DySample}
      - {head: LiteDetect}
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..files import read_yaml


@dataclass(frozen=True)
class Rule:
    """`block` stands in for every `kind` of row whose output is at `stride` or beyond, and in the neck.

    The kinds are "conv", "stage", "down" (whatever halves a map), "up" (enlarges one), "join" (a concatenation) and
    "head", which stands in for the Ultralytics head that it derives from. The block of a "stage" may be one for the
    inside of stages, which then keep their shape; that of a "gate" weighs their inner blocks' maps and leaves the rest.
    `backbone` and `neck` say where it applies, `kernel` is the smallest kernel of a "conv" that is worth it;
    `keeps` takes only what makes as many channels as it is given, as YOLO11's convolutions at strides 8 and 16.
    `end2end` is of a "head", for YAMLs that are end to end alone. `options` are further arguments of the block; what a
    YAML says of its head for all rows (`reg_max`) goes before. The first rule of a recipe that fits a row is taken.
    """

    kind: str
    block: str
    stride: int = 16
    kernel: int = 3
    backbone: bool = True
    keeps: bool = False
    neck: bool = True
    end2end: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        options = "".join(f", {key}={value}" for key, value in self.options.items())
        kernel = f", kernel {self.kernel} or more" if self.kind == "conv" and self.kernel > 1 else ""
        parts = {True: f"from stride {self.stride} on", False: "in the neck"}[self.backbone]
        return f"{self.kind:<5} → {self.block}{options}{'' if self.kind == 'head' else f', {parts}{kernel}'}"


@dataclass(frozen=True)
class Recipe:
    """Rules, with what a model made by them is called (`title`), and where they put the blocks.

    In a transplant, blocks take the teacher's activation unless the recipe keeps theirs (`own_activations`). `label`
    is what files made by it are called after, `asked` how a command line asks for it. `finest` is the part of their
    channels that stages at the smallest stride of the neck keep; below 1 there is no transplant, which needs them all.
    """

    title: str
    where: str
    rules: tuple[Rule, ...]
    own_activations: bool = False
    label: str = ""
    asked: str = ""
    finest: float = 1.0

    @property
    def named(self) -> str:
        """How messages call it."""
        return self.asked.removeprefix("--swap ")


GHOST_STAGES = Rule("stage", "C2fGhost", stride=4)
GHOST = "Ghost modules (GhostNet, 1911.11907)"
DEPTHWISE = "dilated depthwise-separable convolutions (MobileNet, 1704.04861; dilation, 1511.07122)"
SHUFFLE = "ShuffleNet units and grouped convolutions (ShuffleNet V1, 1707.01083)"

LITE_STAGE = {"cheap_k": 3}
LITE = {"reg_max": 12, "k": 3}
MERGED, SHARED = {**LITE, "form": "merged"}, {**LITE, "form": "shared"}
"""What lite's stages and heads are told, chosen from tests/benchmarks/lite_designs.py. Of 11 strides to each side of a
map's point, 352 of 640 pixels are the most at stride 32."""

LITE_HEADS = (
    # Of two halves, each makes everything from layers of its own.
    *(Rule("head", f"Lite{of}", end2end=True, options=LITE) for of in ("Detect", "OBB26", "Pose26")),
    Rule("head", "LiteSegment26", end2end=True, options={"npr": 128, **LITE}),
    Rule("head", "LiteV10Detect", options=LITE),
    *(Rule("head", f"Lite{of}", options=MERGED) for of in ("Detect", "OBB", "OBB26")),
    *(Rule("head", f"Lite{of}", options=SHARED) for of in ("Pose", "Pose26")),
    *(Rule("head", f"Lite{of}", options={"npr": 128, **SHARED}) for of in ("Segment", "Segment26")),
    Rule("head", "LiteClassify"),
)

RECIPES: dict[str, Recipe] = {
    "ghost": Recipe(
        GHOST,
        "Stages from stride 4 on, convolutions from stride 8 on; the first two stay plain.",
        (GHOST_STAGES, Rule("conv", "GhostConv", stride=8, kernel=1)),
    ),
    "ghost-gentle": Recipe(
        f"{GHOST} in its stages",
        "Stages from stride 4 on; every convolution between them stays plain.",
        (GHOST_STAGES,),
    ),
    "dwconv": Recipe(
        DEPTHWISE,
        "Strides 2 to 8 of the backbone stay plain; depthwise from stride 16 on and in the neck, dilated in stages.",
        (Rule("stage", "C2fDW", options={"d": 2}), Rule("conv", "DWConv")),
    ),
    "dwconv-gentle": Recipe(
        f"{DEPTHWISE} in its stages",
        "Stages from stride 16 on and in the neck; every convolution between them stays plain.",
        (Rule("stage", "C2fDW", options={"d": 2}),),
    ),
    "shuffle": Recipe(
        SHUFFLE,
        "Strides 2 to 8 of the backbone stay plain; shuffled groups from stride 16 on and in the neck. A ShuffleNet\n"
        "unit of stride 2 needs more channels out than in at every scale: where it has not, grouped convolution.",
        (
            Rule("stage", "C2fShuffle", options={"g": 2}),
            Rule("conv", "ShuffleUnit", options={"g": 4}),
            Rule("conv", "GroupConv", options={"g": 4}),
        ),
    ),
    "shuffle-gentle": Recipe(
        f"{SHUFFLE} in its stages",
        "Stages from stride 16 on and in the neck; every convolution between them stays plain.",
        (Rule("stage", "C2fShuffle", options={"g": 2}),),
    ),
    "lite": Recipe(
        "RepGhost stages and a light head (RepGhost, 2211.06088)",
        "Everything is swapped, with ReLU: plain convolutions to stride 4, depthwise ones from 8 on and in the neck.",
        (
            Rule("stage", "RepGhostStage", stride=1, options=LITE_STAGE),
            Rule("stage", "RepGhostAttention", stride=1, options=LITE_STAGE),
            Rule("conv", "DWConv", stride=8),
            Rule("conv", "ConvBNAct", stride=1),
            *LITE_HEADS,
        ),
        own_activations=True,
    ),
    "se": Recipe(
        "squeeze-and-excitation (1709.01507)",
        "A gate on every inner block from stride 16 on and in the neck.",
        (Rule("stage", "C2fSE"),),
    ),
    "faster": Recipe(
        "FasterNet's blocks (2303.03667) inside its stages",
        "Stages from stride 4 on keep their shape: a convolution of a quarter of the channels, then two 1×1 ones.",
        (Rule("stage", "FasterBlock", stride=4),),
    ),
    "star": Recipe(
        "StarNet's blocks (2403.19967) inside its stages",
        "Stages keep their shape, from stride 16 on and in the neck: two 7×7 depthwise convolutions are dear before.\n"
        "Blocks are twice as wide inside, where StarNet's are four times: at that they outweigh a C3k2's bottlenecks.",
        (Rule("stage", "StarBlock", options={"expand": 2.0}),),
    ),
    "uib": Recipe(
        "universal inverted bottlenecks (MobileNetV4, 2404.10518) inside its stages",
        "Stages keep their shape, from stride 16 on and in the neck, as in MobileNetV4's convolutional models. Blocks\n"
        "are twice as wide inside, with both depthwise convolutions.",
        (Rule("stage", "UIB", options={"expand": 2.0}),),
    ),
    "repvit": Recipe(
        "RepViT's blocks (2307.09283) inside its stages",
        "Stages from stride 4 on keep their shape; fused, a block is one depthwise convolution and two 1×1 ones.",
        (Rule("stage", "RepViTBlock", stride=4),),
    ),
    "slim-neck": Recipe(
        "a slim neck of GSConv and VoVGSCSP (2206.02424)",
        "The backbone stays plain, as the paper has it; convolutions and stages of the neck are swapped.",
        (Rule("stage", "VoVGSCSP", backbone=False), Rule("conv", "GSConv", kernel=1, backbone=False)),
    ),
    "bifpn": Recipe(
        "BiFPN's weighted sums (EfficientDet, 1911.09070)",
        "Each concatenation is a sum with a learned weight for each map, of as many channels as the row that it leads\n"
        "to; maps of other channels go through a 1×1 convolution.",
        (Rule("join", "WeightedSum", stride=1),),
    ),
}


KINDS = ("conv", "stage", "gate", "down", "up", "join", "head")

WORDS = {int: "a whole number", bool: "true or false", dict: "a mapping, such as {d: 2}"}
KEYS = {"stride": int, "kernel": int, "keeps": bool, "backbone": bool, "neck": bool, "end2end": bool, "options": dict}
"""What a rule in a file may say beside its block, and of what type."""


def recipe(name: str | Path) -> Recipe:
    """The recipe of this name, or the one that a YAML file holds.

    Raises:
        ValueError: no recipe of this name, or a file that is not of the form shown at the head of this module.
        OSError: the file cannot be read.
    """
    name = str(name)
    label, asked = Path(name).stem, f"--swap {shlex.quote(name)}"
    if name in RECIPES:
        return replace(RECIPES[name], label=label, asked=asked)
    if not name.endswith((".yaml", ".yml")):
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean {near[0]}?" if near else "or give the YAML file of one of your own"
        raise ValueError(f"no recipe is called {name!r}; there are {', '.join(RECIPES)}; {hint}")
    data = read_yaml(Path(name))
    if not isinstance(data, dict) or not isinstance(data.get("rules"), list):
        raise ValueError(f"{name} is not a recipe: it needs `title` and a list of `rules`")
    rules = tuple(_rule(rule, f"{name}: rule {i}") for i, rule in enumerate(data["rules"], 1))
    finest = data.get("finest", 1.0)
    if isinstance(finest, bool) or not isinstance(finest, int | float) or not 0 < finest <= 1:
        raise ValueError(f"{name}: finest: {finest!r} must be a part, above 0 and at most 1")
    return Recipe(
        str(data.get("title", Path(name).stem)),
        str(data.get("where", "As its recipe says.")),
        rules,
        bool(data.get("own_activations", False)),
        label,
        asked,
        float(finest),
    )


def _rule(data: Any, where: str) -> Rule:
    if not isinstance(data, dict):
        raise ValueError(f"{where} is {data!r}; write {{stage: C2fGhost, stride: 16}} or {{conv: GhostConv}}")
    rule = dict(data)
    named = [kind for kind in KINDS if kind in rule]
    if len(named) != 1:
        raise ValueError(f"{where} must name its block once, as `stage: Block`; kinds are {', '.join(KINDS)}")
    block = rule.pop(named[0])
    for key, value in rule.items():
        if key not in KEYS:
            raise ValueError(f"{where} has no key {key!r}; there are {', '.join(KEYS)}")
        if type(value) is not KEYS[key]:
            raise ValueError(f"{where}: {key}: {value!r} must be {WORDS[KEYS[key]]}")
    return Rule(named[0], str(block).removeprefix("plugins."), **rule)
