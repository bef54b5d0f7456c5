"""Pages about runs: what is read, what is drawn, and the templates that show it."""
