"""Workers of a DataLoader augment with default_rng() of their own, although torch is seeded."""

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Augmented(Dataset):
    def __init__(self, size):
        self.size = size
        self.rng = None

    def __len__(self):
        return self.size

    def __getitem__(self, i):
        if self.rng is None:
            self.rng = np.random.default_rng()
        return np.float32(i + self.rng.normal())


if __name__ == "__main__":
    torch.manual_seed(0)
    loader = DataLoader(Augmented(12), batch_size=3, num_workers=2)
    mean = torch.zeros(())
    for batch in loader:
        mean = 0.9 * mean + 0.1 * batch.mean()
    print("mean", mean.item())
