"""`python -m yolo_plugins.cli` is `yolo-plugins`."""

import sys

from . import main

sys.exit(main())
