"""Training and validation through Ultralytics, and what both need of images."""
