"""The experiment mnist-softmax, in each framework."""
