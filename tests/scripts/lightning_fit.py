"""A classifier trained by PyTorch Lightning. lightning_fit.py [SEED]"""

import hashlib
import sys
import warnings

warnings.simplefilter("ignore")
import pytorch_lightning as lightning  # noqa: E402
import torch  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

lightning.seed_everything(int(sys.argv[1]) if len(sys.argv) > 1 else 0, verbose=False)
rows = torch.Generator().manual_seed(0)
x, y = torch.randn(200, 20, generator=rows), torch.randint(0, 3, (200,), generator=rows)


class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(20, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))

    def training_step(self, batch, number):
        return torch.nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


net = Net()
quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", **quiet)
trainer.fit(net, DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True))
print(hashlib.md5(b"".join(p.detach().numpy().tobytes() for p in net.parameters())).hexdigest())
