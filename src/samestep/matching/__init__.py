"""Do two programs train the same network, apart from rounding? Align, synchronise, observe, judge, run freely."""

from samestep.matching.match import match, match_each

__all__ = ["match", "match_each"]
