"""Datasets: importing, the dataset on disk, the drawn portraits, and the order of training."""
