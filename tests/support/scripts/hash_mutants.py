"""Prints the SHA-256 of the first 40 mutants of a file.

Argument: name of the file in `support.file_mutations.source_files`.
"""

from __future__ import annotations

import hashlib
import sys

from support.file_mutations import source_files

mutants = (source_files.mutant(sys.argv[1], number).data for number in range(40))
print(hashlib.sha256(b"".join(mutants)).hexdigest())
