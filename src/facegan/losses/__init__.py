"""Losses and penalties: pure functions of logits, images and networks."""
