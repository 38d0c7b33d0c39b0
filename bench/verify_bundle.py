"""How fast a bundle is verified, against `sha256sum` reading the same file.

    python bench/verify_bundle.py [MEGABYTES]

Writes a bundle of that size (default 1000) in chunks of 8 MiB, then times `lucid-verify` and `sha256sum`,
each as its own process on the same file, and takes the peak of memory. Target: ≥0.7 × the speed of sha256sum;
under 200 MB at any size (try 4000).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lucid_proof.bundle import BundleWriter
from lucid_proof.testing import a_session

CHUNK = 8 * 1024 * 1024
ROUNDS = 3


def build(path: Path, megabytes: int) -> Path:
    """A bundle of random chunks, each other than the last, and its trust.json beside it."""
    session = a_session()
    count = max(1, megabytes * 1_000_000 // CHUNK)
    content = bytearray(os.urandom(CHUNK))
    records = []
    with BundleWriter(path) as writer:
        for index in range(count):
            content[:8] = index.to_bytes(8, "big")
            record = session.chunk(bytes(content), lasts_ms=10)
            session.chunks[-1] = (record, b"")
            writer.add_chunk(record, content)
            records.append(record)
        session.closed()
        writer.finish(session.evidence(), session.blocks(records), session.log.checkpoint())
    path.with_suffix(".json").write_text(json.dumps(session.policy.to_json()))
    return path


def run(command: list[str | Path]) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of the fastest of three runs."""
    best = (float("inf"), 0.0)
    for _ in range(ROUNDS):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command[0]} ended with {process.returncode}")
        best = min(best, (time.perf_counter() - start, usage.ru_maxrss / 1000))
    return best


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("megabytes", nargs="?", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lucid-bench-") as directory:
        bundle = build(Path(directory) / "bench.lucid", options.megabytes)
        size = bundle.stat().st_size
        verify = Path(sys.executable).with_name("lucid-verify")
        summed, _ = run([shutil.which("sha256sum") or "sha256sum", bundle])
        verified, peak = run([verify, bundle, "--trust", bundle.with_suffix(".json")])
    ratio = summed / verified
    print(f"bundle of {size / 1e6:,.0f} MB, {os.cpu_count()} CPUs, best of {ROUNDS}")
    print(f"{'':<16}{'seconds':>9}{'MB/s':>8}{'× sha256sum':>13}{'peak MB':>9}")
    print(f"{'sha256sum':<16}{summed:>9.2f}{size / summed / 1e6:>8.0f}{1:>13.2f}")
    print(f"{'lucid-verify':<16}{verified:>9.2f}{size / verified / 1e6:>8.0f}{ratio:>13.2f}{peak:>9.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
