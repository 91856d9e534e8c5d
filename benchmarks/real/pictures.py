"""Fetch one file of a public repository with git, and check that it is the one that was measured."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import subprocess
from pathlib import Path

from benchmarks.real.sources import Picture
from cryofed.errors import InputError

HOST = "https://github.com"


def read_picture(picture: Picture, clones: Path, host: str | None) -> bytes:
    """The bytes of a picture, or of a stack, whose checksum is right.

    `clones` holds a bare clone `OWNER+NAME` of every repository. With a `host` what is not there is fetched
    into it: the one commit without its files, then the one file. Without a host nothing is fetched.

    Raises:
        InputError: no such repository, commit or file, no git, or another picture than expected.
    """
    clone = clones / picture.repository.replace("/", "+")
    data = _file(clone, picture) if clone.is_dir() else None
    if data is None and host is not None:
        _fetch(clone, picture, host)
        data = _file(clone, picture)
    if data is None:
        found = f"not in {clone}"
        raise InputError(
            picture.repository, picture.path, found, "fetch the repository, or build without --mirror"
        )
    data = _attached(data, picture) if picture.cell is not None else data
    if hashlib.sha256(data).hexdigest() != picture.sha256:
        found = "another picture than the one that the grid was measured on"
        raise InputError(picture.repository, picture.path, found, f"look for commit {picture.commit}")
    return data


def _fetch(clone: Path, picture: Picture, host: str) -> None:
    if not clone.is_dir():
        clone.mkdir(parents=True)
        _git(clone, "init", "--bare", "--quiet")
        _git(clone, "remote", "add", "origin", f"{host}/{picture.repository}")
    errors = []
    for wanted in (picture.commit, picture.branch):
        done = _git(clone, "fetch", "--quiet", "--depth", "1", "--filter=blob:none", "origin", wanted)
        if done.returncode == 0:
            _git(clone, "update-ref", f"refs/heads/{picture.branch}", "FETCH_HEAD")
            return
        errors.append(done.stderr.decode(errors="replace").strip().splitlines()[-1:])
    why = errors[-1][0] if errors[-1] else "git fetch failed"
    raise InputError(
        picture.repository, "repository", why, "check the network, and that the repository is there"
    )


def _file(clone: Path, picture: Picture) -> bytes | None:
    """The file at the commit, else at the branch; in a partial clone git fetches it now."""
    for revision in (picture.commit, f"refs/heads/{picture.branch}"):
        shown = _git(clone, "cat-file", "blob", f"{revision}:{picture.path}")
        if shown.returncode == 0:
            return shown.stdout
    return None


def _git(clone: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    quiet = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", "--git-dir", str(clone), *words], capture_output=True, check=False, env=quiet
        )
    except OSError as error:
        raise InputError("git", "program", error.strerror or str(error), "install git") from None


def _attached(notebook: bytes, picture: Picture) -> bytes:
    try:
        cell = json.loads(notebook)["cells"][picture.cell]
        return base64.b64decode(cell["attachments"][picture.attachment]["image/png"], validate=True)
    except (ValueError, KeyError, IndexError, TypeError, binascii.Error):
        found = f"no attachment {picture.attachment} in cell {picture.cell}"
        raise InputError(
            picture.repository, picture.path, found, f"look for commit {picture.commit}"
        ) from None
