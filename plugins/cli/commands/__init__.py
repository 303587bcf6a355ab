"""The commands of `yolo-plugins`, a module each: `HELP`, `run(args)`, and `configure(parser)` where it has options.

`run` returns the exit code, None for 0.

They are all imported for `--help`, so torch and Ultralytics are imported inside `run` only.
"""

COMMANDS = (
    "activate",
    "deactivate",
    "status",
    "list",
    "info",
    "check",
    "cost",
    "draw",
    "heatmap",
    "networks",
    "yaml",
    "init",
    "transplant",
    "quantize",
    "compare",
    "ablate",
    "search",
    "demo",
)
