"""The demo: a dataset drawn on the spot, and the ordinary `yolo` commands run on it from start to exported file."""
