"""Editing: faces of a trained generator, changed by meaning, mixed, and found for photographs."""
