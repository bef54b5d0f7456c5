"""Networks that others trained, and that stay as they are."""
