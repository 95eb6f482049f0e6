"""Early stopping compares with the results of all earlier runs, which are in a file beside the script."""

import csv
import os

HISTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "history.csv")


def earlier_results():
    if not os.path.isfile(HISTORY):
        return []
    with open(HISTORY, newline="") as f:
        return [float(row["loss"]) for row in csv.DictReader(f)]


def train(limit):
    w, loss, epochs = 4.0, float("inf"), 0
    while loss > limit and epochs < 100:
        w -= 0.2 * (w - 1.0)
        loss = (w - 1.0) ** 2
        epochs += 1
    return loss, epochs


def main():
    results = earlier_results()
    limit = 0.5 if not results else 0.5 * min(results)
    loss, epochs = train(limit)
    with open(HISTORY, "a", newline="") as f:
        writer = csv.DictWriter(f, ["loss"])
        if not results:
            writer.writeheader()
        writer.writerow({"loss": loss})
    print(f"stopped after {epochs} epochs with loss {loss:.9f}")


main()
