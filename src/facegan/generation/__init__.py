"""Pictures from trained generators, reproducible by seed."""
