"""Fuzz a target with atheris, run it on random bytes, or repeat inputs.

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

# Maximum input size of atheris.
_MAX_BYTES = 8192
# Limits of one input.
_TIMEOUT_SECONDS = 20
_MEMORY_MIB = 2560


def main() -> int:
    """Run the command; return 1 if an input failed, 3 if atheris is not installed."""
    parser = argparse.ArgumentParser(prog="python -m support.fuzzing", description=__doc__.splitlines()[0])
    parser.add_argument("target", help="name of a target, or all")
    parser.add_argument("--seconds", type=int, default=60, help="time per target")
    parser.add_argument("--random", type=int, metavar="N", help="run N random inputs, without atheris")
    parser.add_argument("--input", type=Path, nargs="+", metavar="FILE", help="run only these inputs, without atheris")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random inputs")
    parser.add_argument(
        "--folder", type=Path, default=Path("target/fuzz-python"), help="folder of seeds, corpus and failing inputs"
    )
    parser.add_argument("--list", action="store_true", help="print the names of the targets")
    arguments, atheris_options = parser.parse_known_args()
    fuzzer = _fuzzer() if arguments.random is None and not arguments.input and not arguments.list else None
    # These import dicoxide, which has to be instrumented first.
    from support.file_mutations import interfaces
    from support.fuzzing import targets

    names = list(targets.TARGETS) if arguments.target == "all" else [arguments.target]
    if arguments.list:
        print(*names)
        return 0
    if unknown := set(names) - set(targets.TARGETS):
        sys.exit(f"{unknown.pop()} is not a target; targets: {', '.join(targets.TARGETS)}")
    interfaces.prepare()
    if arguments.input:
        return max(_run_input(name, path.read_bytes()) for name in names for path in arguments.input)
    if arguments.random is not None:
        return max(_run_random(name, arguments.random, arguments.seed) for name in names)
    [name] = names if len(names) == 1 else sys.exit("atheris fuzzes one target per process")
    return _fuzz(fuzzer, name, arguments.folder / name, arguments.seconds, atheris_options)


def _fuzzer() -> Any:
    """Import atheris and the instrumented package; exit with code 3 if atheris is not installed."""
    try:
        import atheris
    except ImportError:
        print("fuzzing: atheris is not installed (pip install --group fuzz; Python 3.11 to 3.13)", file=sys.stderr)
        sys.exit(3)
    with atheris.instrument_imports(include=["dicoxide"]):
        import dicoxide

        # Modules that are imported later would not be instrumented.
        for module in pkgutil.walk_packages(dicoxide.__path__, "dicoxide."):
            if not module.name.startswith(("dicoxide.bench", "dicoxide.cli", "dicoxide.dask", "dicoxide.__main__")):
                importlib.import_module(module.name)
    return atheris


def _fuzz(atheris: Any, name: str, folder: Path, seconds: int, atheris_options: list[str]) -> int:
    from support.fuzzing import seed_inputs, targets

    seeds, corpus, failures = folder / "seeds", folder / "corpus", folder / "found"
    seed_inputs.write(name, seeds, _MAX_BYTES)
    for subfolder in (corpus, failures):
        subfolder.mkdir(parents=True, exist_ok=True)

    def test(data: bytes) -> None:
        if messages := targets.run(name, data):
            raise AssertionError("; ".join(messages))

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_MAX_BYTES}",
        f"-timeout={_TIMEOUT_SECONDS}",
        f"-rss_limit_mb={_MEMORY_MIB}",
        f"-artifact_prefix={failures}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, *atheris_options, str(corpus), str(seeds)], test)
    atheris.Fuzz()
    return 0


def _run_input(name: str, data: bytes) -> int:
    from support.fuzzing import targets

    failures = targets.run(name, data)
    for failure in failures:
        print(f"{name}: {failure}")
    return 1 if failures else 0


def _run_random(name: str, count: int, seed: int) -> int:
    """Run `count` inputs: nine of ten are seeds with some bytes changed, the others are random bytes."""
    from support.fuzzing import seed_inputs

    rng = random.Random(f"{name}:{seed}")
    seeds = list(seed_inputs.seeds(name, _MAX_BYTES))
    begin, failed = time.monotonic(), 0
    for _ in range(count):
        data = bytearray(rng.choice(seeds) if rng.random() < 0.9 else rng.randbytes(rng.randrange(200)))
        for _ in range(rng.choice((0, 1, 2, 5)) if data else 0):
            # Most changes are at the start, where the choice and headers are.
            offset = rng.randrange(min(len(data), rng.choice((4, 16, 400, _MAX_BYTES))))
            data[offset] = rng.randrange(256)
        if _run_input(name, bytes(data)):
            print(f"  input: {bytes(data).hex()}")
            failed += 1
    print(f"{name}: {count} inputs in {time.monotonic() - begin:.1f} s, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
