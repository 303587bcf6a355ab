"""Model YAMLs broken on purpose: a seeded generator over the shipped ones, and over a stock one for each task."""

from __future__ import annotations

import copy
import datetime
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from yolo_plugins import model_yamls
from yolo_plugins.yaml_files import stock_file

STOCK = ("yolov8.yaml", "yolo11-seg.yaml", "yolo11-pose.yaml", "yolov8-obb.yaml", "yolo11-cls.yaml")
BASES = [model_yamls.FOLDER / name for name in model_yamls.names()] + [stock_file(name) for name in STOCK]
CANARY = "executed"
"""The file in the working directory that code in a YAML would make."""

Model = dict[str, Any]
TYPES = (None, "x", "", 3.5, True, {}, [], {"a": 1}, [[1]], datetime.date(2020, 1, 1), b"\xff", "None", "True")
NUMBERS = (0, -1, -64, 1, 2, 3, 7, 10**3, 10**4, 10**5, 10**6, 10**9, 2**31, 2**63, 2**70, 10**30, -(10**9))
FLOATS = (0.5, -0.5, 1e-9, 1e9, 1e308, math.inf, -math.inf, math.nan)
COUNTS = (0, -1, -3, 2, 5, 50, 100, 101, 1000, 10**6, 10**12)
NAMES = (
    "GostConv",
    "plugins.GostConv",
    "plugins.",
    "plugins.SE.forward",
    "plugin.SE",
    "os.system",
    "eval",
    "exec",
    "__import__",
    "__builtins__",
    "parse_model",
    "torch_safe_load",
    "DetectionModel",
    "BaseModel",
    "Ensemble",
    "LOGGER",
    "nn.",
    "nn.Module",
    "nn.functional",
    "nn.init",
    "nn.ModuleList",
    "nn.Parameter",
    "nn.parallel.DistributedDataParallel",
    "torchvision.ops.nms",
    "torchvision.ops.misc",
    "torchvision.models.resnet18",
    "contextlib",
    "Path",
)
KNOWN = (
    "Conv",
    "C2f",
    "C3k2",
    "SPPF",
    "Concat",
    "Detect",
    "Segment",
    "Pose",
    "Classify",
    "AIFI",
    "HGBlock",
    "ResNetLayer",
    "RepNCSPELAN4",
    "CBFuse",
    "CBLinear",
    "Index",
    "RTDETRDecoder",
    "v10Detect",
    "C2PSA",
    "A2C2f",
    "nn.Identity",
    "nn.Conv2d",
    "nn.Linear",
    "nn.LSTM",
    "nn.Transformer",
    "nn.MaxPool2d",
    "nn.AdaptiveAvgPool2d",
    "nn.ConvTranspose2d",
    "nn.ZeroPad2d",
    "nn.PixelShuffle",
    "nn.Sequential",
    "nn.Embedding",
    "torchvision.ops.SqueezeExcitation",
    "torchvision.ops.Conv2dNormActivation",
    "plugins.ConvBNAct",
    "plugins.GroupConv",
    "plugins.DWConv",
    "plugins.GhostConv",
    "plugins.GhostBottleneck",
    "plugins.ShuffleUnit",
    "plugins.SE",
    "plugins.SqueezeExcite",
    "plugins.InvertedResidual",
    "plugins.HSwish",
    "plugins.C2fGhost",
    "plugins.C2fDW",
    "plugins.C2fShuffle",
    "plugins.C2fSE",
    "plugins.GhostNetStage",
    "plugins.ShuffleNetV1Stage",
    "plugins.MobileNetV3Stage",
    "plugins.ClassifyHead",
)
TEXTS = (
    "鬼",
    "Conv\u200b",
    "🔥",
    "\u202eConv",
    "ｐｌｕｇｉｎｓ.SE",
    "a\nb",
    "\x07",
    "é" * 300,
    "A" * 100_000,
    "\ufeff",
)
CODE = (
    f"__import__('pathlib').Path('{CANARY}').touch()",
    f"open('{CANARY}', 'w')",
    f"torch.nn.ReLU() if open('{CANARY}', 'w') else 0",
    f"torch.nn.ReLU(open('{CANARY}', 'w'))",
    f"torch.nn.modules.activation.os.system('touch {CANARY}')",
    f"[open('{CANARY}', 'w') for _ in range(3)]",
    f"(lambda: open('{CANARY}', 'w'))()",
    f"eval(\"open('{CANARY}', 'w')\")",
    f"torch.load('{CANARY}')",
    f"nn.ReLU(**{{'inplace': open('{CANARY}', 'w')}})",
    f"!!python/object/apply:os.system ['touch {CANARY}']",
    "torch.nn.LSTM(100000, 100000)",
    "torch.nn.MultiheadAttention(100000, 1)",
    "nn.ReLU",
    "torch.nn.ReLU().forward",
    "nn.LeakyReLU(1e999)",
    "while True: pass",
    "9**9**9",
    "(" * 150,
    "-" * 150 + "1",
    "args",
    "d",
    "ast",
    "layers",
    "nc",
    "lambda: 0",
    "a b",
    "{'a': [1, 2, 3]}",
    "[1] * 10 ** 9",
)


@dataclass(frozen=True)
class Mutant:
    """A broken YAML: its number, how it was broken, what it was, and its text."""

    number: int
    kind: str
    base: str
    text: str


LOADER, DUMPER = (getattr(yaml, f"C{name}", getattr(yaml, name)) for name in ("SafeLoader", "SafeDumper"))


def dump(model: Model) -> str:
    return yaml.dump(model, Dumper=DUMPER, sort_keys=False, allow_unicode=True)


def rows(model: Model) -> list[Any]:
    return model["backbone"] + model["head"]


def any_row(model: Model, dice: random.Random) -> list[Any]:
    return dice.choice(rows(model))


def wrong_type(model: Model, dice: random.Random) -> None:
    row = any_row(model, dice)
    field = dice.randrange(6)
    if field < 4:
        row[field] = dice.choice(TYPES)
    elif field == 4 and row[3]:
        row[3][dice.randrange(len(row[3]))] = dice.choice(TYPES)
    else:
        model[dice.choice(list(model))] = dice.choice(TYPES)


def counts(model: Model, dice: random.Random) -> None:
    if dice.random() < 0.7:
        any_row(model, dice)[1] = dice.choice(COUNTS)
    else:
        model["nc"] = dice.choice(COUNTS)


def indices(model: Model, dice: random.Random) -> None:
    i = dice.randrange(len(rows(model)))
    row = rows(model)[i]
    step = dice.choice((-1, 1, 2, -2, 5, -i, i, 1000, -1000, 10**18))
    if isinstance(row[0], list) and dice.random() < 0.7:
        row[0][dice.randrange(len(row[0]))] += step
    else:
        row[0] = dice.choice((i - 1 + step, [-1], [], [-1, -1], [i], i, -i - 1, [i - 1, i - 2, i - 3], list(range(i))))


def numbers(model: Model, dice: random.Random) -> None:
    row = dice.choice([row for row in rows(model) if row[3]])
    places = [i for i, value in enumerate(row[3]) if isinstance(value, (int, float))] or [0]
    row[3][dice.choice(places)] = dice.choice(NUMBERS + FLOATS)


def more_arguments(model: Model, dice: random.Random) -> None:
    row = any_row(model, dice)
    if row[3] and dice.random() < 0.3:
        del row[3][-1]
    else:
        row[3] += [dice.choice((1, 2, 3, True, None, "relu", 0.5, [1, 2], 64)) for _ in range(dice.randint(1, 8))]


def unknown_name(model: Model, dice: random.Random) -> None:
    any_row(model, dice)[2] = dice.choice(NAMES)


def other_module(model: Model, dice: random.Random) -> None:
    any_row(model, dice)[2] = dice.choice(KNOWN)


def odd_text(model: Model, dice: random.Random) -> None:
    row, text = any_row(model, dice), dice.choice(TEXTS)
    field = dice.randrange(4)
    if field == 0:
        row[2] = text
    elif field == 1:
        row[2] += text
    elif field == 2:
        row[3].append(text)
    else:
        model[text[:50]] = text


def other_rows(model: Model, dice: random.Random) -> None:
    part = model[dice.choice(("backbone", "head"))]
    i = dice.randrange(len(part))
    what = dice.randrange(8)
    if what < 2:
        del part[i]
    elif what < 4:
        part.insert(i, copy.deepcopy(dice.choice(part)))
    elif what == 4:
        j = dice.randrange(len(part))
        part[i], part[j] = part[j], part[i]
    elif what == 5:
        if dice.random() < 0.8:
            model.pop(dice.choice(("backbone", "head", "nc", "scales")), None)
        else:
            part.clear()
    elif what == 6:
        module, times = dice.choice(("Conv", "plugins.GhostConv")), dice.choice((30, 480, 10_000))
        part[i:i] = [[-1, 1, module, [64, 3, 1]] for _ in range(times)]
    else:
        part[i] = part[i][: dice.randrange(4)]


def code_as_activation(model: Model, dice: random.Random) -> None:
    model["activation"] = dice.choice(CODE)


def code_as_argument(model: Model, dice: random.Random) -> None:
    row = any_row(model, dice)
    row[3].insert(dice.randrange(len(row[3]) + 1), dice.choice(CODE))


def other_scales(model: Model, dice: random.Random) -> None:
    values = [dice.choice((*NUMBERS, *FLOATS, None, "x", 0.33)), dice.choice((*FLOATS, 0.25, 1, 100, "x")), 1024]
    model["scales"] = dice.choice(
        (
            {"n": values},
            {"s": [0.33, 0.5, 1024]},
            {"n": [0.33]},
            {"n": 0.25},
            {},
            [],
            "n",
            {"n": [0.33, 0.25, 8]},
            {1: [1, 1, 1]},
        )
    )
    if dice.random() < 0.3:
        del model["scales"]
        model[dice.choice(("depth_multiple", "width_multiple", "reg_max", "kpt_shape", "end2end"))] = dice.choice(
            (*NUMBERS, *FLOATS, *TYPES, [17, 3], [10**9, 3], [0, 2])
        )


def bomb(model: Model, dice: random.Random) -> None:
    row = any_row(model, dice)
    row[1:] = dice.choice(
        (
            [1, "Conv", [400_000, 3, 1]],
            [1, "Conv", [64, 3, 1, 20_000]],
            [1, "Conv", [64, 999, 1]],
            [100, "C2f", [4096, True]],
            [100, "plugins.C2fSE", [8192, True]],
            [1, "nn.Upsample", [None, 2000, "nearest"]],
            [1, "nn.Upsample", [20_000, None, "bilinear"]],
            [1, "nn.AdaptiveAvgPool2d", [30_000]],
            [1, "nn.ZeroPad2d", [50_000]],
            [1, "nn.Linear", [8, 1_000_000]],
            [1, "nn.LSTM", [10_000, 10_000]],
            [1, "nn.ConvTranspose2d", [64, 2, 900]],
            [1, "nn.Embedding", [1_000_000, 1000]],
            [1, "RepNCSPELAN4", [256, 128, 64, 900_000]],
            [1, "HGBlock", [64, 128, 3, 900_000]],
            [1, "SPPF", [256, 5, 900_000]],
            [1, "plugins.GhostConv", [512, 63, 1, 512]],
            [1, "plugins.DWConv", [512, 63, 1, 900_000]],
            [100, "nn.Transformer", []],
        )
    )


def laughs(model: Model, dice: random.Random) -> str:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    text = dump(model)
    place = dice.randrange(5)
    if place == 0:
        text = text.replace("nc: ", "nc: *a11 # ", 1)
    elif place == 1:
        text = text.replace("backbone:", "laugh: *a11\nbackbone: *a11\nunused:", 1)
    elif place == 2:
        text += "names: *a11\n"
    elif place == 3:
        text = text.replace("scales:", "scales: *a11\nunused:", 1)
    else:
        text = text.replace("head:", "head: [[-1, 1, Conv, *a11]]\nunused:", 1)
    return "\n".join(lines) + "\n" + text


def cycles(model: Model, dice: random.Random) -> str:
    text = dump(model)
    row = "[-1, 1, Conv, "
    return dice.choice(
        (
            "backbone: &a [*a]\nhead: *a\nnc: 1\n",
            f"nc: 1\nbackbone: [{row}&a [64, *a]]]\nhead: [{row}[64]]]\n",
            f"nc: 1\nbackbone: [&r {row}[64, 3, 2]], *r, *r]\nhead: [*r, [[-1, -2], 1, Detect, [nc]]]\n",
            f"nc: 1\nbackbone: &b [{row}[64, 3, 2]]]\nhead: *b\n",
            text.replace("scales:", "scales: &s {n: *s}\nunused:", 1),
            text.replace("nc: ", "nc: &n {n: *n} # ", 1),
            text + "&top names: *top\n",
            text + "loop: &l {l: *l}\n",
            f"nc: 1\nbackbone: [&q [-1, 1, Conv, *q]]\nhead: [{row}[8]]]\n",
            "&m\nnc: *m\nbackbone: *m\nhead: *m\n",
            "[" * dice.choice((100, 5000, 200_000)),
            "a: " * dice.choice((100, 1000)),
            "- " * 20_000,
        )
    )


def bytes_changed(model: Model, dice: random.Random) -> str:
    text = list(dump(model))
    for _ in range(dice.choice((1, 1, 2, 5, 50))):
        i = dice.randrange(len(text))
        what = dice.randrange(4)
        if what == 0:
            del text[i]
        elif what == 1:
            text.insert(i, dice.choice("[]{}:,-#&*!|>'\"%@`\t\n\x00\x1b0123456789eE.~é🔥"))
        elif what == 2:
            text[i] = dice.choice("[]{}:,-0123456789. ")
        else:
            del text[i : i + dice.randrange(40)]
    return "".join(text)[: dice.choice((10**6, 10**6, 500, 50, 0))]


def several(model: Model, dice: random.Random) -> None:
    for _ in range(dice.randint(2, 4)):
        change = dice.choice((counts, indices, numbers, more_arguments, other_module, other_rows, other_scales))
        try:
            change(model, dice)
        except (TypeError, IndexError, KeyError, AttributeError):  # broken already beyond this change
            return


KINDS: dict[str, Callable[[Model, random.Random], str | None]] = {
    "wrong types": wrong_type,
    "counts": counts,
    "row indices": indices,
    "numbers": numbers,
    "arguments more or fewer": more_arguments,
    "unknown names": unknown_name,
    "other modules": other_module,
    "odd text": odd_text,
    "rows out, in, moved": other_rows,
    "code as activation": code_as_activation,
    "code as argument": code_as_argument,
    "scales and keys": other_scales,
    "bombs": bomb,
    "billion laughs": laughs,
    "anchors, cycles, nesting": cycles,
    "bytes": bytes_changed,
    "several at once": several,
}


def mutant(number: int, seed: int = 0) -> Mutant:
    """Mutant `number`: kinds go round first, then the YAMLs that are broken."""
    kinds = list(KINDS)
    kind = kinds[number % len(kinds)]
    base = BASES[number // len(kinds) % len(BASES)]
    dice = random.Random(f"{seed}/{number}")
    model = yaml.load(base.read_text(encoding="utf-8"), Loader=LOADER)
    text = KINDS[kind](model, dice)
    return Mutant(number, kind, base.name, text or dump(model))
