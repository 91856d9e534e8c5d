"""First of all guards: a site trains with some of its projects, and nobody else knows which.

Whoever finds out from a release what was trained with does not know what else the site has; whatever is not
found may be there all the same.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from cryofed.errors import GuardError
from cryofed.federation.site.guard.contents import content_hash
from cryofed.federation.site.guard.secret import secret_seed
from cryofed.library.labelled import Labelled


def drawn(labelled: Labelled, folder: Path | None, *, share: float, least: int) -> Labelled:
    """The averages of this share of the projects, rounded up; of more projects, where they are too few.

    The draw depends on the site's secret and on the averages, and on nothing that an order says: who asks
    again gets the same projects, until the library changes. One project alone is never left out.

    Args:
        labelled: all that the site may train with.
        folder: of the site, where its secret lies.
        share: of the projects, in (0, 1].
        least: averages. The site's own policy says how many: a plan that did could have all projects drawn.

    Raises:
        GuardError: the site keeps no folder, so it has no secret.
    """
    projects, sizes = np.unique(labelled.project, return_counts=True)
    count = math.ceil(share * len(projects))
    if count == len(projects):
        return labelled
    if folder is None:
        raise GuardError("projects", "a secret draw needs a key of the site; give the site a folder")
    chance = np.random.default_rng(secret_seed(folder, "projects", content_hash(labelled)))
    order = chance.permutation(len(projects))
    enough = int(np.searchsorted(sizes[order].cumsum(), least)) + 1
    return labelled.take(np.isin(labelled.project, projects[order[: max(count, enough)]]))
