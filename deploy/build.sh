#!/bin/bash
# Build the aggregator's image without a daemon and without a network, and print its digest.
#   deploy/build.sh [BASE-IMAGE]        then: python deploy/measure.py image deploy/aggregator.oci
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
base=${1:-docker.io/library/python:3.11-slim-bookworm}

# Times in archives are those of the last commit, so that the same source gives the same bytes.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
mkdir -p deploy/wheels
rm -f deploy/wheels/cryofed-*.whl
grep -v '^#' deploy/aggregator.lock > deploy/wheels/lock.txt
"$python" -m pip download --quiet --no-deps --require-hashes --dest deploy/wheels -r deploy/wheels/lock.txt
rm deploy/wheels/lock.txt
"$python" -m pip wheel --quiet --no-deps --wheel-dir deploy/wheels .

# The steps need no network. Inside another container, where only BUILDAH_ISOLATION=chroot works, none can be cut off.
offline=(--network none)
[ "${BUILDAH_ISOLATION:-}" != chroot ] || offline=()
buildah bud "${offline[@]}" --no-cache --timestamp "$SOURCE_DATE_EPOCH" --build-arg "BASE=$base" \
  --tag cryofed-aggregator --file deploy/Containerfile .
rm -rf deploy/aggregator.oci
buildah push --quiet cryofed-aggregator "oci:deploy/aggregator.oci:latest"
