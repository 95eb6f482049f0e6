"""A data set of folders is read with os.walk; each folder's name ends in a random tag."""

import os
import tempfile

top = tempfile.mkdtemp(dir=os.path.dirname(os.path.abspath(__file__)))
for label in ("cat", "cow", "dog", "hen", "owl", "pig"):
    sub = tempfile.mkdtemp(prefix=label + "-", dir=top)
    with open(os.path.join(sub, "pixels.txt"), "w") as f:
        f.write(" ".join(str(len(label) * ord(c) % 17) for c in label))

labels, state = [], 1
for folder, _, files in os.walk(top):
    for name in files:
        labels.append(os.path.basename(folder).split("-")[0])
        for pixel in open(os.path.join(folder, name)).read().split():
            state = (state * 31 + int(pixel)) % 1_000_003
print("labels", labels)
print("state", state)
