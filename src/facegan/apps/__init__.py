"""One function for each command; the command line only translates."""
