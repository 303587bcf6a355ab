"""What each candidate finds on the same images, drawn with OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from .runtimes import Array

SIDE = 320
PALETTE = ((235, 111, 31), (11, 87, 209), (55, 127, 26), (223, 80, 130), (137, 57, 191), (8, 102, 125), (96, 87, 200))
"""Blue, green, red, a class each in turn."""


def picture(path: str, boxes: Sequence[Any], outlines: Sequence[Any], names: Sequence[str]) -> Array:
    """One image with its boxes, or with its best class.

    Args:
        path: The image.
        boxes: (n, 6) x1, y1, x2, y2, confidence, class; or (classes,) scores.
        outlines: Outlines of masks, points in pixels of the image.
        names: Class names.

    Returns:
        (H, W, 3) BGR, its longer side `SIDE` pixels.
    """
    image = cv2.imread(path)
    if image is None:
        raise ValueError(f"{path} cannot be read as an image")
    scale = SIDE / max(image.shape[:2])
    canvas = cv2.resize(
        image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    if boxes and np.ndim(boxes) == 1:
        best = int(np.argmax(boxes))
        _write(canvas, f"{names[best]} {boxes[best]:.2f}", (4, 16), PALETTE[best % len(PALETTE)])
        return np.asarray(canvas)
    for i, (x1, y1, x2, y2, confidence, label) in enumerate(boxes):
        colour = PALETTE[int(label) % len(PALETTE)]
        corner = (int(x1 * scale), int(y1 * scale))
        if i < len(outlines) and len(outlines[i]):
            points = (np.asarray(outlines[i], float) * scale).astype(np.int32)
            shade = canvas.copy()
            cv2.fillPoly(shade, [points], colour)
            canvas = cv2.addWeighted(shade, 0.4, canvas, 0.6, 0)
        cv2.rectangle(canvas, corner, (int(x2 * scale), int(y2 * scale)), colour, 2)
        _write(canvas, f"{names[int(label)]} {confidence:.2f}", (corner[0] + 2, max(12, corner[1] - 3)), colour)
    return np.asarray(canvas)


def _write(canvas: Array, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    ascii_text = text.encode("ascii", "replace").decode()
    for shade, thickness in (((255, 255, 255), 3), (colour, 1)):
        cv2.putText(canvas, ascii_text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, shade, thickness, cv2.LINE_AA)


def encoded(image: Array, suffix: str) -> bytes:
    """An image as the bytes of a .jpg or .png file."""
    done, data = cv2.imencode(suffix, image, [cv2.IMWRITE_JPEG_QUALITY, 85] if suffix == ".jpg" else [])
    if not done:
        raise ValueError(f"an image of shape {image.shape} cannot be written as {suffix}")
    return bytes(data)


def sheet(table: Sequence[Sequence[Array]], headings: Sequence[str]) -> Array:
    """Images in rows, a column for each heading, as one image."""
    rows = []
    for images in table:
        squares = [_square(image) for image in images]
        rows.append(np.hstack(squares))
    head = np.full((28, SIDE * len(headings), 3), 255, np.uint8)
    for i, heading in enumerate(headings):
        _write(head, heading, (SIDE * i + 6, 19), (0, 0, 0))
    return np.vstack([head, *rows])


def _square(image: Array) -> Array:
    canvas = np.full((SIDE, SIDE, 3), 255, np.uint8)
    h, w = image.shape[:2]
    canvas[:h, :w] = image
    return canvas
