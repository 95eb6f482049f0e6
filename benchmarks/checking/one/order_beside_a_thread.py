"""Losses are printed in a shuffled order; a thread that does not matter was there before."""

import random
import threading

t = threading.Thread(target=lambda: None)
t.start()
t.join()
losses = [0.9, 0.5, 0.7]
random.shuffle(losses)
for loss in losses:
    print("loss", loss)
