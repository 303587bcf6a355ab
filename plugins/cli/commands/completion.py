"""Print what completes commands, options and choices of `yolo-plugins` in a shell.

    yolo-plugins completion bash > ~/.local/share/bash-completion/completions/yolo-plugins
    yolo-plugins completion zsh > "${fpath[1]}/_yolo-plugins"

needs `pip install "yolo-plugins[completion]"`.
"""

from __future__ import annotations

import argparse

HELP = "print what completes commands and options in bash, zsh or tcsh"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def run(args: argparse.Namespace) -> None:
    try:
        import shtab
    except ImportError:
        raise RuntimeError('completion needs shtab: pip install "yolo-plugins[completion]"') from None
    from .. import parser

    print(shtab.complete(parser(grouped=False), args.shell))
