"""Draw what trained models look at: class activation maps of chosen rows on the same images, side by side.

yolo-plugins heatmap best.pt other.pt --images folder/ -o heat.png
yolo-plugins heatmap best.pt --images a.jpg b.jpg --layers 4 6 9 --method gradcam -o heat.pdf

A line for each image, a column for each row of each model. Eigen-CAM, the default, needs no gradients: the first
principal component of a row's maps. The other methods begin at the class that is seen most.
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "draw what trained models look at"
COUNT = 4


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", metavar="CHECKPOINT", nargs="+", help="trained .pt files")
    parser.add_argument("--images", nargs="+", required=True, metavar="PATH", help="images, or a folder of them")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the .png, .svg or .pdf")
    parser.add_argument(
        "--layers", nargs="+", metavar="LAYER", help="row numbers or submodules (default: the rows that the head takes)"
    )
    parser.add_argument("--method", default="eigencam", help="eigencam (default), gradcam, gradcam++, hirescam, …")
    parser.add_argument("--imgsz", type=int, default=640, help="longer side of the images (default 640)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"images to take of a folder (default {COUNT})")


def run(args: argparse.Namespace) -> None:
    for model in args.models:
        if not Path(model).is_file():
            raise FileNotFoundError(f"{model} does not exist; give trained .pt files")
    if args.count < 1:
        raise ValueError(f"--count {args.count} must be at least 1")
    from ...heatmaps import heatmap
    from ...heatmaps.subjects import image_files

    images = [file for path in args.images for file in image_files(path)[: args.count]]
    found = heatmap(args.models, images, args.layers, method=args.method, imgsz=args.imgsz, save=args.output)
    print(f"wrote {args.output}: {len(found.images)} images, {len(found.columns)} maps of each, by {found.method}")
