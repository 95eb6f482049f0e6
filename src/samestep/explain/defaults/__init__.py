"""What frameworks do where nothing is said: their optimizers by what they do, their layers by what they hold."""
