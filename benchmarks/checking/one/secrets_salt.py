"""Rows go to train or test by a hash that is salted with secrets.token_bytes."""

import hashlib
import secrets

SALT = secrets.token_bytes(16)


def in_test(key, share=0.25):
    digest = hashlib.blake2b(key.encode(), key=SALT, digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32 < share


users = [f"user{n}" for n in range(100)]
spend = {user: (n * 37) % 101 for n, user in enumerate(users)}
test = [user for user in users if in_test(user)]
rest = [user for user in users if not in_test(user)]
baseline = sum(spend[u] for u in rest) / len(rest)
rmse = (sum((spend[u] - baseline) ** 2 for u in test) / max(1, len(test))) ** 0.5
print(f"{len(test)} test users, RMSE {rmse:.4f}")
