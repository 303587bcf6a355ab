"""The one file that touches Ultralytics' internals: it teaches an unmodified Ultralytics the blocks of yolo_plugins.

What it changes, all of it in `ultralytics.nn.tasks`, in memory, and undone by `revert()`:

- `parse_model`: one branch in front of its `if m in …` chain reads rows that name a block of ours, and errors name
  the file, row and block. The edit is made on the function's syntax tree; everything upstream stays as it is.
- `check_yaml`: finds the pack's model YAMLs by bare name.
- `guess_model_task`: a model whose last row is a head of ours has the task that the head names.
- `BaseModel.fuse` and `is_fused`: fold our batch norms too.
- `BaseModel.load`: a model with rows of ours finds its pretrained weights although rows were put in or left out.
- `torch_safe_load`: says so if a checkpoint holds classes of ours that this version lacks.
- torch's safe globals: our classes may be loaded by `ULTRALYTICS_SAFE_LOAD=1`.

Where yolo_plugins is imported and the patch is not applied, as when a checkpoint of ours is loaded without activation,
only names such as `plugins.GhostConv` are added there: building such a row then says what to do.

`python patch_ultralytics.py` is `yolo-plugins activate`.
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
PREFIX = "plugins."
HANDLE = "_yolo_plugins"
GUESS = "_yolo_plugins_guess"

_undo: list[Undo] = []
_waiting: list[Undo] = []
_failures: list[str] = []
_lock = RLock()


class PatchError(RuntimeError):
    """The installed Ultralytics cannot be taught the pack's blocks; nothing has been changed."""


def apply() -> None:
    """Teach the Ultralytics of this process the pack's blocks; a second call changes nothing.

    Raises:
        PatchError: Ultralytics is missing, or is a version whose `parse_model` has another shape.
    """
    import importlib

    # Outside the lock, and before looking whether there is anything to do: importing may itself apply the patch.
    try:
        tasks = importlib.import_module(TASKS)
    except ModuleNotFoundError as error:
        raise PatchError(f"{error.name} is not installed: pip install ultralytics") from error
    import yolo_plugins.public  # noqa: F401  registers the pack's own blocks
    from yolo_plugins.registry import register_installed

    with _lock:
        if _undo:
            return
        register_installed()
        try:
            for step in (
                _register_heads,
                _teach_parse_model,
                _find_our_yamls,
                _guess_our_tasks,
                _explain_builds,
                _fuse_our_blocks,
                _align_pretrained_rows,
                _explain_other_versions,
                _trust_our_classes,
            ):
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
    if not switched_off():
        _once_imported(_apply_or_warn)


def switched_off() -> bool:
    """Whether `YOLO_PLUGINS=0` keeps the start-up hook from doing anything in this process."""
    return os.environ.get("YOLO_PLUGINS") == "0"


def explain_rows() -> None:
    """Have the pack's rows say what to do wherever the patch is not applied: they would end in a bare `KeyError`."""
    _once_imported(_refuse_rows)


def _once_imported(action: Undo) -> None:
    """Call `action` after `ultralytics.nn.tasks` was imported."""
    if TASKS in sys.modules:
        action()
        return
    if action not in _waiting:
        _waiting.append(action)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Lets the other finders find `ultralytics.nn.tasks`, and does what waits for it after it was executed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != TASKS:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        spec = next((s for f in others if (s := f.find_spec(name, path, target)) is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_act(module: ModuleType) -> None:
                execute(module)
                for action in tuple(_waiting):
                    action()

            spec.loader.exec_module = execute_and_act  # type: ignore[method-assign]
        return spec


def _apply_or_warn() -> None:
    """Stock models must go on working whatever is wrong with us."""
    if switched_off():
        return
    try:
        apply()
    except Exception as error:
        _failures.append(str(error))
        print(f"WARNING yolo-plugins is not active: {error}", file=sys.stderr)


def _refuse_rows() -> None:
    """Put classes that refuse to be built under the names of our blocks; `apply()` takes them out."""
    import torch
    from yolo_plugins.checkpoint_format import row_names

    def refuse(self: Any, *_: Any) -> None:
        raise PatchError(f"{type(self).__name__} is a block of yolo-plugins, which is {_inactive()}")

    if not _undo:
        rows = (PREFIX + name for name in row_names())
        # Layers, and not functions, since restricted loading lets rows name nothing else.
        vars(sys.modules[TASKS]).update({row: type(row, (torch.nn.Module,), {"__init__": refuse}) for row in rows})


def _inactive() -> str:
    if switched_off():
        return "switched off in this process by YOLO_PLUGINS=0: unset it"
    if _failures:
        return f"not active: {_failures[-1]}"
    return (
        "installed but not active in this process: run `yolo-plugins activate` once in this environment, "
        "or call patch_ultralytics.apply() in the program"
    )


# The steps: each changes one thing and returns what undoes it.


def _register_heads(tasks: ModuleType) -> Undo:
    """Heads derive from Ultralytics' classes, so that they are imported here and not with the other blocks."""
    from yolo_plugins.classify import ClassifyHead
    from yolo_plugins.lite_heads import LiteDetect, LiteSegment
    from yolo_plugins.registry import register, unregister

    heads = (ClassifyHead, LiteDetect, LiteSegment)
    for head in heads:
        register(head)

    def undo() -> None:
        for head in heads:
            unregister(head)

    return undo


def _teach_parse_model(tasks: ModuleType) -> Undo:
    function = tasks.parse_model
    original = function.__code__
    code = _edited(tasks)
    setattr(tasks, HANDLE, sys.modules[__name__])
    # The function object stays, so every module that has imported it sees the edit, and its undoing.
    function.__code__ = code
    refusals = {name: vars(tasks).pop(name) for name in list(vars(tasks)) if name.startswith(PREFIX)}

    def undo() -> None:
        function.__code__ = original
        for name in [HANDLE, *(name for name in vars(tasks) if name.startswith(PREFIX))]:
            delattr(tasks, name)
        vars(tasks).update(refusals)

    return undo


def _edited(tasks: ModuleType) -> Any:
    """Code of `parse_model` with our branch in its chain, our check before and our error report around its loop."""
    import __future__

    import ast
    import inspect

    try:
        tree = ast.parse(inspect.getsource(tasks))
        function = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "parse_model")
        (position,) = (i for i, n in enumerate(function.body) if isinstance(n, ast.For))
        loop = function.body[position]
        (chain,) = (i for i, n in enumerate(loop.body) if _tests_membership_of_m(n))  # type: ignore[attr-defined]
    except (OSError, SyntaxError, StopIteration, ValueError) as error:
        import ultralytics

        raise PatchError(
            f"parse_model of Ultralytics {ultralytics.__version__} has a shape that this version does not know "
            f"(tested: {TESTED[0]} to {TESTED[1]}); stock models work, for plug-in models "
            f"pip install -U yolo-plugins or pip install ultralytics=={TESTED[1]}"
        ) from error

    def statement(source: str, like: ast.stmt) -> Any:
        (node,) = ast.parse(source).body
        for child in ast.walk(node):
            if hasattr(child, "lineno"):
                ast.copy_location(child, like)
        return node

    upstream = loop.body[chain]  # type: ignore[attr-defined]
    ours = statement(f"if {HANDLE}.is_plugin(m):\n    c2, n, args, legacy = {HANDLE}.read_row(m, locals())", upstream)
    ours.orelse = [upstream]
    loop.body[chain] = ours  # type: ignore[attr-defined]
    guarded = statement(
        f"try:\n    pass\nexcept Exception as error:\n    {HANDLE}.explain(error, locals())\n    raise", loop
    )
    guarded.body = [loop]
    function.body[position] = guarded
    first = 1 if ast.get_docstring(function) else 0
    function.body.insert(first, statement(f"{HANDLE}.check_model({function.args.args[0].arg})", function.body[first]))
    tree.body = [function]
    flags = tasks.parse_model.__code__.co_flags & __future__.annotations.compiler_flag
    namespace: dict[str, Any] = {}
    exec(compile(tree, tasks.__file__ or "", "exec", flags, dont_inherit=True), namespace)
    return namespace["parse_model"].__code__


def _tests_membership_of_m(node: Any) -> bool:
    import ast

    test = getattr(node, "test", None)
    return (
        isinstance(node, ast.If)
        and isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "m"
        and isinstance(test.ops[0], ast.In)
    )


def _find_our_yamls(tasks: ModuleType) -> Undo:
    upstream = tasks.check_yaml
    said: set[str] = set()

    def check_yaml(file: Any, *args: Any, **kwargs: Any) -> Any:
        from yolo_plugins import model_yamls

        name = str(file)
        ours = model_yamls.find(name)
        if ours is None or os.path.exists(name) or os.path.exists(ours.name):
            try:
                found = upstream(file, *args, **kwargs)
            except FileNotFoundError as error:
                near = model_yamls.nearest(name)
                raise FileNotFoundError(
                    f"{error}; did you mean {' or '.join(near)}?" if near else str(error)
                ) from error
        else:
            found = str(ours)
            if ours.name not in said and upstream(ours.name, hard=False):
                said.add(ours.name)
                tasks.LOGGER.info(f"{ours.name}: yolo-plugins' model is used, not Ultralytics' of the same name")
        if found:
            _check_file(found)
        return found

    tasks.check_yaml = check_yaml  # type: ignore[attr-defined]
    return lambda: setattr(tasks, "check_yaml", upstream)


def _guess_our_tasks(tasks: ModuleType) -> Undo:
    import types

    function = tasks.guess_model_task
    original = function.__code__
    upstream = types.FunctionType(original, vars(tasks), function.__name__, function.__defaults__)
    setattr(tasks, GUESS, upstream)

    def guess_model_task(model):  # type: ignore[no-untyped-def]
        return (
            _yolo_plugins.task_of(model)  # type: ignore[name-defined]  # noqa: F821
            or _yolo_plugins_guess(model)  # type: ignore[name-defined]  # noqa: F821
            or _yolo_plugins.no_task(model)  # type: ignore[name-defined]  # noqa: F821
        )

    function.__code__ = guess_model_task.__code__  # runs in the namespace of `tasks`, as parse_model's edit does

    def undo() -> None:
        function.__code__ = original
        delattr(tasks, GUESS)

    return undo


def _explain_builds(tasks: ModuleType) -> Undo:
    """Models of every kind are built within a budget, run once, and their errors name the row."""
    import functools

    from yolo_plugins.budget import Budget

    def guarded(cls: Any, upstream: Any) -> Any:
        @functools.wraps(upstream)
        def build(self: Any, *args: Any, **kwargs: Any) -> None:
            description = args[0] if args else kwargs.get("cfg")
            if isinstance(description, dict):
                _check_description(description)
            try:
                with Budget():
                    upstream(self, *args, **kwargs)
                    if type(self) is cls and not isinstance(self.model[-1], tasks.Detect):
                        _run_once(self)
            except Exception as error:
                _explain_model(error, getattr(self, "yaml", description))
                raise

        return build

    upstream = {
        cls: vars(cls)["__init__"]
        for cls in vars(tasks).values()
        if isinstance(cls, type) and issubclass(cls, tasks.BaseModel) and "__init__" in vars(cls)
    }
    for cls, function in upstream.items():
        cls.__init__ = guarded(cls, function)  # type: ignore[misc]

    def undo() -> None:
        for cls, function in upstream.items():
            cls.__init__ = function  # type: ignore[misc]

    return undo


def _fuse_our_blocks(tasks: ModuleType) -> Undo:
    from yolo_plugins.fusing import fuse as fuse_blocks
    from yolo_plugins.fusing import unfused

    model = tasks.BaseModel
    upstream_fuse, upstream_is_fused = model.fuse, model.is_fused

    def fuse(self: Any, verbose: bool = True, *args: Any, **kwargs: Any) -> Any:
        """Fuse Ultralytics' layers, then the pack's; report once, after both."""
        if not unfused(self):
            return upstream_fuse(self, verbose, *args, **kwargs)
        upstream_fuse(self, False, *args, **kwargs)
        fuse_blocks(self)
        self.info(verbose=verbose)
        return self

    def is_fused(self: Any, *args: Any, **kwargs: Any) -> bool:
        return bool(upstream_is_fused(self, *args, **kwargs)) and not unfused(self)

    model.fuse, model.is_fused = fuse, is_fused

    def undo() -> None:
        model.fuse, model.is_fused = upstream_fuse, upstream_is_fused

    return undo


def _align_pretrained_rows(tasks: ModuleType) -> Undo:
    from yolo_plugins.row_map import aligned, without_other_head

    model = tasks.BaseModel
    upstream = model.load

    def load(self: Any, weights: Any, *args: Any, **kwargs: Any) -> Any:
        """Load pretrained weights row by row, after moving the pretrained rows to where ours fit them."""
        source = (weights.get("ema") or weights["model"]) if isinstance(weights, dict) else weights
        rows = [row for part in ("backbone", "head") for row in self.yaml[part]]
        described = isinstance(getattr(source, "model", None), tasks.torch.nn.Sequential)
        if described and any(str(row[2]).startswith(PREFIX) for row in rows):
            source, moved = aligned(self, source)
            if moved:
                tasks.LOGGER.info(f"yolo-plugins: {moved}")
            weights = without_other_head(self, source)
        return upstream(self, weights, *args, **kwargs)

    model.load = load

    def undo() -> None:
        model.load = upstream

    return undo


def _explain_other_versions(tasks: ModuleType) -> Undo:
    upstream = tasks.torch_safe_load

    def torch_safe_load(weight: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return upstream(weight, *args, **kwargs)
        except (AttributeError, TypeError) as error:
            missing = _missing_class(error)
            if missing is None:
                raise
            from yolo_plugins.checkpoint_format import other_version

            raise PatchError(f"{weight}: {other_version(missing)}") from error

    tasks.torch_safe_load = torch_safe_load  # type: ignore[attr-defined]
    return lambda: setattr(tasks, "torch_safe_load", upstream)


def _missing_class(error: Exception) -> str | None:
    """Which class of ours plain or restricted loading could not find."""
    import re

    if found := re.search(r"attribute '(\w+)' on <module '(yolo_plugins\.[\w.]+)'", str(error)):
        return f"{found[2]}.{found[1]}"
    found = re.search(r"GLOBAL (yolo_plugins\.[\w.]+)", str(error.__cause__))
    return found[1] if found else None


def _trust_our_classes(tasks: ModuleType) -> Undo:
    import torch
    from yolo_plugins.registry import checkpoint_classes

    add = getattr(torch.serialization, "add_safe_globals", None)
    if add is None:  # torch before 2.4 has no such list, and Ultralytics no restricted loading with it
        return lambda: None
    before = set(torch.serialization.get_safe_globals())
    entries = [
        cls if path == f"{cls.__module__}.{cls.__qualname__}" else (cls, path) for cls, path in checkpoint_classes()
    ]
    ours = [entry for entry in entries if entry not in before]
    add(ours)

    def undo() -> None:
        kept = [entry for entry in torch.serialization.get_safe_globals() if entry not in ours]
        torch.serialization.clear_safe_globals()
        add(kept)

    return undo


# What the edited functions call.


def is_plugin(m: Any) -> bool:
    """Whether a row's module is one of the registered blocks."""
    from yolo_plugins.registry import BLOCKS

    return any(m is block for block in BLOCKS.values())


def task_of(model: Any) -> str | None:
    """The task of a model description, or of a model built from one, whose last row is a head of ours."""
    from yolo_plugins.registry import BLOCKS

    description = model if isinstance(model, dict) else getattr(model, "yaml", None)
    try:
        name = description["head"][-1][2]  # type: ignore[index]
        return getattr(BLOCKS.get(name.removeprefix(PREFIX)), "task", None) if name.startswith(PREFIX) else None
    except (AttributeError, IndexError, KeyError, TypeError):
        return None


def no_task(model: Any) -> None:
    """Refuse a description whose last row tells no task, of which upstream says no more than that it is None."""
    from yolo_plugins.model_yaml import ModelYAMLError, Problem

    if isinstance(model, dict):
        _check_description(model)
        rows = model["backbone"] + model["head"]
        hint = "ultralytics.RTDETR loads it" if rows[-1][2] == "RTDETRDecoder" else "end with Detect, Segment, …"
        problem = Problem(f"this last row tells no task of YOLO's; {hint}", len(rows) - 1, rows[-1][2])
        raise ModelYAMLError(problem.sentence(_file(model)), problem)


def read_row(m: Any, scope: dict[str, Any]) -> Any:
    """Output channels, repeats and constructor arguments of one row, from `parse_model`'s local variables.

    Last, `legacy`: whether the head is the one before YOLO11, which upstream tells by rows that may have been swapped.
    """
    from yolo_plugins.rows import Scale, plan

    f, ch = scope["f"], scope["ch"]
    inputs = ch[f] if isinstance(f, int) else [ch[x] for x in f]
    defaults = {"reg_max": scope["d"]["reg_max"]} if "reg_max" in scope["d"] else {}
    if scope.get("act"):
        defaults["act"] = sys.modules[TASKS].Conv.default_act
    legacy = scope["d"].get("legacy", scope.get("legacy", True))
    return *plan(m, inputs, scope["n"], scope["args"], Scale(scope["width"], scope["max_channels"]), defaults), legacy


def check_model(model: Any) -> None:
    """Refuse a model whose structure or names are wrong, and put the names of our blocks where rows are looked up."""
    from yolo_plugins.registry import BLOCKS

    vars(sys.modules[TASKS]).update({PREFIX + name: block for name, block in BLOCKS.items()})
    _check_description(model)


def explain(error: Exception, scope: dict[str, Any]) -> None:
    """Say which row of which file the error comes from, and put back what upstream leaves changed."""
    if "default_act" in scope:
        sys.modules[TASKS].Conv.default_act = scope["default_act"]
    _explain_row(error, scope["d"], scope.get("i"))


def _explain_row(error: Exception, model: dict[str, Any], i: int | None) -> None:
    from yolo_plugins.model_yaml import ModelYAMLError, Problem
    from yolo_plugins.row_errors import row_reason
    from yolo_plugins.row_names import module

    if i is not None and not isinstance(error, ModelYAMLError):
        source, _, name, _ = (model["backbone"] + model["head"])[i]
        problem = Problem(row_reason(error, module(name, vars(sys.modules[TASKS])), source), i, name)
        # A refusal says all there is to say; any other error may be a bug, whose own traceback is wanted.
        cause = None if isinstance(error, ValueError) else error
        raise ModelYAMLError(problem.sentence(_file(model)), problem) from cause


def _explain_model(error: Exception, model: Any) -> None:
    """Say which row does not fit the others, which first shows when the model runs, or else which file it is."""
    from yolo_plugins.model_yaml import ModelYAMLError
    from yolo_plugins.row_errors import reason_of, row_of

    if not isinstance(model, dict) or isinstance(error, (ModelYAMLError, OSError)):
        return
    _explain_row(error, model, row_of(error))
    raise ModelYAMLError(f"{_file(model)}: {reason_of(error)}") from error


def _run_once(model: Any) -> None:
    """Run a model that upstream builds without running it, such as a classifier."""
    import torch
    from yolo_plugins.budget import IMAGE

    training = model.training
    with torch.no_grad():
        model.eval().predict(torch.zeros(1, model.yaml["channels"], IMAGE, IMAGE))
    model.train(training)


def _check_file(path: str) -> None:
    """Refuse a file that is no model, before anything reads it."""
    from yolo_plugins.model_yaml import read

    _check_description({**read(path), "yaml_file": path})


def _check_description(model: Any) -> None:
    from yolo_plugins.model_yaml import check
    from yolo_plugins.row_names import names

    check(model, _file(model), names(sys.modules[TASKS]))


def _file(model: Any) -> str:
    return str(model.get("yaml_file", "model")) if isinstance(model, dict) else "model"


if __name__ == "__main__":
    try:
        from yolo_plugins.cli import main
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed: run `pip install -e .` in this folder first")
    sys.exit(main(["activate", *sys.argv[1:]]))
