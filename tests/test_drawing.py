"""`yolo-plugins draw`: figures of models and blocks, read back from their geometry and their files."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from matplotlib import font_manager
from yolo_plugins import model_yamls
from yolo_plugins.cli import main
from yolo_plugins.drawing import words
from yolo_plugins.drawing.arranging import arranged
from yolo_plugins.drawing.details import details
from yolo_plugins.drawing.graph import Edge, Graph, Node, folded
from yolo_plugins.drawing.model_graph import Model, model_graph
from yolo_plugins.drawing.scene import A4, Rectangle, Scene
from yolo_plugins.drawing.sheet import draw_model
from yolo_plugins.models.building import build
from yolo_plugins.rows.yaml_files import stock_files, with_scale

SAMPLE = ("yolov8n-lite-seg.yaml", "rtdetr-l.yaml", "yolov9e.yaml", "yolov8n-world.yaml", "ghostnet-cls.yaml")
EVERY = [with_scale(name, "n") for name in [*model_yamls.names(), *(path.name for path in stock_files())]]


def model(*rows: list, head: list) -> dict:
    return {"nc": 3, "backbone": list(rows), "head": [head]}


def written(description: dict, folder: Path) -> str:
    import yaml

    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(description))
    return str(file)


def thin(line: tuple[tuple[int, int], tuple[int, int]]) -> Rectangle:
    (x0, y0), (x1, y1) = line
    return Rectangle(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def assert_clear(scene: Scene) -> None:
    """No arrow crosses a box or a text, no text a box or another, and arrows of two sources only cross."""
    for line in scene.lines:
        ends = {line.edge.source, line.edge.target}
        for piece in line.pieces():
            crossed = [label.text for label in scene.labels if label.place.meets(thin(piece))]
            assert not crossed, f"{line.edge} crosses {crossed}"
            boxes = [box.node.key for box in scene.boxes if box.rectangle.meets(thin(piece))]
            assert set(boxes) <= ends, f"{line.edge} crosses {boxes}"
    for i, label in enumerate(scene.labels):
        assert not any(label.place.meets(box.rectangle) for box in scene.boxes), label
        assert not any(label.place.meets(other.place) for other in scene.labels[:i]), label
    lying: dict[tuple[bool, tuple[int, int]], str] = {}
    for line in scene.lines:
        for (x0, y0), (x1, y1) in line.pieces():
            assert x0 == x1 or y0 == y1
            for x in range(min(x0, x1), max(x0, x1) + 1):
                for y in range(min(y0, y1), max(y0, y1) + 1):
                    assert lying.setdefault((y0 == y1, (x, y)), line.edge.source) == line.edge.source, line.edge


def assert_whole(graph: Graph, scene: Scene) -> None:
    """Every row and arrow is there, and the shape of all that flows."""
    assert sorted(box.node.key for box in scene.boxes) == sorted(node.key for node in graph.nodes)
    drawn = sorted((line.edge.source, line.edge.target) for line in scene.lines)
    assert drawn == sorted((edge.source, edge.target) for edge in graph.edges)
    assert {label.edge.source for label in scene.labels} == {edge.source for edge in graph.edges}
    places = {box.node.key: box.rectangle for box in scene.boxes}
    for line in scene.lines:
        for point, key in ((line.points[0], line.edge.source), (line.points[-1], line.edge.target)):
            place = places[key]
            assert place.x0 <= point[0] <= place.x1
            assert place.y0 <= point[1] <= place.y1


@pytest.fixture(scope="module")
def drawn() -> dict[str, tuple[Model, Graph, Scene]]:
    made = {}
    for name in SAMPLE:
        found = model_graph(name)
        graph = folded(found.graph)
        made[name] = found, graph, arranged(graph)
    return made


@pytest.mark.parametrize("name", SAMPLE)
def test_arrows_cross_no_text_and_no_box_and_every_row_is_there(name: str, drawn: dict) -> None:
    _, graph, scene = drawn[name]
    assert_clear(scene)
    assert_whole(graph, scene)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_figure_is_no_wider_than_a4_paper(name: str, drawn: dict) -> None:
    assert drawn[name][2].w <= A4


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_every_shipped_and_every_stock_yaml_is_drawn_within_a4_and_in_print_size(name: str, tmp_path: Path) -> None:
    graph = folded(model_graph(name).graph)
    scene = arranged(graph)
    assert_clear(scene)
    assert_whole(graph, scene)
    assert scene.w <= A4
    draw_model(name, tmp_path / "figure.svg")
    assert_legible(tmp_path / "figure.svg")


def assert_legible(file: Path) -> None:
    """All text of an SVG is at least 6 points at the figure's own size, and in its view."""
    root = ET.parse(file).getroot()
    assert float(root.attrib["width"].removesuffix("pt")) <= 595.3
    scales = [float(s) for s in re.findall(r" scale\((\S+) -", file.read_text())]
    assert len(scales) > 5
    assert min(scales) * 100 >= 6 - 1e-6  # matplotlib writes glyphs at 100 units an em


def test_shapes_on_the_arrows_are_those_of_a_real_forward_pass(drawn: dict) -> None:
    import torch

    network = build("yolov8n-lite-seg.yaml").eval()
    seen: dict[str, str] = {}
    for i, layer in enumerate(network.model[:-1]):
        layer.register_forward_hook(
            lambda layer, inputs, out, i=i: seen.update({str(i): "×".join(map(str, out.shape[1:]))})
        )
    with torch.no_grad():
        network(torch.zeros(1, 3, 640, 640))
    found, graph, scene = drawn["yolov8n-lite-seg.yaml"]
    assert found.params == sum(p.numel() for p in network.parameters())
    shapes = {label.edge.source: label.text for label in scene.labels if label.edge.source != "image"}
    assert shapes == {key: seen[key] for key in shapes}
    assert len(shapes) == len(graph.nodes) - 2


def test_rows_stand_in_the_band_of_their_stride_and_the_column_of_their_part(drawn: dict) -> None:
    found, _, scene = drawn["yolov8n-lite-seg.yaml"]
    bands = {stride: (top, bottom) for stride, top, bottom in scene.bands}
    parts = {part: (left, right) for part, left, right in scene.parts}
    assert list(bands) == [2, 4, 8, 16, 32]
    assert list(parts) == ["backbone", "neck", "head"]
    for box in scene.boxes:
        left, right = parts[box.node.part]
        assert left <= box.x < box.x + box.w <= right
        if box.node.kind not in ("image", "head"):
            top, bottom = bands[box.node.stride]
            assert top <= box.y < box.y + box.h <= bottom
    assert [node.plugin for node in found.graph.nodes if node.title == "RepGhostStage"] == [True] * 8
    assert not any(node.plugin for node in found.graph.nodes if node.title in ("Concat", "Upsample", "SPPF", "image"))


def test_repeats_are_one_box_unless_something_is_taken_from_between() -> None:
    chain = [Node(str(i), "Block", number=str(i)) for i in range(4)]
    line = [Edge(str(i), str(i + 1), "8×4×4") for i in range(3)]
    one = folded(Graph(chain, line))
    assert [(node.words, node.number) for node in one.nodes] == [("Block ×4", "0–3")]
    out = Node("out", "Concat", kind="join")
    between = folded(Graph([*chain, out], [*line, Edge("1", "out", "8×4×4"), Edge("3", "out", "8×4×4")]))
    assert [node.words for node in between.nodes] == ["Block ×2", "Block ×2", "Concat"]
    every = folded(Graph([*chain, out], [*line, *(Edge(str(i), "out", "8×4×4") for i in range(4))]))
    assert [node.words for node in every.nodes] == ["Block ×4", "Concat"]
    assert [edge.shape for edge in every.edges] == ["4 maps"]


def test_folded_rows_of_a_model_say_which_they_are(drawn: dict) -> None:
    _, graph, _ = drawn["rtdetr-l.yaml"]
    assert [node.words for node in graph.nodes if node.number == "5–7"] == ["(HGBlock ×6) ×3"]


def test_a_stage_says_what_is_inside(tmp_path: Path) -> None:
    rows = [[-1, 1, "Conv", [16, 3, 2]], [-1, 3, "plugins.C2f", [32, True, "GhostBottleneck", "SE"]]]
    found = model_graph(written(model(*rows, head=[[1], 1, "Detect", ["nc"]]), tmp_path), 64)
    stage = found.graph.node("1")
    assert (stage.words, stage.note, stage.plugin) == ("C2f ×3", "GhostBottleneck + SE", True)
    assert found.graph.node("0").note == "3×3 /2"
    assert found.graph.node("2").note == "boxes, 3 classes"


def test_an_entangled_model_is_still_drawn_clearly(tmp_path: Path) -> None:
    rows = [[-1, 1, "Conv", [8, 3, 2]] if i % 3 == 0 else [-1, 1, "Conv", [8, 3, 1]] for i in range(9)]
    rows += [[[0, 1, 2], 1, "Concat", [1]], [[3, 4, 5, -1], 1, "CBFuse", [[0, 0, 0]]]]
    rows[-1:] = [
        [5, 1, "Conv", [8, 1]],
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 1, 2, 0], 1, "Concat", [1]],
    ]
    rows += [[-1, 1, "Conv", [8, 3, 4]], [[-1, 6, 7, 8], 1, "Concat", [1]]]
    graph = folded(model_graph(written(model(*rows, head=[[-1, 13, 5], 1, "Detect", ["nc"]]), tmp_path), 64).graph)
    scene = arranged(graph)
    assert_clear(scene)
    assert_whole(graph, scene)


def inside(name: str, *chosen: str) -> list[Graph]:
    found = model_graph(name)
    return [detail.graph for detail in details(found.layers, list(chosen), found.channels, found.imgsz)]


def test_details_show_a_rows_inner_structure_one_level_deep() -> None:
    stage, bottleneck, head = inside("yolov8s-ghost.yaml", "C2fGhost", "GhostBottleneck", "22")
    titles = [node.words for node in stage.nodes]
    assert titles == ["input", "GhostConv", "split", "GhostBottleneck", "concatenate", "GhostConv", "output"]
    assert [node.title for node in bottleneck.nodes] == ["input", "GhostConv", "GhostConv", "add", "output"]
    skips = {(edge.source, edge.target) for edge in bottleneck.edges}
    add = bottleneck.nodes[3].key
    assert {source for source, target in skips if target == add} == {bottleneck.nodes[0].key, bottleneck.nodes[2].key}
    # Box branch and class branch, once for all three levels.
    assert [node.words for node in head.nodes if node.kind == "conv"] == ["3×3 ×2", "1×1", "3×3 ×2", "1×1"]


def test_heads_that_take_text_are_drawn_inside_as_well() -> None:
    attention, head = inside("yolov8n-world.yaml", "ImagePoolingAttn", "23")
    titles = [node.title for node in attention.nodes]
    assert titles.count("matrix product") == 2
    ends = {edge.source for edge in attention.edges}
    assert {node.key for node in attention.nodes if node.kind != "output"} <= ends
    assert "ContrastiveHead" in [node.title for node in head.nodes]


def test_a_figure_is_the_same_bytes_again_in_each_format(tmp_path: Path) -> None:
    for suffix, begins in ((".svg", b"<?xml"), (".pdf", b"%PDF"), (".png", b"\x89PNG")):
        files = [tmp_path / f"{i}{suffix}" for i in range(2)]
        for file in files:
            assert main(["draw", "yolov8n-cls.yaml", "-o", str(file), "--detail", "C2f"]) == 0
        assert files[0].read_bytes() == files[1].read_bytes()
        assert files[0].read_bytes().startswith(begins)
    assert_legible(tmp_path / "0.svg")


def test_the_picture_in_the_docs_is_current(tmp_path: Path) -> None:
    docs = Path(__file__).parents[1] / "docs"
    command = "yolo-plugins draw yolov8n-ghost.yaml --detail C2fGhost GhostBottleneck -o docs/draw.svg"
    assert command in (docs / "draw.md").read_text(encoding="utf-8")
    fresh = tmp_path / "draw.svg"
    assert main([*command.split()[1:-1], str(fresh)]) == 0
    texts = [re.findall("<!-- (.*) -->", file.read_text(encoding="utf-8")) for file in (fresh, docs / "draw.svg")]
    assert texts[0] == texts[1], f"run: {command}"
    assert texts[0].count("C2fGhost") == 6


def test_a_block_is_drawn_as_figure_and_a_model_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "block.svg"
    assert main(["draw", "ShuffleUnit", "24", "48", "--s", "2", "--g", "2", "-o", str(file)]) == 0
    assert_legible(file)
    capsys.readouterr()
    assert main(["draw", "yolov8n-ghost.yaml"]) == 0
    text = capsys.readouterr().out
    for part in (
        "flowchart TD",
        '4["4: C2fGhost ×2"]',
        "6 -->|128×40×40| 11",
        "class 2,3,4,5,6,7,8,12",
        "15 -->|64×80×80| 22",
    ):
        assert part in text


SENTENCES = {
    "yolov8n-gost.yaml -o f.svg": "did you mean yolov8n-ghost.yaml",
    "yolov8n.yaml -o f.jpg": "f.jpg must end in .svg, .pdf or .png",
    "yolov8n.yaml -o missing/f.svg": "the folder of missing/f.svg does not exist",
    "yolov8n.yaml -o f.svg --detail C2g": "no block of the model is called so; did you mean C2f",
    "yolov8n.yaml -o f.svg --detail 99": "--detail 99: the model has rows 0 to 22",
    "yolov8n.yaml -o f.svg --detail Concat": "nothing is inside a Concat",
    "yolov8n.yaml --detail C2f": "--detail is for figures",
    "yolov8n.yaml -o f.svg --lang fr": "--lang fr: there are en and zh",
    "yolov8n.yaml --imgsz 33": "imgsz=33 must be a multiple of 32",
    "yolov8n.yaml 64 --k 3": "says something of a block, and yolov8n.yaml is a model",
    "GhostConv 64 --detail 3": "--detail and --imgsz are for models",
}


@pytest.mark.parametrize("given", SENTENCES)
def test_what_cannot_be_drawn_is_said_in_a_sentence(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["draw", *given.split()]) == 1
    said = capsys.readouterr()
    assert SENTENCES[given] in said.err
    assert said.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture
def fresh_font_search() -> None:
    words.chinese_font.cache_clear()
    yield
    words.chinese_font.cache_clear()


def a_font(file: Path, characters: str) -> None:
    """A font whose every glyph is a square."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(corner)
    pen.closePath()
    glyph = pen.glyph()
    names = [".notdef", *(f"u{ord(c):04X}" for c in characters)]
    font = FontBuilder(1000)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(c): f"u{ord(c):04X}" for c in characters})
    font.setupGlyf(dict.fromkeys(names, glyph))
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(file)


@pytest.mark.usefixtures("fresh_font_search")
def test_chinese_words_are_written_in_an_installed_font_that_has_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    latin = "".join(map(chr, range(32, 127))) + "×·²"
    a_font(tmp_path / "some.ttf", latin + words.NEEDED[:-1])
    a_font(tmp_path / "whole.ttf", latin + words.NEEDED)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(tmp_path / n) for n in ("some.ttf", "whole.ttf")])
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    monkeypatch.setattr(words, "find_spec", lambda name: None)
    draw_model("yolov8n-ghost.yaml", tmp_path / "zh.svg", ["C2fGhost", "22"], language="zh")
    assert words.chinese_font() == tmp_path / "whole.ttf"
    assert not [str(w.message) for w in recwarn if "lyph" in str(w.message)]
    text = (tmp_path / "zh.svg").read_text()
    assert "<!-- 主干网络 -->" in text
    assert "<!-- Backbone -->" not in text
    assert "<!-- C2fGhost -->" in text


@pytest.mark.usefixtures("fresh_font_search")
def test_without_a_font_for_chinese_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    monkeypatch.setattr(words, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    ttf = [font for font in font_manager.fontManager.ttflist if "DejaVu" in font.name]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", ttf)
    assert main(["draw", "yolov8n.yaml", "-o", "figure.svg", "--lang", "zh"]) == 1
    said = capsys.readouterr().err
    assert "apt install fonts-noto-cjk" in said
    assert "pip install mplfonts" in said
    assert not list(tmp_path.iterdir())
