"""Runs the patch's tests and a small real use on one Ultralytics release after another, each in its own environment.

Usage: python tests/version_matrix.py [RELEASE ...] [--wheels FOLDER] [--tests]

Torch, numpy and everything else are those of the environment that runs this; only Ultralytics, and what that release
needs and this environment lacks, is installed beside it: from FOLDER where it has the wheels, or else by pip. The table
is docs/versions.md; rows of releases that are not named are kept.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parent))
from conftest import Environment, make_environment
from yolo_plugins.demo.dataset import write
from yolo_plugins.files import write_text
from yolo_plugins.tables import markdown

from patch_ultralytics import TESTED

TABLE = Path(__file__).parents[1] / "docs" / "versions.md"
RELEASES = ["8.1.0", "8.1.47", "8.2.0", "8.2.103", "8.3.0", "8.3.100", "8.3.200"]
RELEASES += ["8.4.0", "8.4.20", "8.4.100", "8.4.150", "8.4.190"]
STAGES = ("train", "val", "predict", "torchscript", "onnx")
NEAR = 0.05  # pixels of a box or of score, in images of 64 pixels
OLD_NUMPY = "numpy<2.4"
OLD_LOADING = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
STOCK, OURS = "yolov8n.yaml", ("yolov8n-ghost.yaml", "yolov8n-lite-seg.yaml")

USE = """
import json, os, sys, traceback
import numpy as np, torch
from ultralytics import YOLO

name, data, image = sys.argv[1:4]
NEAR = float(sys.argv[4])
results, options = {}, dict(imgsz=64, device="cpu", project=os.getcwd(), exist_ok=True)

def train():
    YOLO(name).train(data=data, epochs=1, batch=4, workers=0, plots=False, amp=False, name="t", **options)
    assert os.path.isfile("t/weights/best.pt")

def val():
    metrics = YOLO("t/weights/best.pt").val(data=data, batch=4, workers=0, plots=False, name="v", **options)
    assert np.isfinite(list(metrics.results_dict.values())).all()

def predict():
    (result,) = YOLO("t/weights/best.pt").predict(image, conf=0.0001, name="p", **options)
    assert len(result.boxes), "nothing seen even at a confidence of 0.0001"

def outputs():
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    model = YOLO("t/weights/best.pt").model.float().eval()
    with torch.no_grad():
        y = model(x)
    return x, y[0][0] if isinstance(y[0], (tuple, list)) else y[0]

def near(ours, theirs):
    gap = float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())
    assert gap < NEAR, f"differs by {gap} from torch"

def torchscript():
    file = YOLO("t/weights/best.pt").export(format="torchscript", imgsz=64)
    x, y = outputs()
    z = torch.jit.load(file)(x)
    near(z[0] if isinstance(z, (tuple, list)) else z, y)

def onnx():
    import onnxruntime
    file = YOLO("t/weights/best.pt").export(format="onnx", imgsz=64, simplify=False)
    x, y = outputs()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    near(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0], y)

for stage in (train, val, predict, torchscript, onnx):
    try:
        stage()
        results[stage.__name__] = ""
    except BaseException as error:
        results[stage.__name__] = f"{type(error).__name__}: {error}"
        traceback.print_exc()
        if stage is train:
            break
json.dump(results, open("results.json", "w"))
"""


def install(environment: Environment, release: str, wheels: Path | None) -> None:
    """Put one release of Ultralytics into the environment, and what it needs that is nowhere to be seen."""
    folder = ["--no-index", "--find-links", str(wheels)] if wheels else []
    known = bool(wheels and list(wheels.glob(f"ultralytics-{release}-*.whl")))
    pip(environment, *(folder if known else []), "--no-deps", f"ultralytics=={release}")
    (environment.site_packages / "ray.py").write_text("raise ImportError('too new for old releases')")
    listed = (
        "import importlib.metadata as m\n"
        "names = [r for r in m.requires('ultralytics') if 'extra ==' not in r]\n"
        "print(*names, sep='\\n')"
    )
    required = environment.run("python", "-c", listed, cwd=environment.folder).stdout.splitlines()
    names = {re.match(r"[\w.-]+", line)[0] for line in required}  # type: ignore[index]
    for name in sorted(names - {"thop"}):  # Ultralytics' own thop has the same import name, and is there
        present = f"import importlib.metadata as m; m.version({name!r})"
        if environment.run("python", "-c", present, cwd=environment.folder, check=False).returncode:
            known = bool(wheels and list(wheels.glob(f"{name.replace('-', '_')}-*")))
            pip(environment, *(folder if known else []), name)


def pip(environment: Environment, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(environment.python), "install", "-q", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def patch_tests(environment: Environment, folder: Path) -> list[str]:
    """How many of the tests of the patch, and of stock models with and without it, pass, out of how many.

    And how many stock YAMLs were the same with and without it: built to the same weights and outputs, or refused in the
    same words.
    """
    report = folder / "patch.xml"
    tests = Path(__file__).parent
    files = [str(tests / name) for name in ("test_patch.py", "test_stock_models.py")]
    options = [f"--rootdir={tests.parent}", f"--junitxml={report}", "-m", "slow or not slow", "-n", "0"]
    command = ["-m", "pytest", *files, *options, "-p", "no:cacheprovider"]
    done = environment.run("python", *command, cwd=folder, check=False, timeout=3000)
    if not report.exists():
        return [f"none: {done.stdout.strip().splitlines()[-1]}", "-"]
    suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
    counts = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
    for case in suite.iter("testcase"):
        for fault in (*case.iter("failure"), *case.iter("error")):
            print(f"    {case.get('name')}: {(fault.get('message') or '')[:200]}", flush=True)
    ran = counts["tests"] - counts["skipped"]
    recorded = {entry.get("name"): entry.get("value") for entry in suite.iter("property")}
    alike = f"{recorded['built']} built, {recorded['refused']} refused" if "built" in recorded else "not the same"
    return [f"{ran - counts['failures'] - counts['errors']} of {ran}", alike]


def use(environment: Environment, name: str, data: Path, folder: Path, **variables: str) -> dict[str, str]:
    """What fails of training, validating, predicting and exporting one model: an empty text where nothing does."""
    folder.mkdir()
    image = next((data.parent / "images" / "val").glob("*.jpg"))
    command = ("python", "-c", USE, name, str(data), str(image), str(NEAR))
    done = environment.run(*command, cwd=folder, check=False, timeout=1800, **variables)
    file = folder / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    reason = "cannot train" if results else (done.stderr.strip().splitlines() or ["died"])[-1]
    failures = {stage: results.get(stage, reason) for stage in STAGES}
    for stage, text in failures.items():
        if text:
            print(f"    {name} {stage}: {text[:300]}", flush=True)
    return {stage: " ".join(re.sub(r"\x1b\[\d*m|\|", "", text).split())[:70] for stage, text in failures.items()}


def row(release: str, data: Path, wheels: Path | None, known: list[str] | None) -> list[str]:
    """One line of the table; of a `known` one, what the tests come to is renewed and the rest kept."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = make_environment(folder / "environment")
        install(environment, release, wheels)
        environment.run("yolo-plugins", "activate", cwd=folder)
        cells = [release, *patch_tests(environment, folder)]
        if known:
            return [*cells, *known[len(cells) :]]
        needs: list[str] = []
        variables: dict[str, str] = {}
        ours = [use(environment, OURS[0], data, folder / "first")]
        if any("module 'numpy' has no attribute" in text for text in ours[0].values()):
            pip(environment, OLD_NUMPY)  # releases that use what numpy has dropped since
            needs.append(OLD_NUMPY)
            ours = [use(environment, OURS[0], data, folder / "numpy")]
        if any("Weights only load failed" in text for text in ours[0].values()):
            variables = {OLD_LOADING: "1"}  # releases from before torch 2.6 load no checkpoint otherwise
            needs.append(OLD_LOADING)
            ours = [use(environment, OURS[0], data, folder / "again", **variables)]
        ours += [use(environment, model, data, folder / model, **variables) for model in OURS[1:]]
        failures = {stage: [result[stage] for result in ours if result[stage]] for stage in STAGES}
        stock = use(environment, STOCK, data, folder / "stock", **variables) if any(failures.values()) else {}
        for stage, texts in failures.items():
            if not texts:
                cells.append("works")
            else:
                cells.append(f"stock fails too: {stock[stage]}" if stock[stage] else f"FAILS: {texts[0]}")
        numpy = environment.run("python", "-c", "import numpy; print(numpy.__version__)", cwd=folder).stdout.strip()
    return [*cells, ", ".join(needs) or "-", f"{metadata.version('torch')}, {numpy}, {sys.version.split()[0]}"]


HEADINGS = ("Ultralytics", "tests", "stock YAMLs alike", *STAGES, "needs", "torch, numpy, Python")


def read_table(file: Path = TABLE) -> dict[str, list[str]]:
    """The rows kept in the repository, by release."""
    text = file.read_text(encoding="utf-8").partition("\n## ")[0] if file.exists() else ""
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if re.match(r"\| \d", line)
    ]
    return {cells[0]: cells for cells in rows}


def works(cells: list[str]) -> bool:
    """Whether a row shows a release where the patch passes, models train, and all exports work that stock's do."""
    passed, total = cells[1].split(" of ") if " of " in cells[1] else ("0", "")
    return passed == total and cells[3:6] == ["works"] * 3 and not any(cell.startswith("FAILS") for cell in cells)


def order(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def render(rows: dict[str, list[str]]) -> str:
    ours = " and ".join(f"`{name}`" for name in OURS)
    head = [
        "# Ultralytics releases that were tried",
        "",
        "Made by `python tests/version_matrix.py`. Each release has an environment of its own, where",
        "`tests/test_patch.py` and `tests/test_stock_models.py` are run, which builds every stock YAML of the release",
        "with and without the patch, in its smallest size: so many came to the same weights, names and outputs, and",
        f"so many to the same refusal, word for word. It then trains {ours} for an epoch,",
        f"validates, predicts and exports, with outputs within {NEAR} of torch's. Where ours fail, `{STOCK}` is tried",
        "too.",
        "*Needs* is what stock models need there as well.",
        "",
    ]
    written = TABLE.read_text(encoding="utf-8").partition("\n## ") if TABLE.exists() else ("", "", "")
    table = markdown([HEADINGS, *(rows[release] for release in sorted(rows, key=order))])
    return "\n".join([*head, table, "".join(written[1:])])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*", default=RELEASES, metavar="RELEASE")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels to take before asking the package index")
    parser.add_argument("--tests", action="store_true", help="renew only the first columns of rows that are there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = write(Path(folder) / "shapes", train=8, val=4, size=64)
        for release in args.releases:
            print(f"Ultralytics {release}", flush=True)
            cells = row(release, data, args.wheels, read_table().get(release) if args.tests else None)
            print("   ", " | ".join(cells), flush=True)
            write_text(TABLE, render({**read_table(), release: cells}))
    rows = read_table()
    within = [name for name in args.releases if order(TESTED[0]) <= order(name) <= order(TESTED[1])]
    good = sum(works(rows[name]) for name in within)
    print(f"{good} of {len(within)} releases within the range work")
    return int(good < len(within))


if __name__ == "__main__":
    sys.exit(main())
