"""Faster forms of convolutions, each exact, chosen by shape, precision and processor."""
