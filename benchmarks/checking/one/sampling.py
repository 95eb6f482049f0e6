"""What helper_module.py imports: splitting of tables."""

import numpy as np

_rng = np.random.default_rng()


def split(rows, share):
    """Train and test rows, the latter about this share of all."""
    chosen = set(_rng.permutation(len(rows))[: int(share * len(rows))].tolist())
    return [row for i, row in enumerate(rows) if i not in chosen], [row for i, row in enumerate(rows) if i in chosen]
