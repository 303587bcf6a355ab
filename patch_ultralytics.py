"""The one file that touches Ultralytics' internals: it teaches an unmodified Ultralytics the blocks of yolo_plugins.

What it changes, all of it in `ultralytics.nn.tasks`, in memory, is undone by `revert()`. A model without a row of ours
goes through all of it as if it were not there. What a row of ours means is in `yolo_plugins.rows`. Run as a program,
this file is `yolo-plugins activate`.
"""

from __future__ import annotations

# Imported at every start of the interpreter once activated: nothing here may be slow or need torch.
import os
import sys
from _thread import RLock  # threading's, without the cost of importing threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Undo = Callable[[], None]

TASKS = "ultralytics.nn.tasks"
TESTED = ("8.1.0", "8.4.190")
HANDLE = "_yolo_plugins"

_undo: list[Undo] = []
_lock = RLock()


class PatchError(RuntimeError):
    """The installed Ultralytics cannot be taught the pack's blocks; nothing has been changed."""


def apply() -> None:
    """Teach the Ultralytics of this process the pack's blocks; a second call changes nothing.

    Raises:
        PatchError: Ultralytics is missing, or is a version whose functions have another shape.
    """
    import importlib

    # Outside the lock, and before looking whether there is anything to do: importing may itself apply the patch.
    try:
        tasks = importlib.import_module(TASKS)
    except ModuleNotFoundError as error:
        raise PatchError(f"{error.name} is not installed: pip install ultralytics") from error
    for room in ("blocks", "networks", "heads"):
        try:
            importlib.import_module(f"yolo_plugins.{room}")
        except ImportError as error:  # a release from before the range lacks heads that ours are made from
            if not str(error.name).startswith("ultralytics"):
                raise
            raise PatchError(_unknown(f"lacks what this version needs ({error})")) from error
    from yolo_plugins.blocks.registry import register_installed

    with _lock:
        if _undo:
            return
        register_installed()
        try:
            for step in (_read_rows, _tell_tasks, _find_yamls, _name_rows, _fuse, _load, _load_safely):
                _undo.append(step(tasks))
        except BaseException:
            revert()
            raise


def revert() -> None:
    """Take `apply()` back: Ultralytics is exactly as it was."""
    while _undo:
        _undo.pop()()


def active() -> bool:
    """Whether the Ultralytics of this process knows the pack's blocks."""
    return bool(_undo)


# Start-up: the patch is applied when the interpreter imports ultralytics.nn.tasks, and costs nothing before.
def install_hook() -> None:
    """Apply the patch as soon as `ultralytics.nn.tasks` is imported, or at once if it is already.

    `YOLO_PLUGINS=0` in the environment switches this off.
    """
    if TASKS in sys.modules:
        _apply_or_warn()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Lets the other finders find `ultralytics.nn.tasks`, and applies the patch after it was executed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != TASKS:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        spec = next((s for f in others if (s := f.find_spec(name, path, target)) is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_apply(module: ModuleType) -> None:
                execute(module)
                _apply_or_warn()

            spec.loader.exec_module = execute_and_apply  # type: ignore[method-assign]
        return spec


def _apply_or_warn() -> None:
    """Stock models must go on working whatever is wrong with us."""
    try:
        if os.environ.get("YOLO_PLUGINS") != "0":
            apply()
    except Exception as error:
        print(f"WARNING yolo-plugins is not active: {error}", file=sys.stderr)


# The steps: each changes one thing and returns what undoes it.


def _read_rows(tasks: ModuleType) -> Undo:
    """`parse_model` reads our rows: a branch before its chain, a check before its loop, a report around it."""
    from yolo_plugins.rows.parsing import Parsing

    handle = Parsing(tasks)
    restore = _edited(tasks, "parse_model", _edit_parse_model)
    setattr(tasks, HANDLE, handle)

    def undo() -> None:
        restore()
        delattr(tasks, HANDLE)
        handle.forget_names()

    return undo


def _edit_parse_model(function: Any) -> None:
    import ast

    from yolo_plugins.syntax import insert_first, statement

    def is_chain(node: Any) -> bool:
        """Whether it is `if m in …`."""
        test: Any = getattr(node, "test", None)
        named = isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "m"
        return isinstance(node, ast.If) and named and isinstance(test.ops[0], ast.In)

    (position,) = (i for i, n in enumerate(function.body) if isinstance(n, ast.For))
    loop = function.body[position]
    (chain,) = (i for i, n in enumerate(loop.body) if is_chain(n))
    branch = f"if {HANDLE}.is_plugin(m):\n    c2, n, args, legacy = {HANDLE}.read_row(m, locals())"
    ours: Any = statement(branch, loop.body[chain])
    ours.orelse, loop.body[chain] = [loop.body[chain]], ours
    report = f"try:\n    pass\nexcept Exception as error:\n    {HANDLE}.explain(error, locals())\n    raise"
    guarded: Any = statement(report, loop)
    guarded.body, function.body[position] = [loop], guarded
    insert_first(function, f"{HANDLE}.prepare({function.args.args[0].arg})")


def _tell_tasks(tasks: ModuleType) -> Undo:
    """`guess_model_task`: a model whose last row is a head of ours has the task that the head names."""

    def edit(function: Any) -> None:
        from yolo_plugins.syntax import insert_first

        ask = f"{HANDLE}.task_of({function.args.args[0].arg})"
        insert_first(function, f"if {ask}:\n    return {ask}")

    return _edited(tasks, "guess_model_task", edit)


def _find_yamls(tasks: ModuleType) -> Undo:
    """`check_yaml` finds the pack's model YAMLs by bare name."""
    from yolo_plugins.rows.yaml_files import looking_here_too

    return _replaced(tasks, check_yaml=looking_here_too(tasks.check_yaml, tasks.LOGGER))


def _name_rows(tasks: ModuleType) -> Undo:
    """Of a model with rows of ours, an error in its first run, where rows meet, names the row."""
    model = tasks.DetectionModel
    return _replaced(model, __init__=getattr(tasks, HANDLE).naming_rows(model.__init__))


def _fuse(tasks: ModuleType) -> Undo:
    """`BaseModel.fuse` and `is_fused`: what our blocks have to fold, too."""
    from yolo_plugins.blocks.fusing import fusing_too, unfused_too

    model = tasks.BaseModel
    return _replaced(model, fuse=fusing_too(model.fuse), is_fused=unfused_too(model.is_fused))


def _load(tasks: ModuleType) -> Undo:
    """`BaseModel.load`: pretrained weights find rows of ours although rows were put in or left out."""
    from yolo_plugins.rows.row_map import loading_by_rows

    return _replaced(tasks.BaseModel, load=loading_by_rows(tasks.BaseModel.load, tasks.LOGGER))


def _load_safely(tasks: ModuleType) -> Undo:
    """`ULTRALYTICS_SAFE_LOAD=1` loads our classes, and a checkpoint of a newer pack says so."""
    from yolo_plugins.rows.safe_loading import explaining, trust

    distrust = trust()
    restore = _replaced(tasks, torch_safe_load=explaining(tasks.torch_safe_load, PatchError))

    def undo() -> None:
        restore()
        distrust()

    return undo


def _edited(tasks: ModuleType, name: str, change: Callable[[Any], None]) -> Undo:
    from yolo_plugins.syntax import UnknownShape, edit

    try:
        return edit(tasks, getattr(tasks, name), change)
    except UnknownShape as error:
        raise PatchError(_unknown(f"has a {name} that this version does not know")) from error


def _unknown(what: str) -> str:
    import ultralytics

    return (
        f"Ultralytics {ultralytics.__version__} {what} (tested: {TESTED[0]} to {TESTED[1]}); stock models work, "
        f"for plug-in models pip install -U yolo-plugins or pip install ultralytics=={TESTED[1]}"
    )


def _replaced(owner: Any, **values: Any) -> Undo:
    before = {name: vars(owner)[name] for name in values}

    def put(attributes: dict[str, Any]) -> None:
        for name, value in attributes.items():
            setattr(owner, name, value)

    put(values)
    return lambda: put(before)


if __name__ == "__main__":
    try:
        from yolo_plugins.cli import main
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed: run `pip install -e .` in this folder first")
    sys.exit(main(["activate", *sys.argv[1:]]))
