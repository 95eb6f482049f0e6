"""Renderings of results: pure functions from a result to text."""
