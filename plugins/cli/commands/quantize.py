"""Write a trained detector or segmenter in 8 bits, and leave in 32 what would lose too much.

CHECKPOINT is a trained Ultralytics .pt, stock or of this pack. Training images of the data YAML calibrate, without
labels; its labelled validation images measure the loss, and the convolutions that cost most are left in 32 bits, one
after another, until it is small enough. With a folder of images in its place and `--max-drop none` nothing is measured.
The result is an ordinary file for `yolo val` and `yolo predict`.
"""

from __future__ import annotations

import argparse

HELP = "write a trained model in 8 bits, with little loss"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the trained .pt")
    parser.add_argument("--data", required=True, help="data YAML, or a folder of images without labels")
    parser.add_argument("--format", required=True, help="onnx or openvino")
    parser.add_argument(
        "--max-drop",
        type=_drop,
        default=0.01,
        metavar="LOSS",
        help="of mAP50-95, from 0 to 1 (default 0.01, a point of a hundred); none: not measured, nothing is left",
    )
    parser.add_argument("--images", type=int, default=300, help="so many calibrate, at most (default 300)")
    parser.add_argument("--imgsz", type=int, help="side of the images; by default the checkpoint's")
    parser.add_argument("--seed", type=int, default=0, help="of which images calibrate (default 0)")
    parser.add_argument(
        "--no-vnni", action="store_true", help="for x86 processors without VNNI: filters of 7 bits, whose sums fit"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="by default beside the checkpoint, ending in _int8")
    parser.add_argument("--force", action="store_true", help="replace it if it exists")


def _drop(text: str) -> float | None:
    return None if text == "none" else float(text)


def run(args: argparse.Namespace) -> None:
    import time

    from ...quantizing import quantize

    begin = time.time()

    def progress(line: str) -> None:
        print(f"{time.time() - begin:4.0f} s  {line}", flush=True)

    result = quantize(
        args.checkpoint,
        args.data,
        args.format,
        out=args.output,
        max_drop=args.max_drop,
        images=args.images,
        imgsz=args.imgsz,
        seed=args.seed,
        vnni=not args.no_vnni,
        force=args.force,
        progress=progress,
    )
    kept = len(result.kept_float)
    print(f"\n{result.layers - kept} of {result.layers} convolutions in 8 bits")
    for layer in result.kept_float:
        print(f"  {layer.layer} is left in 32: alone it moves the outputs by {layer.error:.2%}")
    if result.loss is not None:
        print(f"loss of mAP50-95: {100 * result.loss:.2f} points of 100, of {100 * args.max_drop:g} allowed")
        if result.loss > args.max_drop:
            print("with every convolution in 32 bits it is no smaller: what is lost is lost elsewhere")
    print(f"written: {result.file}")
