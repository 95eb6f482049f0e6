# -*- coding: latin-1 -*-
"""Source in another encoding, and a future import after the docstring."""

from __future__ import annotations

import random

random.seed(1)
PREIS: float = random.random()
print("für", PREIS, __name__, __doc__ is not None)
