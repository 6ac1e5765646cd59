"""The real programs around the tests, and the shipped files."""
