"""os.fork, a pipe, and a child that leaves by os._exit; Python seeds its generator anew in the child, whatever the parent did."""

import os
import random

random.seed(11)
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    os.close(reader)
    os.write(writer, repr(random.random()).encode())
    os._exit(0)
os.close(writer)
with os.fdopen(reader) as f:
    print("from the child", f.read())
os.waitpid(child, 0)
print("from the parent", random.random())
