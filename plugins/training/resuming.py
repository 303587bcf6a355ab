"""A training run that keeps its state in a folder: a finished one is not run again, one that was stopped goes on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ..models.building import load
from .runs import train

NAME = "train"


def trained(folder: Path, model: Any, data: str | Path, *, as_it_is: bool = False, **arguments: Any) -> Path:
    """Train in `folder`/train, or take up what lies there.

    Args:
        folder: Where the run is kept; the same folder is for the same run.
        model: A YAML or checkpoint.
        data: Data YAML, or a folder of classes.
        as_it_is: As `train` takes it.
        arguments: Of Ultralytics' `train`.

    Returns:
        The checkpoint of the best epoch.

    Raises:
        Exception: whatever Ultralytics raises.
    """
    weights = folder / NAME / "weights"
    if (best := _finished(weights)) is not None:
        return best
    if (weights / "last.pt").is_file():
        try:
            return train(str(weights / "last.pt"), data, as_it_is=as_it_is, resume=True)
        except Exception as error:  # stopped while it was written, or a checkpoint of another release
            print(f"{weights / 'last.pt'} cannot be gone on with ({error}); this run begins again", flush=True)
    shutil.rmtree(folder / NAME, ignore_errors=True)
    place = {"project": str(folder.absolute()), "name": NAME, "exist_ok": True}
    return train(model, data, as_it_is=as_it_is, **place, **arguments)


def _finished(weights: Path) -> Path | None:
    """The best weights of a training that came to its end."""
    best, last = (weights / f"{name}.pt" for name in ("best", "last"))
    if not last.is_file():
        return None
    import torch

    try:
        # Ultralytics takes the optimiser out of last.pt when a run has ended.
        ended = torch.load(last, map_location="cpu", weights_only=False).get("optimizer") is None
        load(best)
    except Exception:
        return None
    return best if ended else None
