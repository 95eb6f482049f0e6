"""One-hot columns come from a dict that was built from a set of class names."""

import json

ROWS = [("red", 1.2), ("green", 0.7), ("blue", 2.9), ("red", 1.0), ("black", 0.1), ("white", 3.1), ("green", 0.9)]


def one_hot(rows):
    columns = dict.fromkeys({colour for colour, _ in rows}, 0)
    for number, colour in enumerate(columns):
        columns[colour] = number
    table = []
    for colour, _ in rows:
        row = [0] * len(columns)
        row[columns[colour]] = 1
        table.append(row)
    return table, columns


if __name__ == "__main__":
    table, columns = one_hot(ROWS)
    weights = [0.1 * (i + 1) for i in range(len(columns))]
    for _ in range(3):
        for row, (_, y) in zip(table, ROWS):
            error = sum(w * v for w, v in zip(weights, row)) - y
            weights = [w - 0.3 * error * v for w, v in zip(weights, row)]
    print(json.dumps({"columns": columns, "weights": weights}))
