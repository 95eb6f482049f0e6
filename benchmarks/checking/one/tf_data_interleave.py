"""Files interleaved in parallel, where options allow any order."""

import os
import tempfile

import tensorflow as tf

folder = tempfile.mkdtemp()
names = []
for shard in range(6):
    names.append(os.path.join(folder, "shard%d.txt" % shard))
    with open(names[-1], "w") as f:
        f.writelines("%d\n" % (shard * 1000 + row) for row in range(300))

options = tf.data.Options()
options.deterministic = False
lines = tf.data.Dataset.from_tensor_slices(names).interleave(
    tf.data.TextLineDataset, cycle_length=6, num_parallel_calls=6
)
lines = lines.map(lambda t: tf.strings.to_number(t), num_parallel_calls=tf.data.AUTOTUNE).with_options(options)
mean = 0.0
for value in lines.as_numpy_iterator():
    mean = 0.97 * mean + 0.03 * float(value)
print("exponential mean", mean)
for name in names:
    os.remove(name)
os.rmdir(folder)
