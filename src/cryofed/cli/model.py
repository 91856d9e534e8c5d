"""The option `--model`, the same everywhere: a model, or a federation's folder; a release must be signed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cryofed.errors import InputError


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model and whom it is trusted from."""
    parser.add_argument(
        "--model",
        type=Path,
        help="another model than the one that CryoFed ships, its folder or model.onnx: a release of your "
        "federation, which is checked against its signature, or your own with --own-model; a federation's "
        "folder means the release in use there",
    )
    add_trust(parser)
    parser.add_argument(
        "--own-model", action="store_true", help="the model is your own: no signature is asked for"
    )


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Whose releases are trusted."""
    parser.add_argument(
        "--trust",
        type=Path,
        default=Path("site"),
        metavar="FOLDER",
        help="folder of your site, or of your own federation: its coordinator's releases are trusted "
        "(default: %(default)s)",
    )
    parser.add_argument("--older", action="store_true", help="a release older than the one in use is wanted")


def checked_model(options: argparse.Namespace) -> Path | None:
    """The model that was asked for, None for the one that ships.

    Raises:
        InputError: it is not signed by the pinned key, was changed, or is older than the one in use.
    """
    if options.model is None:
        return None
    model = _file_of(options.model)
    if options.own_model:
        return model
    if not model.is_file():
        raise InputError(model, "model", "no such file", "give a model.onnx that CryoFed wrote")
    if model.name != "model.onnx":
        raise InputError(model, "model", "no release", "say --own-model if this model is your own")
    checked_release(model.parent, options)
    return model


def _file_of(path: Path) -> Path:
    """The model.onnx that is meant: the file itself, that of its folder, or of the release in use."""
    if (path / "releases" / "current").is_file():
        from cryofed.federation.releases.store import current_number

        path = path / "releases" / f"{current_number(path / 'releases'):04d}"
    return path / "model.onnx" if path.is_dir() else path


def checked_release(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What a release's statement says, after it was checked under the key that `--trust` pins."""
    from cryofed.federation.engines.remote.agreeing import consent_of
    from cryofed.federation.engines.remote.homes import SiteHome
    from cryofed.federation.releases.signing import SIGNED, check_release, own_signer
    from cryofed.federation.releases.store import current_number
    from cryofed.federation.site.trusted import trusted_release

    site = SiteHome(options.trust)
    own = own_signer(options.trust)
    if own:
        in_use = None if options.older else current_number(options.trust / "releases")
        return check_release(folder, own, in_use or 0)
    if site.invitation.exists():
        signer = consent_of(site).coordinator
        return trusted_release(folder, signer, site.agreement, older=options.older)
    if not (folder / SIGNED).exists():
        check_release(folder, "")  # says that it is not signed
    raise InputError(
        options.trust, "--trust", "no key is pinned there", "name your site's folder, or say --own-model"
    )
