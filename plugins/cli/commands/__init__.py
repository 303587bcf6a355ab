"""The commands of `yolo-plugins`, a module each: `HELP`, `configure(parser)` and `run(args)`.

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
    "networks",
    "yaml",
    "init",
    "transplant",
    "compare",
    "demo",
)
