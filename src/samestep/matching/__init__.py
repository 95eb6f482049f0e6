"""Do two programs train the same network, apart from rounding? Align, synchronise, observe, judge, run freely."""
