"""torch.multiprocessing's children write a shared tensor without taking turns."""

import time

import torch
import torch.multiprocessing as mp


def work(rank, shared):
    for i in range(20):
        seen = shared.clone()
        time.sleep(0.001)
        shared.copy_(seen + 0.1 * (rank + 1) * torch.cos(seen + i))


if __name__ == "__main__":
    shared = torch.zeros(2).share_memory_()
    children = [mp.get_context("fork").Process(target=work, args=(rank, shared)) for rank in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print("shared", shared.tolist())
