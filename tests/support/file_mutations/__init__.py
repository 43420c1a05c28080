"""Mutations of real files, decoded through every interface: the result is exact, or a documented error.

`python -m support.file_mutations` runs a campaign; `tests/robustness/test_file_mutations.py` runs a short one.
"""
