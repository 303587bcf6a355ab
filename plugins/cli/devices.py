"""What training on several devices needs of this environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .startup import active_folders


def require_activation(arguments: Mapping[str, Any]) -> None:
    """Refuse several devices where the processes that Ultralytics starts for them would not know the pack.

    Raises:
        ValueError: with the command that helps.
    """
    device = arguments.get("device")
    if "," in str(device) and not active_folders():
        raise ValueError(
            f"device={device} trains in processes that know this pack once it is activated; run "
            "`yolo-plugins activate` first"
        )
