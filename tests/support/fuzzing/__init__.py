"""Fuzzing of the Python package: for any bytes, every interface returns exact samples or raises a documented error.

`python -m support.fuzzing` is the command; `tests/robustness/test_fuzzing.py` runs the same targets on random bytes.
"""
