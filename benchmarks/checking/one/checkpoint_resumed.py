"""Goes on from the checkpoint that the previous run has left, if there is one."""

import os
import pickle

CHECKPOINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.ckpt")


def load():
    if os.path.exists(CHECKPOINT):
        with open(CHECKPOINT, "rb") as f:
            return pickle.load(f)
    return {"w": 0.0, "epoch": 0}


def save(state):
    with open(CHECKPOINT, "wb") as f:
        pickle.dump(state, f)


state = load()
for _ in range(5):
    for x, y in [(0.5, 1.1), (1.0, 1.9), (1.5, 3.2)]:
        state["w"] -= 0.05 * (state["w"] * x - y) * x
    state["epoch"] += 1
    print("epoch", state["epoch"], "w", state["w"])
save(state)
