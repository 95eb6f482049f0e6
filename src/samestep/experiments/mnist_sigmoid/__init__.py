"""The experiment mnist-sigmoid, in each framework."""
