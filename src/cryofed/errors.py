"""One tree of errors: what a person did or met, said in one line with the remedy."""

from __future__ import annotations

import errno
from pathlib import Path

# What a system says of a place, and a person can act on; any other OSError is our bug.
_OF_PLACES = frozenset(
    getattr(errno, name)
    for name in (
        *(
            "EACCES",
            "EDQUOT",
            "EEXIST",
            "EFBIG",
            "EIO",
            "EISDIR",
            "ELOOP",
            "EMFILE",
            "ENAMETOOLONG",
            "ENFILE",
        ),
        *("ENODEV", "ENOENT", "ENOSPC", "ENOTDIR", "ENOTEMPTY", "EPERM", "EROFS", "ESTALE", "ETXTBSY"),
    )
)


def printable(text: str) -> str:
    """One line for a terminal: what comes from a file may hold line ends, escapes or bytes of no letter."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class CryoFedError(Exception):
    """Anything that a person can act on; the command line prints it in one line and exits with 1."""


class InputError(CryoFedError):
    """A file, folder, option or message that cannot be used as it is."""

    def __init__(self, path: Path | str, field: str, found: str, remedy: str) -> None:
        super().__init__(path, field, found, remedy)

    def __str__(self) -> str:
        return printable("{}: {}: {}; {}".format(*self.args))


class OutputError(InputError):
    """A place that cannot be written, or that already holds something worth keeping."""


def of_place(error: OSError) -> OutputError | None:
    """The same in one line, where it is about a place: a full disk, a lost right, a file for a folder."""
    if (error.filename is None and error.errno != errno.ENOSPC) or error.errno not in _OF_PLACES:
        return None
    where = str(error.filename or "disk")
    remedy = "give another place, or free this one: space, rights, and what stands in its way"
    return OutputError(where, "file or folder", error.strerror or type(error).__name__, remedy)


class BusyError(CryoFedError):
    """Another process holds what this one needs for itself."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(folder, holder)

    def __str__(self) -> str:
        return "{}: process {} runs here; wait for it or give another folder".format(*self.args)


class MissingPackageError(CryoFedError):
    """An optional package is needed for this command and is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)

    def __str__(self) -> str:
        words = "{} is not installed; run, in CryoFed's source folder: python -m pip install '.[{}]'"
        return words.format(*self.args)


class TrainingError(CryoFedError):
    """A model cannot be trained or evaluated on what was given."""


class FederationError(CryoFedError):
    """A campaign, round or site cannot go on; the message says what to do."""


class CodedError(FederationError):
    """A refusal with one word for reports and counts; the code is all that travels."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)

    @property
    def code(self) -> str:
        """One word for reports and counts."""
        return str(self.args[0])

    def __str__(self) -> str:
        return "{}: {}".format(*self.args)


class WireError(CodedError):
    """Bytes from another machine that are refused; the code is all that travels back."""


class GuardError(CodedError):
    """The site's own guards refuse to train or to send; the code is all that leaves."""


class AgreementError(CodedError):
    """An order, or an answer, that the site's accepted agreement does not cover."""
