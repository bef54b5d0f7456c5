"""Trained models: the file, its card, and the store that finds them by name."""
