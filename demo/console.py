"""What the demo says while several commands run at once: lines that stay, and one that is written over."""

from __future__ import annotations

import sys
import threading


class Console:
    """Prints lines for several threads; on a terminal a last line tells how far each of them is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, str] = {}

    def say(self, text: str) -> None:
        """A line that stays, printed at once, so that a log shows how far things are."""
        with self._lock:
            self._clear()
            print(text, flush=True)
            self._show()

    def running(self, what: str, state: str) -> None:
        """How far something is; shown on terminals only."""
        with self._lock:
            self._running[what] = state
            self._clear()
            self._show()

    def done(self, what: str) -> None:
        """Something is no longer running; its last state stays as a line."""
        with self._lock:
            self._clear()
            if state := self._running.pop(what, ""):
                print(f"   {what}: {state}", flush=True)
            self._show()

    def _clear(self) -> None:
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)

    def _show(self) -> None:
        if sys.stdout.isatty() and self._running:
            print("   " + " · ".join(f"{what}: {state}" for what, state in self._running.items()), end="", flush=True)
