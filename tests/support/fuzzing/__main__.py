"""The command: fuzz a target by atheris, try random bytes on it, or try one input again.

python -m support.fuzzing decode --seconds 600
python -m support.fuzzing all --random 500
python -m support.fuzzing plugin --input target/fuzz-python/plugin/found/crash-…
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import random
import sys
import time
from pathlib import Path
from typing import Any

# Most inputs are cut to this.
_MOST_BYTES = 8192
_SECONDS = 20
_MEMORY_MIB = 2560


def main() -> int:
    """Run what the command line says; 1 where anything failed, 3 where atheris is not there."""
    parser = argparse.ArgumentParser(prog="python -m support.fuzzing", description=__doc__.splitlines()[0])
    parser.add_argument("target", help="a name, or all")
    parser.add_argument("--seconds", type=int, default=60, help="how long, each target")
    parser.add_argument("--random", type=int, metavar="N", help="without atheris: N inputs, of random bytes")
    parser.add_argument("--input", type=Path, nargs="+", metavar="FILE", help="without atheris: only these")
    parser.add_argument("--seed", type=int, default=0, help="of random bytes")
    parser.add_argument("--folder", type=Path, default=Path("target/fuzz-python"), help="where inputs are kept")
    parser.add_argument("--list", action="store_true", help="print the names")
    arguments, more = parser.parse_known_args()
    fuzzer = _fuzzer() if arguments.random is None and not arguments.input and not arguments.list else None
    # Instrumented on import, so not before.
    from support.file_mutations import interfaces
    from support.fuzzing import targets

    names = list(targets.TARGETS) if arguments.target == "all" else [arguments.target]
    if arguments.list:
        print(*names)
        return 0
    if unknown := set(names) - set(targets.TARGETS):
        sys.exit(f"{unknown.pop()} is no target, these are: {', '.join(targets.TARGETS)}")
    interfaces.prepare()
    if arguments.input:
        return max(_try(name, path.read_bytes()) for name in names for path in arguments.input)
    if arguments.random is not None:
        return max(_try_random(name, arguments.random, arguments.seed) for name in names)
    [name] = names if len(names) == 1 else sys.exit("atheris fuzzes one target a process")
    return _fuzz(fuzzer, name, arguments.folder / name, arguments.seconds, more)


def _fuzzer() -> Any:
    """atheris, and the package instrumented for it; where it is not there, that is said."""
    try:
        import atheris
    except ImportError:
        print("fuzzing: atheris is not installed (pip install --group fuzz; Python 3.11 to 3.13)", file=sys.stderr)
        sys.exit(3)
    with atheris.instrument_imports(include=["dicoxide"]):
        import dicoxide

        # What is imported later would not be instrumented.
        for module in pkgutil.walk_packages(dicoxide.__path__, "dicoxide."):
            if not module.name.startswith(("dicoxide.bench", "dicoxide.cli", "dicoxide.dask", "dicoxide.__main__")):
                importlib.import_module(module.name)
    return atheris


def _fuzz(atheris: Any, name: str, folder: Path, seconds: int, more: list[str]) -> int:
    from support.fuzzing import seed_inputs, targets

    seeds, corpus, found = folder / "seeds", folder / "corpus", folder / "found"
    seed_inputs.write(name, seeds, _MOST_BYTES)
    for item in (corpus, found):
        item.mkdir(parents=True, exist_ok=True)

    def test(data: bytes) -> None:
        if failures := targets.run(name, data):
            raise AssertionError("; ".join(failures))

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_MOST_BYTES}",
        f"-timeout={_SECONDS}",
        f"-rss_limit_mb={_MEMORY_MIB}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, *more, str(corpus), str(seeds)], test)
    atheris.Fuzz()
    return 0


def _try(name: str, data: bytes) -> int:
    from support.fuzzing import targets

    failures = targets.run(name, data)
    for failure in failures:
        print(f"{name}: {failure}")
    return 1 if failures else 0


def _try_random(name: str, count: int, seed: int) -> int:
    """Seeds with some bytes changed, and bytes that come from nowhere."""
    from support.fuzzing import seed_inputs

    rng = random.Random(f"{name}:{seed}")
    seeds = list(seed_inputs.seeds(name, _MOST_BYTES))
    begin, failed = time.monotonic(), 0
    for _ in range(count):
        data = bytearray(rng.choice(seeds) if rng.random() < 0.9 else rng.randbytes(rng.randrange(200)))
        for _ in range(rng.choice((0, 1, 2, 5)) if data else 0):
            # What chooses, and headers, are at the beginning.
            offset = rng.randrange(min(len(data), rng.choice((4, 16, 400, _MOST_BYTES))))
            data[offset] = rng.randrange(256)
        if _try(name, bytes(data)):
            print(f"  of {bytes(data).hex()}")
            failed += 1
    print(f"{name}: {count} inputs in {time.monotonic() - begin:.1f} s, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
