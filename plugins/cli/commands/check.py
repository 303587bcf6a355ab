"""Check model YAMLs before training: everything that can be known without it, each finding with row and remedy.

MODEL is a model YAML, by bare name or path, of this pack, of Ultralytics or your own. It is read as plain data and
nothing in it is executed. Errors are what keeps it from being built, run or exported: names, arguments, repeats, rows
that do not meet, at every scale. Warnings are what may be meant: rows that nothing uses, pretrained weights that would
be lost. The exit code is 1 when there is an error (with --strict: or a warning).
"""

from __future__ import annotations

import argparse

HELP = "check model YAMLs before training"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", metavar="MODEL", nargs="+", help="a model YAML")
    parser.add_argument("--base", metavar="YAML", help="the stock YAML whose pretrained weights it shall take")
    parser.add_argument("--quick", action="store_true", help="the smallest scale only, and no export")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")


def run(args: argparse.Namespace) -> int:
    from ...rows.yaml_files import locate

    for name in [*args.models, *([args.base] if args.base else [])]:
        locate(name)  # a misspelt one is said before torch is imported
    from ...inspection.checks import check_model

    errors = warnings = 0
    for name in args.models:
        verdict = check_model(name, args.base, args.quick)
        print(verdict, flush=True)
        errors += len(verdict.errors)
        warnings += len(verdict.warnings)
    if len(args.models) > 1 or errors + warnings:
        print(f"{_count(len(args.models), 'file')}, {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    return 1 if errors or (args.strict and warnings) else 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
