"""Ultralytics models as a whole: built, loaded, saved, and run without memory."""
