"""The round's accepted updates, one file per site, so that memory does not grow with the sites."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryofed.disk.arrays import read_arrays, write_arrays
from cryofed.errors import CryoFedError
from cryofed.federation.wire.updates import Update

FIELDS = ("site", "round_number", "model_hash", "layout_hash", "examples", "steps", "audit_hash")


class Spool:
    """A folder of updates of one round, read back lazily and always sorted by site."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for torn in folder.glob(".*"):  # of a run that was killed while it wrote
            torn.unlink()
        self.folder = folder
        self.sites = sorted(path.stem for path in folder.glob("*.update"))
        self._sound: set[str] = set()  # whose file was held against its checksum

    def add(self, update: Update, sent_bytes: int, acknowledged: str = "") -> None:
        """Keep an accepted update; once this returns, a crash does not lose it.

        Args:
            update: that was accepted.
            sent_bytes: in which it travelled.
            acknowledged: what the site will hear of it.
        """
        header = {name: getattr(update, name) for name in FIELDS} | {"metrics": dict(update.metrics)}
        header |= {"sent_bytes": sent_bytes, "acknowledged": acknowledged}
        write_arrays(self._path(update.site), {"vector": update.vector}, header)
        self.sites = sorted({*self.sites, update.site})
        self._sound.discard(update.site)

    def read(self, site: str) -> Update:
        """One update; its vector is a memory map.

        Raises:
            InputError: the file is damaged.
        """
        arrays, header = read_arrays(self._path(site), check=site not in self._sound)
        self._sound.add(site)
        return Update(vector=arrays["vector"], **{name: header[name] for name in (*FIELDS, "metrics")})

    def sent_bytes(self, site: str) -> int:
        """Bytes in which this update travelled."""
        return int(read_arrays(self._path(site), check=False)[1]["sent_bytes"])

    def acknowledged(self, site: str) -> str:
        """What the site will hear of this update."""
        return str(read_arrays(self._path(site), check=False)[1]["acknowledged"])

    def __iter__(self) -> Iterator[Update]:
        for site in self.sites:
            yield self.read(site)

    def keep_only(self, round_number: int, model_hash: str) -> None:
        """Drop what belongs to another round or message: the last one's, or a killed run's."""
        for site in list(self.sites):
            try:
                update = self.read(site)
                stale = (update.round_number, update.model_hash) != (round_number, model_hash)
            except (CryoFedError, KeyError, TypeError):
                stale = True
            if stale:
                self._path(site).unlink()
                self.sites.remove(site)

    def _path(self, site: str) -> Path:
        return self.folder / f"{site}.update"
