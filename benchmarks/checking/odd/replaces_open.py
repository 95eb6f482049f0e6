"""Replaces builtins.open and os.listdir for the time of a test, and puts them back."""

import builtins
import io
import os
from unittest import mock

with mock.patch.object(os, "listdir", lambda path=".": ["b.txt", "a.txt"]):
    with mock.patch.object(builtins, "open", lambda name, *args, **kwargs: io.StringIO(name * 3)):
        texts = [open(name).read() for name in os.listdir("nowhere")]
print(texts)
with open(__file__) as f:
    print(len(f.readline()))
