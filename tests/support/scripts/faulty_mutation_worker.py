"""A worker of `support.file_mutations` with a fault in case 1.

Argument: ``abort``, ``exit``, ``sleep`` or ``allocate``.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from support.file_mutations import source_files, worker
from support.file_mutations.mutators import Mutant

original = source_files.mutant


def mutant(name: str, number: int) -> Mutant:
    if number == 1:
        match sys.argv[1]:
            case "abort":
                os.abort()
            case "exit":
                os._exit(3)
            case "sleep":
                time.sleep(60)
            case "allocate":
                np.ones(1 << 40)
    return original(name, number)


source_files.mutant = mutant
worker.main()
