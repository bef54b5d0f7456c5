"""Datasets: importing, the pack on disk, the drawn portraits, and the order of training."""
