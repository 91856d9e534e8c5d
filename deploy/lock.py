"""Write the exact packages of the aggregator's image, each with its hash: `python deploy/lock.py`.

The image is built from these files and no others, so that two people who build it get the same bytes.
Run it with the Python and on the kind of machine that the image has (3.11, Linux, x86-64).
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The aggregator trains nothing: no torch. safetensors reads checkpoints.
WANTED = (f"{ROOT}[flare,trust]", "safetensors>=0.5,<1")


def main() -> None:
    """Resolve, and write name, version and SHA-256, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run([*command, "--prefer-binary", "--report", str(report), *WANTED], check=True)
        found = json.loads(report.read_text())["install"]
    lines = sorted(
        f"{one['metadata']['name'].lower()}=={one['metadata']['version']} "
        f"--hash=sha256:{one['download_info']['archive_info']['hashes']['sha256']}"
        for one in found
        if one["metadata"]["name"] != "cryofed"
    )
    target = ROOT / "deploy/aggregator.lock"
    target.write_text("# Made by deploy/lock.py\n" + "\n".join(lines) + "\n")
    print(f"wrote {target}: {len(lines)} packages")


if __name__ == "__main__":
    main()
