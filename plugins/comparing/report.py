from dataclasses import dataclass
from typing import Any
import json
@dataclass(frozen=True)
class Report:
    rows: Any; models: Any; budget: Any; facts: Any; images: Any; imgsz: int
def write(report, folder):
    (folder/"results.json").write_text(json.dumps({"rows":report.rows,"facts":report.facts},indent=1))
