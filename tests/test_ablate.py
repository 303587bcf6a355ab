"""`yolo-plugins ablate`: what a change is, which models it makes, and what is refused before anything is trained."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from yolo_plugins import cli
from yolo_plugins.ablating.changes import named
from yolo_plugins.ablating.settings import Settings
from yolo_plugins.ablating.variants import Variant, variants
from yolo_plugins.rows.description import rows_of

FOUR = {
    "ghost": "--stage GhostBottleneck",
    "se": "--gate SE",
    "up": "--up DySample",
    "head": "22=plugins.LiteDetect",
}


@pytest.fixture(scope="module")
def four() -> list[Variant]:
    """yolov8n with four changes on top of each other."""
    return variants("yolov8n.yaml", FOUR, every=False)


def changed(variant: Variant, base: Variant) -> dict[int, tuple[str, list[object]]]:
    """The rows that are not the base's."""
    ours, theirs = (rows_of(yaml.safe_load(one.text)) for one in (variant, base))
    assert [row[:2] for row in ours] == [row[:2] for row in theirs], "from and repeats stay"
    return {i: (row[2], row[3]) for i, (row, other) in enumerate(zip(ours, theirs, strict=True)) if row != other}


def test_changes_are_put_on_top_of_one_another(four: list[Variant]) -> None:
    assert [one.label for one in four] == [
        "yolov8n",
        "+ ghost",
        "+ ghost + se",
        "+ ghost + se + up",
        "+ ghost + se + up + head",
    ]
    assert [one.name for one in four[:3]] == ["yolov8n.yaml", "yolov8n-ghost.yaml", "yolov8n-ghost+se.yaml"]
    assert {one.task for one in four} == {"detect"}
    last = changed(four[-1], four[0])
    assert sorted(last) == [6, 8, 10, 12, 13, 15, 18, 21, 22]
    assert last[22] == ("plugins.LiteDetect", ["nc"]), "a row without arguments keeps its own"
    assert changed(four[1], four[0])[6] == ("plugins.C2f", [512, True, "GhostBottleneck"])


def test_a_gate_goes_on_the_stage_that_another_change_brings(four: list[Variant]) -> None:
    assert changed(four[2], four[0])[6] == ("plugins.C2f", [512, True, "GhostBottleneck", "SE"])
    _, _, other = variants("yolov8n.yaml", {"se": FOUR["se"], "ghost": FOUR["ghost"]}, every=False)
    assert changed(other, four[0]) == changed(four[2], four[0]), "in either order"


def test_all_combinations_are_every_choice_of_changes() -> None:
    asked = {name: FOUR[name] for name in ("se", "up", "head")}
    found = [one.changes for one in variants("yolov8n.yaml", asked, every=True)]
    assert found[0] == ()
    assert found[-1] == ("se", "up", "head")
    assert len(found) == len(set(found)) == 8


def test_another_backbone_is_a_change_and_rows_behind_it_keep_their_numbers() -> None:
    pytest.importorskip("timm")
    asked = {"mobile": "--backbone timm:mobilenetv4_conv_small", "head": FOUR["head"]}
    *_, both = variants("yolov8n.yaml", asked, every=False)
    rows = rows_of(yaml.safe_load(both.text))
    assert rows[0][2] == "plugins.Timm"
    assert rows[-1][2:] == ["plugins.LiteDetect", ["nc"]]


def test_a_head_of_yolo11_stays_what_it_is_when_its_stages_are_swapped() -> None:
    for one in variants("yolo11n.yaml", {"faster": "faster"}, every=False):
        assert yaml.safe_load(one.text)["legacy"] is False


def test_several_rows_are_given_by_hand_and_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("rules: [{stage: C2fDW, stride: 32, neck: false}]\n")
    asked = named(["c3=12=C3, [512]; 15=plugins.C3, [256, False]", str(file)])
    assert asked == {"c3": "12=C3, [512]; 15=plugins.C3, [256, False]", "mine": str(file)}
    base, c3, mine = variants("yolov8n.yaml", asked, every=False)
    assert changed(c3, base) == {12: ("C3", [512]), 15: ("plugins.C3", [256, False])}
    assert set(changed(mine, base)) == {8, 12, 15}


REFUSED = {
    "yolov8n.yaml --add ghost": "an ablation trains: give its data, as in data=data.yaml",
    "yolov8n.yaml data=d.yaml": "nothing is to be added to the base; give a change, as in "
    '--add ghost="--stage GhostBottleneck" se="--gate SE"',
    "yolov8n.yaml data=d.yaml --add gost": "gost: no recipe is called 'gost'; there are ghost,",
    "yolov8n.yaml data=d.yaml --add epoch=10": "did you mean epochs=?",
    "yolov8n.yaml data=d.yaml --add ghost epochs=1 lr=2": "lr: '2' is no recipe, and `yolo train` has no such argument",
    "yolov8n.yaml --add ghost --seeds 1 data=d.yaml lr=2": "`yolo train` has no argument lr; did you mean lrf or lr0?",
    "yolov8n.yaml data=d.yaml --add ghost --seeds 1 se": "what is not after --add takes KEY=VALUE, such as epochs=3",
    "yolov8n.yaml data=d.yaml --add ghost seed=3": "seed=3: seed is set here by the command itself",
    "yolov8n.yaml data=d.yaml --add ghost epochs=1 epochs=2": "epochs is given twice",
    "yolov8n.yaml data=d.yaml data=e.yaml --add ghost": "data is given twice: d.yaml and e.yaml",
    "yolov8n.yaml --data d.yaml --add ghost": "--data is no option; what is for training is written as data=data.yaml",
    "yolov8n.yaml data=d.yaml --add ghost --seeds 0": "seeds 0 must be at least 1",
    "yolov8n.yaml data=d.yaml --add ghost --ray --jobs 2": "through Ray its cluster decides how many run",
    "yolov8n.yaml data=d.yaml --add ghost imgsz=64,96": "imgsz=(64, 96) must be one whole number",
    "yolov8n.yaml data=d.yaml --add ghost imgsz=100": "imgsz=100 is no multiple of the stride 32 of yolov8n.yaml",
    "yolov8n.yaml data=d.yaml --add ghost": "d.yaml does not exist; data= takes a data YAML",
    "yolov8n.yaml data=. --add ghost": "yolov8n.yaml is for the task detect, whose data is a data YAML, not .",
    "yolov8n-cls.yaml data=. --add se": ". has no folder train with a folder of images for each class",
    "yolov8n.yaml data=d.yaml device=0,1 --add ghost": "run `yolo-plugins activate` first",
    "yolov8n.yaml data=d.yaml --add a=ghost a=se": "two changes are called a: ghost and se",
    "yolov8n.yaml data=d.yaml --add ghost other=ghost": "+ ghost + other is the same model as + ghost",
    "yolov8n.yaml data=d.yaml --add same=0=Conv,[64,3,2]": "+ same is the same model as yolov8n",
    "yolov8n.yaml data=d.yaml --add ghost se": "ghost and se both change rows 6, 8, 12, 15, 18, 21 of yolov8n.yaml",
    "yolov8n.yaml data=d.yaml --add head=40=plugins.LiteDetect": "head: yolov8n.yaml has rows 0 to 22, and none of",
    "yolov8n.yaml data=d.yaml --add 22=plugins.LiteDetect": 'give the change a name as well, as in head="22=',
    "yolov8n.yaml data=d.yaml --add head=22=plugins.LiteDetekt": "did you mean plugins.LiteDetect",
    "yolov8n.yaml data=d.yaml --add x=4=Conv,[64,3,2]": "yolov8n-x.yaml: row 4 (Conv): ",
    "yolov8n.yaml data=d.yaml --add x=4=C2f,[64": "'4=C2f,[64' is no row; write 22=plugins.LiteDetect",
    "yolov8n.yaml data=d.yaml --add x=--gate": "x: --gate lacks its value",
    "yolov8n.yaml data=d.yaml --add x=--gat=SE": "x: --gat is no option of `yolo-plugins yaml`; there are --stage",
    "yolov8n.yaml data=d.yaml --add x=": "x= says nothing of what is to change",
    "yolov8n.yaml data=d.yaml --add lite_head=lite": "may have letters, digits, - and . in its name",
    "yolov8n.yaml data=d.yaml --add ms=ghost": "the change 'ms' is a heading of the table",
    "yolov8n.yaml data=d.yaml --add a=ghost b=se c=uib d=star e=faster f=lite --all": "6 changes are 64 models "
    "and with 3 seeds 192 trainings; 5 changes (32 models) are the most; one after another, without --all, they are "
    "7 models",
    "yolov8n-gost.yaml data=d.yaml --add ghost": "did you mean yolov8n-ghost.yaml",
    "yolov8n.pt data=d.yaml --add ghost": "yolov8n.pt is no model YAML; an ablation begins with one, such as",
    "yolov8n.yaml data=data.yaml --add ghost -o data.yaml": "cannot write into data.yaml",
}


@pytest.mark.parametrize(("command", "sentence"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_ablated_is_refused_in_one_sentence(
    command: str,
    sentence: str,
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("yolo_plugins.cli.devices.active_folders", list)
    (tmp_path / "data.yaml").write_text(f"path: {shapes.parent}\n{shapes.read_text()}")
    assert cli.main(["ablate", *command.split()]) == 1
    error = capsys.readouterr().err.strip()
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert len(error) < 700
    assert [path.name for path in tmp_path.iterdir()] == ["data.yaml"], "something was left behind"


def test_words_that_ultralytics_knows_go_to_training_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def note(*arguments: Any) -> None:
        asked.extend(arguments)
        raise ValueError("far enough")

    monkeypatch.setattr("yolo_plugins.ablating.ablation.run", note)
    words = ["data=d.yaml", "--add", "ghost", "se=--gate SE", "epochs=3", "optimizer=SGD", "--ray", "lr0=1e-3"]
    assert cli.main(["ablate", "yolov8n.yaml", *words, "--jobs", "1", "cos_lr=True", "freeze=[0, 1]"]) == 1
    assert asked[:2] == ["yolov8n.yaml", ["ghost", "se=--gate SE"]]
    train = {"epochs": 3, "optimizer": "SGD", "lr0": 0.001, "cos_lr": True, "freeze": [0, 1]}
    assert asked[2] == Settings("d.yaml", train, ray="")


def test_ultralytics_own_data_yamls_are_found_by_name() -> None:
    from yolo_plugins.training.data_yaml import find

    assert find("coco8.yaml").is_file()
    assert find("no-such.yaml") == Path("no-such.yaml")
