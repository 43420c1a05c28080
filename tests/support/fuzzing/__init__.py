"""Any bytes, through every interface of the Python package: what comes out is right or a documented error.

`python -m fuzzing` is the command; `tests/test_fuzzing.py` tries random bytes on the same targets.
"""
