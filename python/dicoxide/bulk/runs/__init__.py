"""Runs of the command line: jobs into arrays on disk, with a journal of what is done and what has failed."""
