"""What the demo says while several commands run at once: lines that stay, and one that is written over."""

from __future__ import annotations

import sys
import threading


class Console:
    """Prints lines for several threads; on a terminal a last line tells how far each of them is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, str] = {}

    def say(self, *lines: str) -> None:
        """Lines that stay, printed at once, so that a log shows how far things are."""
        live = sys.stdout.isatty()
        with self._lock:
            print("\r\033[K" if live else "", *(f"{line}\n" for line in lines), sep="", end="")
            states = " · ".join(f"{what}: {state}" for what, state in self._running.copy().items())
            print(f"   {states}" if live and states else "", end="", flush=True)

    def running(self, what: str, state: str) -> None:
        """How far something is; shown on terminals only."""
        self._running[what] = state
        self.say()

    def done(self, what: str) -> None:
        """Something is no longer running; its last state stays as a line."""
        state = self._running.pop(what, "")
        self.say(*([f"   {what}: {state}"] if state else []))
