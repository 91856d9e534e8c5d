"""First of all guards: a site trains with some of its projects, and nobody else knows which.

Whoever finds out from a release what was trained with does not know what else the site has; whatever is not
found may be there all the same.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from cryofed.errors import GuardError
from cryofed.federation.agreement.rules import GuardRules
from cryofed.federation.site.guard.contents import content_hash
from cryofed.federation.site.guard.noise import secret_seed
from cryofed.library.labelled import Labelled


def drawn(labelled: Labelled, rules: GuardRules, folder: Path | None) -> Labelled:
    """The averages of `rules.project_share` of the projects, rounded up; of more, where they are too few.

    The draw depends on the site's secret and on the averages, and on nothing that an order says: who asks
    again gets the same projects, until the library changes. One project alone is never left out.

    Raises:
        GuardError: the site keeps no folder, so it has no secret.
    """
    projects, sizes = np.unique(labelled.project, return_counts=True)
    count = math.ceil(rules.project_share * len(projects))
    if count == len(projects):
        return labelled
    if folder is None:
        raise GuardError("projects", "a secret draw needs a key of the site; give the site a folder")
    chance = np.random.default_rng(secret_seed(folder, "projects", content_hash(labelled)))
    order = chance.permutation(len(projects))
    enough = int(np.searchsorted(sizes[order].cumsum(), rules.min_examples)) + 1
    return labelled.take(np.isin(labelled.project, projects[order[: max(count, enough)]]))
