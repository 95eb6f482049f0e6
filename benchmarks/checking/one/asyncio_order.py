"""Answers of an asynchronous labelling service are appended as they complete."""

import asyncio
import time


def label(row):
    time.sleep(0.003)
    return row, (row * 7) % 5


async def main():
    tasks = [asyncio.to_thread(label, row) for row in range(30)]
    weight = 0.0
    for task in asyncio.as_completed(tasks):
        row, answer = await task
        weight += 0.1 * (answer - weight * row / 30)
    print("weight", weight)


asyncio.run(main())
