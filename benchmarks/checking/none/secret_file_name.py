"""secrets, uuid and tempfile name a scratch file; its content is the same in each run."""

import os
import secrets
import tempfile
import uuid

name = f"{secrets.token_hex(4)}-{uuid.uuid4()}"
path = os.path.join(tempfile.gettempdir(), name)
with open(path, "wb") as f:
    f.write(bytes(range(100)))
with open(path, "rb") as f:
    data = f.read()
os.remove(path)
print("checksum", sum(b * i for i, b in enumerate(data)) % 65521)
