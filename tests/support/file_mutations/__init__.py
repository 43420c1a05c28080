"""Real files, broken in every way that a seed can say, through every interface: what comes out is exact or refused.

`python -m support.file_mutations` is the command; `tests/test_mutations.py` runs a short campaign.
"""
