"""Runs broken YAMLs in a process of their own, with limits on processor time, and counts how they ended."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bad_yaml import KINDS, Mutant

SECONDS = 5
"""Of processor time, which a busy machine does not change; a worker that sleeps is ended after `PATIENCE`."""
PATIENCE = 300
GOOD = ("runs", "refused")


@dataclass(frozen=True)
class End:
    """How a mutant ended: runs, refused, or something that must not be."""

    mutant: Mutant
    end: str
    message: str
    seconds: float = 0.0
    gigabytes: float = 0.0


class Worker:
    """One process, started anew after a mutant that it did not outlive."""

    def __init__(self, folder: Path) -> None:
        script = Path(__file__).with_name("bad_yaml_worker.py")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            text=True,
            env={**os.environ, "YOLO_PLUGINS": "0", "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"},
        )
        assert self.answer(120)["ready"]

    def busy(self) -> float:
        """Processor seconds that the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def answer(self, seconds: float) -> dict:
        """The next line, within so many processor seconds.

        Raises:
            TimeoutError: it takes longer.
            EOFError: the process died.
        """
        limit, end = self.busy() + seconds, time.monotonic() + PATIENCE
        while not select.select([self.process.stdout], [], [], 0.5)[0]:
            if self.busy() > limit or time.monotonic() > end:
                raise TimeoutError
        line = self.process.stdout.readline()
        if not line:
            raise EOFError
        return json.loads(line)

    def ask(self, text: str) -> dict:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(text) + "\n")
        self.process.stdin.flush()
        return self.answer(SECONDS)

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


def ends(mutants: Iterable[Mutant]) -> Iterator[End]:
    """How each mutant ends."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        worker: Worker | None = None
        try:
            for mutant in mutants:
                worker = worker or Worker(Path(folder))
                try:
                    yield End(mutant, **worker.ask(mutant.text))
                except (TimeoutError, EOFError, BrokenPipeError) as error:
                    worker.stop()
                    worker = None
                    yield End(mutant, "HANGS" if isinstance(error, TimeoutError) else "CRASHES", "")
        finally:
            if worker:
                with suppress(OSError):
                    worker.stop()


def table(found: list[End]) -> str:
    """Mutants by kind and by how they ended, as Markdown."""
    columns = [*GOOD, *sorted({end.end for end in found} - set(GOOD))]
    by_kind = Counter((end.mutant.kind, end.end) for end in found)
    total = Counter(end.end for end in found)
    lines = [f"| broken | mutants | {' | '.join(columns)} |", f"|---|--:|{'--:|' * len(columns)}"]
    for kind in KINDS:
        counts = [by_kind[kind, column] for column in columns]
        lines.append(f"| {kind} | {sum(counts)} | {' | '.join(map(str, counts))} |")
    lines.append(f"| all | {len(found)} | {' | '.join(str(total[column]) for column in columns)} |")
    return "\n".join(lines)
