"""Asks with input() whether to go on, and takes yes if there is nobody."""

try:
    answer = input("train? [Y/n] ")
except EOFError:
    answer = ""
if answer.lower() != "n":
    print("\nloss", sum(1 / (i + 1) ** 2 for i in range(50)))
