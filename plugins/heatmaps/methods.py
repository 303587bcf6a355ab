"""The ways to make a class activation map: those of the package grad-cam, and its Eigen-CAM with a definite sign."""

from __future__ import annotations

from typing import Any

import numpy as np

METHODS = {
    "eigencam": "",
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "xgradcam": "XGradCAM",
}
"""The methods by name, with their classes in the package; the first needs no gradients."""


def method_class(name: str) -> Any:
    """The class of a method.

    Raises:
        ValueError: an unknown method.
        RuntimeError: grad-cam is not installed.
    """
    if name not in METHODS:
        raise ValueError(f"method {name!r} is unknown; there are {', '.join(METHODS)}")
    try:
        import pytorch_grad_cam
    except ImportError as error:
        raise RuntimeError(f"heat maps need grad-cam ({error}): pip install 'yolo-plugins[heatmap]'") from error
    if METHODS[name]:
        return getattr(pytorch_grad_cam, METHODS[name])

    class EigenCAM(pytorch_grad_cam.EigenCAM):  # type: ignore[misc]
        """Its projection without the (H·W)² matrix that a full decomposition has."""

        def get_cam_image(self, *args: Any, **kwargs: Any) -> Any:
            activations = kwargs["activations"] if "activations" in kwargs else args[3]
            return np.stack([principal(maps) for maps in np.asarray(activations)])

    return EigenCAM


def principal(maps: Any) -> Any:
    """The projection of maps (C, H, W) on their first principal component, (H, W): Eigen-CAM, 2008.00299.

    A component's sign is arbitrary. Here the larger extreme is the positive one, since what stands out is small beside
    its background (Seg-Eigen-CAM, Appl. Sci. 2025, 15(13), 7562, equation 13).
    """
    points = np.nan_to_num(maps.reshape(len(maps), -1).T.astype(np.float64))
    points -= points.mean(0)
    left, strengths, _ = np.linalg.svd(points, full_matrices=False)
    projection = (left[:, 0] * strengths[0]).reshape(maps.shape[1:])
    if abs(projection.min()) > abs(projection.max()):
        projection = -projection
    return projection.astype(np.float32)
