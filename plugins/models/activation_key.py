"""`activation:` of a model YAML, which Ultralytics evaluates as Python: more than a plain layer of torch is code."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..rows.description import ModelYAMLError, Problem
from ..rows.shortening import short


def foreign(spec: Any) -> str:
    """Why an `activation:` is more than a torch.nn layer called plainly; empty where it is not.

    The form that is known is `torch.nn.ReLU()` or `nn.LeakyReLU(0.1)`: one of torch's activations with literals.
    """
    import torch
    from torch import nn

    if spec in (None, False, ""):
        return ""
    with suppress(Exception):
        call: Any = ast.parse(str(spec).strip(), mode="eval").body
        path = ast.unparse(call.func).split(".")
        layer = getattr(nn, path[-1])
        known = layer is nn.Identity or layer in vars(nn.modules.activation).values()
        if path[:-1] in (["nn"], ["torch", "nn"]) and known:
            with torch.device("meta"):
                layer(
                    *map(ast.literal_eval, call.args), **{str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
                )
            return ""
    return (
        f"activation: {short(spec)} is not a torch.nn layer with plain arguments, such as torch.nn.ReLU(); it is code"
    )


def refuse_code(description: Mapping[str, Any], file: str) -> None:
    """Nothing of this pack builds a model whose `activation:` is code.

    Raises:
        ModelYAMLError: it is.
    """
    if reason := foreign(description.get("activation")):
        how = "which only Ultralytics itself runs: train with `yolo train` if you trust the file"
        raise ModelYAMLError(file, Problem(f"{reason}, {how}"))
