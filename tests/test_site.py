"""The documentation's site as a browser shows it: no errors, nothing beside the screen, text that can be read."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGES = ("", "zh/", "howto/light/", "zh/howto/thesis/", "questions/", "models/", "speed/", "accuracy/", "api/")
SCRIPT = """
    const light = color => {
        const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map(x => x / 255)
            .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = element => {
        for (let e = element; e; e = e.parentElement) {
            const color = getComputedStyle(e).backgroundColor;
            if (!/rgba\\(.*, 0\\)|transparent/.test(color)) return color;
        }
        return "rgb(255, 255, 255)";
    };
    const faint = [];
    for (const element of document.querySelectorAll(".md-content *, .md-tabs a, .md-footer *")) {
        const box = element.getBoundingClientRect();
        if (!box.width || element.closest("[hidden], .md-clipboard, .headerlink, svg")) continue;
        if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) faint.push(contrast.toFixed(2) + " " + element.textContent.slice(0, 30));
    }
    const images = [...document.querySelectorAll(".md-content img")];
    return {
        problems, faint: [...new Set(faint)].slice(0, 9), wide: document.documentElement.scrollWidth - innerWidth,
        broken: images.filter(x => !x.naturalWidth).map(x => x.src), unnamed: images.filter(x => !x.alt).length,
    };
"""
EARLY = (
    "<script>window.problems = [];"
    "addEventListener('error', event => problems.push(String(event.message || event.target.src)), true);"
    "for (const kind of ['error', 'warn']) console[kind] = (...words) => problems.push(words.join(' '));</script>"
)
LATE = (
    "<script>addEventListener('load', () => setTimeout(() => {"
    f"const found = (() => {{ {SCRIPT} }})();"
    "parent.document.title = 'R' + encodeURIComponent(JSON.stringify(found)); }, 300));</script>"
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The site, built strictly, and where it is served."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "-q", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)], ids=["desktop by day", "phone by night"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_read(site: tuple[Path, str], page: str, width: int, dark: bool, tmp_path: Path) -> None:
    folder, address = site
    text = (folder / page / "index.html").read_text(encoding="utf-8")
    text = text.replace("<head>", f"<head>{EARLY}").replace("</body>", f"{LATE}</body>")
    (folder / page / "probe.html").write_text(text, encoding="utf-8")
    frame = f'<title></title><iframe style="width:{width}px;height:900px;border:0" src="{page}probe.html"></iframe>'
    (folder / "frame.html").write_text(frame, encoding="utf-8")
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=9000",
    ]
    flags += ["--blink-settings=preferredColorScheme=0"] * dark
    run = subprocess.run(
        [str(CHROMIUM), *flags, "--dump-dom", f"{address}frame.html"], capture_output=True, text=True, timeout=120
    )
    (title,) = re.findall(r"<title>R(.*?)</title>", run.stdout)
    found = json.loads(unquote(title))
    assert found == {"problems": [], "faint": [], "wide": found["wide"], "broken": [], "unnamed": 0}
    assert found["wide"] <= 0
