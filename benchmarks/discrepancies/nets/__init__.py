"""What many cases share: a plain network around the one thing that differs, one module a framework."""
