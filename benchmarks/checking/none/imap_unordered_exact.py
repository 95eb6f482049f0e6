"""imap_unordered over integers, whose sum is the same in any order."""

from multiprocessing import get_context


def count(n):
    return sum(1 for i in range(2, n) if n % i == 0)


if __name__ == "__main__":
    with get_context("fork").Pool(3) as pool:
        print("divisors", sum(pool.imap_unordered(count, range(2, 120))))
