"""A DataLoader with workers whose generators follow from manual_seed."""

import random

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Random(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, i):
        return i + torch.rand(1).item() + np.random.rand() + random.random()


def main():
    torch.manual_seed(17)
    random.seed(17)
    for batch in DataLoader(Random(), batch_size=4, shuffle=True, num_workers=2):
        print([round(v, 6) for v in batch.tolist()])


if __name__ == "__main__":
    main()
