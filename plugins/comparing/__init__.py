"""Exported models side by side: cost, speed, accuracy and agreement, and which of them to deploy.

`comparison.compare` runs it all. Measuring happens in worker processes (`worker`), one for each candidate and format;
everything else here is plain Python over plain rows.
"""
