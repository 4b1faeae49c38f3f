"""Measurements as paired ratios: cxkit against a floor and against peers, in turn, in one run.

``python -m benchmarks`` runs all and prints them; ``--write`` also renews ``RESULTS.md``. Machines
differ and drift: quote ratios, not times. Nothing here asserts.
"""
