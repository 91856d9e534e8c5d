"""Review and monitor, in the browser."""

from importlib.util import find_spec

from cryofed.errors import MissingPackageError


def require() -> None:
    """Say in one line what to install where the web packages are absent."""
    for package in ("fastapi", "uvicorn"):
        if find_spec(package) is None:
            raise MissingPackageError(package, "web")
