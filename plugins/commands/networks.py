"""Show the whole networks: parameters, multiply-adds at 224×224, and how closely they agree with the published ones.

Agreement is the largest difference of the logits from those of timm's, torchvision's or pytorchcv's network with the
same random weights and batch-norm statistics, over images of 224×224 and 193×161; – where the package is not installed
(pip install yolo-plugins[imagenet]).
"""

from __future__ import annotations

import argparse

from ..tables import FORMATS, table

HELP = "show the whole networks and their agreement with the published ones"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="text")


def run(args: argparse.Namespace) -> int:
    from ..networks.agreement import agreement

    print(table(agreement(), args.format))
    return 0
