"""Heat maps: what rows of several models look at, on the same images, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .maps import Heatmaps, Layer, heatmap_of


def heatmap(
    models: Any,
    images: str | Path | Sequence[str | Path],
    layers: Sequence[Layer] | None = None,
    *,
    method: str = "eigencam",
    imgsz: int = 640,
    save: str | Path | None = None,
) -> Heatmaps:
    """Class activation maps of chosen layers of one or several models on the same images.

    Args:
        models: A trained `.pt`, an Ultralytics model, any `torch.nn.Module`, or a list of them; a mapping gives them
            names. Models themselves are left as they are.
        images: A folder, an image, or a list of images.
        layers: Row numbers of Ultralytics models, or names of submodules; by default the rows that the head is given.
        method: One of `METHODS`; "eigencam" needs no gradients and no class.
        imgsz: Longer side of the images, in pixels.
        save: A PNG, SVG or PDF to draw them into, side by side.

    Returns:
        The maps, from 0 to 1 at the images' size: `maps[image][column]`, with `columns` as (model, layer).

    Raises:
        RuntimeError: the package grad-cam is not installed; says how to install it.
        ValueError: an unknown method, a layer that does not exist or gives no map, a file that is no image.
        OSError: no such file.
    """
    from .picture import draw, refuse_path

    if save is not None:
        refuse_path(Path(save))
    found = heatmap_of(models, images, layers, method, imgsz)
    if save is not None:
        draw(found, Path(save))
    return found
