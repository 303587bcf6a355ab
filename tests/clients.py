"""Programs that nobody here wrote, on our checkpoints and ONNX files, each in a process of its own; a table of them.

Usage: python tests/clients.py [CLIENT ...] [-o docs/robustness.md]

Models are trained for an epoch on images of 64 pixels with the plain `yolo` command, in an environment where the pack
is activated. Clients that are not installed there are installed by pip into that environment, which is thrown away; no
client is told of the pack. With -o the table goes into that file, between <!-- clients --> and <!-- /clients -->, where
rows of clients that are not run this time stay.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from conftest import Environment, make_environment
from version_matrix import pip
from yolo_plugins.demo.dataset import write
from yolo_plugins.files import write_text
from yolo_plugins.tables import markdown, part_of, with_part

MODELS = ["yolov8n-ghost.yaml", "yolov8n-shuffle.yaml", "yolo26n-lite.yaml"]
HEADINGS = ["client", "version", "what it did", *(f"`{name}`" for name in MODELS)]


@dataclass(frozen=True)
class Client:
    """Somebody else's program, of a package that is installed where it is missing, with packages that it does not name.

    `command` is what is run beside best.pt, best.onnx and video.mp4: `yolo` with these words, or the program of this
    name in `client_programs.py`, whose last line is what it found.
    """

    package: str
    does: str
    command: str


CLIENTS = {
    "`yolo benchmark`": Client(
        "ultralytics",
        "validates the checkpoint and its ONNX file",
        "yolo benchmark model=best.pt data={data} imgsz=64 format=onnx",
    ),
    "`yolo track`": Client(
        "ultralytics",
        "follows objects through a drawn video",
        "yolo track model=best.pt source=video.mp4 imgsz=64 conf=0.0001",
    ),
    "`YOLO.tune`": Client("ultralytics", "searches for hyperparameters, one iteration", "tune"),
    "sahi": Client("sahi", "predicts on the slices of an image", "sahi"),
    "supervision": Client("supervision", "reads results and draws them", "supervision"),
    "yolonnx": Client(
        "yolonnx", "detects with the ONNX file by its metadata; its surest box is Ultralytics'", "yolonnx"
    ),
    "OpenCV dnn": Client("opencv-python", "runs the ONNX file; how far from torch", "opencv"),
    "ONNX reference": Client("onnx", "evaluates the file operator by operator; how far from torch", "reference"),
    "Polygraphy": Client(
        "polygraphy onnx_graphsurgeon", "NVIDIA's check of the file for TensorRT, without TensorRT", "polygraphy"
    ),
    "ONNX checker": Client("onnx", "checks the file in full, at every opset that torch writes from 13", "checker"),
}


def trained(environment: Environment, model: str, data: Path, folder: Path) -> None:
    """best.pt, best.onnx and video.mp4 in `folder`, made with plain commands."""
    folder.mkdir()
    short = ["imgsz=64", "epochs=1", "batch=4", "workers=0", "plots=False", "val=False", "amp=False", "device=cpu"]
    environment.run(
        "yolo", "train", f"model={model}", f"data={data}", *short, f"project={folder}", "name=t", cwd=folder
    )
    (folder / "t" / "weights" / "last.pt").rename(folder / "best.pt")
    environment.run("yolo", "export", "model=best.pt", "format=onnx", "imgsz=64", cwd=folder)
    environment.run("python", Path(__file__).parent / "client_programs.py", "video", str(data), cwd=folder)


def tried(environment: Environment, client: Client, data: Path, folder: Path) -> str:
    """What a client said last, or how it failed."""
    if client.command.startswith("yolo "):
        words = client.command.format(data=data).split()
        done = environment.run(*words, cwd=folder, check=False, timeout=900)
        return "works" if done.returncode == 0 else failure(done.stderr)
    words = ["python", str(Path(__file__).parent / "client_programs.py"), client.command, str(data)]
    done = environment.run(*words, cwd=folder, check=False, timeout=900)
    return done.stdout.strip().splitlines()[-1] if done.returncode == 0 else failure(done.stderr)


def failure(said: str) -> str:
    print(said[-3000:], flush=True)
    return f"FAILS: {' '.join((said.strip().splitlines() or ['died'])[-1].split())[:150]}".replace("|", "/")


def version(environment: Environment, package: str, folder: Path) -> str:
    """The installed version of a package; empty where there is none."""
    code = f"from yolo_plugins.installed import installed_version as v; print(v({package!r}) or '')"
    return environment.run("python", "-c", code, cwd=folder).stdout.strip()


def rows_of(chosen: dict[str, Client]) -> dict[str, list[str]]:
    """The table's lines of these clients, after trying them."""
    rows: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as root_name:
        root = Path(root_name)
        environment = make_environment(root / "environment")
        environment.run("yolo-plugins", "activate", cwd=root)
        data = write(root / "shapes", train=8, val=4, size=64)
        for model in MODELS:
            print(model, flush=True)
            trained(environment, model, data, root / model)
        for name, client in chosen.items():
            package, *more = client.package.split()
            if not version(environment, package, root):
                pip(environment, package, *more)
            results = [tried(environment, client, data, root / model) for model in MODELS]
            rows[name] = [name, version(environment, package, root), client.does, *results]
            print(" | ".join(rows[name]), flush=True)
    return rows


def kept(text: str) -> dict[str, list[str]]:
    """The lines between the marks of a page, by client."""
    rows = [line.strip("| ").split(" | ") for line in part_of(text, "clients").splitlines()]
    return {row[0]: row for row in rows if row[0] in CLIENTS}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help="parts of names; by default all are tried")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the page to put the table into")
    args = parser.parse_args()
    try:
        page = args.output.read_text(encoding="utf-8") if args.output else ""
        known = kept(page) if args.output else {}
    except ValueError as error:
        parser.error(f"{args.output}: {error}")
    chosen = {n: c for n, c in CLIENTS.items() if not args.clients or any(part in n for part in args.clients)}
    rows = rows_of(chosen)
    if args.output:
        shown = {**known, **rows}
        table = markdown([HEADINGS, *(shown[name] for name in CLIENTS if name in shown)])
        write_text(args.output, with_part(page, "clients", table))
    failing = [name for name, row in rows.items() if any(cell.startswith("FAILS") for cell in row)]
    print(f"{len(rows) - len(failing)} of {len(rows)} clients work with {', '.join(MODELS)}")
    return int(bool(failing))


if __name__ == "__main__":
    sys.exit(main())
