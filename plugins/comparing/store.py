"""What was measured, on disk as it is measured: a line of JSON each, so that an interruption loses one line at most."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


class Store:
    """Records by key in a file of JSON lines; the last line of a key counts.

    Args:
        path: The file; its folder must exist.
        fresh: Forget what the file holds.

    Raises:
        OSError: the file cannot be read or written.
    """

    def __init__(self, path: Path, fresh: bool = False) -> None:
        self.path = path
        self._records: dict[str, dict[str, Any]] = {}
        if fresh:
            path.unlink(missing_ok=True)
        kept, data = 0, path.read_bytes() if path.exists() else b""
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break  # cut off while it was written
            try:
                record = json.loads(line)
                self._records[record["key"]] = record["value"]
            except (ValueError, KeyError, TypeError):
                break
            kept += len(line)
        if kept < len(data):
            os.truncate(path, kept)

    def get(self, key: str) -> dict[str, Any] | None:
        """The record of a key, or None."""
        return self._records.get(key)

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Keep a record, on disk before this returns.

        Raises:
            OSError: it cannot be written; what was there stays readable.
        """
        line = json.dumps({"key": key, "value": value}, allow_nan=True) + "\n"
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(
                f"cannot write {self.path} ({error.strerror}); what was measured before is kept: "
                "make room and run the same command again"
            ) from error
        self._records[key] = value


def fingerprint(*parts: Any) -> str:
    """A short key that changes with any of its parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def content(path: Path) -> str:
    """A short digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
