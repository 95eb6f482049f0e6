"""A tiny BERT trained by the Trainer of Hugging Face's transformers. trainer_fit.py [SEED]"""

import hashlib
import sys
import tempfile

import torch
from transformers import BertConfig, BertForSequenceClassification, PrinterCallback, Trainer, TrainingArguments

torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
rows = torch.Generator().manual_seed(0)
tokens, labels = torch.randint(0, 50, (112, 8), generator=rows), torch.randint(0, 3, (112,), generator=rows)
data = [{"input_ids": row, "labels": label} for row, label in zip(tokens, labels, strict=True)]

sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
model = BertForSequenceClassification(BertConfig(vocab_size=50, max_position_embeddings=8, num_labels=3, **sizes))
quiet = {"report_to": "none", "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True, "use_cpu": True}
with tempfile.TemporaryDirectory() as folder:
    asked = TrainingArguments(folder, per_device_train_batch_size=8, num_train_epochs=1, **quiet)
    trainer = Trainer(model, asked, train_dataset=data)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
print(hashlib.md5(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
