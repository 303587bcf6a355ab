"""Every command, misspelt and misused: one sentence and exit code 1 or 2, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from yolo_plugins.cli import main
from yolo_plugins.cli.commands import COMMANDS

WITHOUT_TORCH = [
    "",
    "chekc",
    "--hepl",
    *(f"{command} --no-such-option" for command in COMMANDS),
    *(f"{command} --help" for command in COMMANDS),
    *(f"{command} surplus" for command in ("activate", "deactivate", "status", "list", "networks", "demo")),
    *("info", "check", "init", "transplant", "compare", "search"),
    *("info yolov8n.yaml --nc many", "info yolov8n.yaml --imgsz", "networks --format pdf"),
    *("cost GhostConv wide", "cost GhostConv 64 --format pdf", "draw GhostConv 64 64 64"),
    *("init yolov8n-ghostnet.yaml", "transplant best.pt --images here"),
    "transplant best.pt --swap ghost --model light.yaml --images here -o new.pt",
    *("yaml", "yaml yolov8.yaml"),
    *("compare a.yaml --threads two", "demo --epochs few", "demo --task sleep"),
    *("ablate", "ablate yolov8n.yaml", "ablate yolov8n.yaml --seeds two", "ablate yolov8n.yaml data=a.yaml lr=1"),
    *("check yolov8n-gost.yaml", "check no-such-folder/model.yaml", "check ."),
    "check yolov8n.yaml --base yolov9n-gost.yaml",
]
SENTENCES = {
    "info no-such.yaml": "no-such.yaml is neither a file nor a model YAML of the installed Ultralytics",
    "info yolov8n-gost.yaml": "did you mean yolov8n-ghost.yaml",
    "info no-such.pt": "no-such.pt does not exist",
    "info .": ". is neither a model YAML nor a .pt file",
    "info text.txt": "text.txt is neither a model YAML nor a .pt file",
    "info binary.pt": "binary.pt is not a checkpoint with a model inside",
    "info empty.yaml": "empty.yaml: is empty; a model YAML needs `nc`, `backbone` and `head`",
    "info binary.yaml": "binary.yaml: is not YAML",
    "info no-rows.yaml": "no-rows.yaml: lacks `backbone`",
    "info wrong-row.yaml": "wrong-row.yaml: row 0 (Conv): list index out of range; Conv takes [c2, k=1",
    "info yolov8n.yaml --nc -1": "nc=-1 must be at least 1",
    "info yolov8n.yaml --imgsz 0": "imgsz=0 must be a multiple of 32 from 32 to 4096",
    "info yolov8n.yaml --imgsz 3200000": "imgsz=3200000 must be a multiple of 32 from 32 to 4096",
    "info yolov8n.yaml --base no-such.yaml": "no-such.yaml is neither a file nor a model YAML",
    "yaml": "give a model and what to put into it: yolo-plugins yaml yolo11-seg.yaml --swap ghost",
    "yaml yolov8.yaml": "give a model and what to put into it",
    "yaml no-such.yaml --swap ghost": "no-such.yaml is neither a file nor a model YAML",
    "yaml yolov8.yaml --swap gost": "no recipe is called 'gost'; there are ghost,",
    "yaml yolov8.yaml --swap no-such.yaml": "No such file or directory: 'no-such.yaml'",
    "yaml yolov8.yaml --swap no-rows.yaml": "no-rows.yaml is not a recipe: it needs `title` and a list of `rules`",
    "yaml yolov8.yaml --swap binary.yaml": "binary.yaml is not YAML",
    "yaml yolov8.yaml --swap broken.yaml": "broken.yaml is not YAML",
    "yaml no-rows.yaml --swap ghost": "no-rows.yaml: lacks `backbone`",
    "yaml binary.yaml --swap ghost": "binary.yaml: is not YAML",
    "yaml empty.yaml --swap ghost": "empty.yaml: is empty",
    "init no-such.yaml --imagenet": "no-such.yaml is neither a file nor a model YAML",
    "init text.txt --imagenet": "text.txt is not a model YAML; give one such as yolov8n-ghostnet.yaml",
    "init binary.yaml --imagenet": "binary.yaml: is not YAML",
    "init yolov8n-ghost.yaml --imagenet": "rows of exactly one published network are needed",
    "init yolov8n-ghostnet.yaml --imagenet -o new.onnx": "new.onnx must end in .pt",
    "init yolov8n-ghostnet.yaml --imagenet -o missing/new.pt": "missing is not a folder that can be written",
    "transplant no-such.pt --swap ghost --images . -o new.pt": "no-such.pt does not exist",
    "transplant binary.pt --swap ghost --images . -o new.pt": "binary.pt is not a checkpoint with a model inside",
    "transplant binary.pt --swap ghost --images . -o binary.pt": "binary.pt exists; --force replaces it",
    "transplant binary.pt --swap ghost --images . -o new.pt --batch 0": "--batch 0 is too small",
    "compare no-such.yaml": "no-such.yaml is neither a file nor a model YAML",
    "compare text.txt": "text.txt is neither a model YAML nor a .pt file",
    "compare binary.pt --data no-such.yaml": "no-such.yaml does not exist; --data takes a data YAML",
    "compare yolov8n.yaml --formats onix": "unknown format 'onix'; did you mean onnx?",
    "compare yolov8n.yaml --imgsz 33": "imgsz=33 is no multiple of the stride 32; the nearest is 32",
    "compare yolov8n.yaml --rounds 0": "rounds=0 must be at least 1",
    "compare yolov8n.yaml --train epochs": "--train takes KEY=VALUE, such as epochs=3, not 'epochs'",
    "compare yolov8n.yaml --train epoch=3": "epoch=3: `yolo train` has no argument epoch; did you mean epochs?",
    "ablate yolov8n.yaml": "an ablation trains: give its data, as in data=data.yaml",
    "search yolov8n.yaml -o new.yaml": "give a budget: --budget-ms 20, or --faster 2.5",
    "search no-such.yaml -o new.yaml --budget-ms 9": "no-such.yaml is neither a file nor a model YAML",
    "search no-such.pt -o new.yaml --budget-ms 9 --images .": "no-such.pt does not exist",
    "search yolov8n.yaml -o new.yaml --budget-ms 0": "--budget-ms 0 must be above 0",
    "search yolov8n.yaml -o new.yaml --faster 0.5": "--faster 0.5 must be at least 1",
    "search yolov8n.yaml -o new.yaml --faster 2 --threads 0": "--threads 0 must be at least 1",
    "search yolov8n.yaml -o new.yaml --faster 2 --threads 2 --cpu-time": "give --threads 1 with it",
    "search yolov8n.yaml -o new.yaml --faster 2 --imgsz 100": "imgsz=100 is no multiple of the stride 32",
    "search yolov8n.yaml -o new.yaml --faster 2 --images .": "a trained .pt and --images go together",
    "search yolov8n.yaml -o new.pt --faster 2": "new.pt must end in .yaml",
    "search yolov8n.yaml -o no-rows.yaml --faster 2": "no-rows.yaml exists; --force replaces it",
    "search yolov8n.yaml -o missing/new.yaml --faster 2": "the folder of missing/new.yaml does not exist",
    "search yolov8n.yaml -o new.yaml --faster 2 --blocks GhostKonv": "did you mean GhostConv or GhostConvV2?",
    "search yolov8n.yaml -o new.yaml --faster 2 --blocks GhostNetStage": "stands for no convolution, stage",
    "search yolov8n.yaml -o new.yaml --faster 2 --blocks LiteSegment": "yolov8n.yaml: no row can be replaced: ",
    "demo --epochs 0": "epochs=0 must be at least 1",
    "demo --images -1": "images=-1 at least 8",
    "demo --imgsz 33": "imgsz=33 must be a multiple of 32, at least 64",
}
OF_A_BLOCK = {
    "": "give a block and its channels, as in: yolo-plugins",
    "GhostConv": "give a block and its channels",
    "GostConv 64": "no block is called 'GostConv'; did you mean GhostConv",
    "GhostConv 0": "GhostConv: c1=0 must be a whole number of at least 1",
    "GhostConv 64 -1": "GhostConv: c2=-1 must be a whole number of at least 1",
    "GhostConv 1000000000": "has more than 64,000,000 elements; give fewer channels or a smaller --size",
    "GhostConv 64 --size 1000000": "has more than 64,000,000 elements",
    "GhostConv 64 --size 0": "--size 0 must be at least 1",
    "GhostConv 64 --k 4": "GhostConv: kernel k=4 is even and cannot keep H×W; use 3 or 5",
    "GhostConv 64 --k three": "GhostConv: k='three' must be a whole number",
    "GhostConv 64 --k": "--k is no argument of a block; write --name value, as in --k 3",
    "GhostConv 64 --r 3": "GhostConv has no argument r; it has k, s, ratio, cheap_k, act",
    "GhostConv 64 --act no-such": "act='no-such' is not an activation; choose one of relu",
    "GhostBottleneck 8": "GhostBottleneck needs mid as well",
    "ShuffleUnit 64": "cannot be divided into 3 groups; group counts that fit: 1, 2",
}
SENTENCES |= {f"{command} {words}": said for command in ("cost", "draw") for words, said in OF_A_BLOCK.items()}
SENTENCES["cost GhostConv 64 --runs -1"] = "--runs -1 must be at least 0, which times nothing"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with files that are not what their names say."""
    files = {
        "text.txt": b"words\n",
        "empty.yaml": b"",
        "no-rows.yaml": b"nc: 3\n",
        "broken.yaml": b"rules: [",
        "wrong-row.yaml": b"nc: 3\nbackbone: [[-1, 1, Conv, []]]\nhead: [[[0], 1, Detect, [nc]]]\n",
        **dict.fromkeys(("binary.pt", "binary.yaml"), bytes(range(256)) * 20),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "sentence"), SENTENCES.items(), ids=SENTENCES)
def test_misuse_is_one_sentence_and_exit_code_1(
    command: str, sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(folder.iterdir())
    assert main(command.split()) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"yolo-plugins {command.split()[0]}: ")
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert len(error) < 700
    assert set(folder.iterdir()) == before, "something was left behind"


def test_misspelling_and_help_are_answered_without_torch(tmp_path: Path) -> None:
    code = (
        "import contextlib, io, sys\nfrom yolo_plugins.cli import main\n"
        f"for command in {WITHOUT_TORCH!r}:\n"
        "    said = io.StringIO()\n"
        "    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):\n"
        "        try:\n            code = main(command.split())\n"
        "        except SystemExit as end:\n            code = end.code\n"
        "    said, helps = said.getvalue(), '--help' in command\n"
        "    assert code == (0 if helps else 2 if 'usage:' in said else 1), (command, code)\n"
        "    assert 'Traceback' not in said\n"
        "    assert helps or len(said.strip().splitlines()[-1]) < 700, command\n"
        "    assert not {'torch', 'ultralytics'} & set(sys.modules), command\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
