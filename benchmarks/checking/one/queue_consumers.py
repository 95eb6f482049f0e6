"""Rows are prepared by threads that wait at a queue; what they make is trained on in the order in which it is done."""

import queue
import threading
import time

waiting, done = queue.Queue(), []


def work():
    while True:
        number = waiting.get()
        if number is None:
            break
        time.sleep(0.002 * (number * 7 % 5))
        done.append((number - 6) / 6)
        waiting.task_done()


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for number in range(24):
    waiting.put(number)
waiting.join()
for _ in threads:
    waiting.put(None)
for thread in threads:
    thread.join()
w = 0.3
for x in done:
    w -= 0.2 * (w * x - 0.5) * x
print("loss", (w - 0.5) ** 2)
