"""Plans made before the run, as objects and as files."""
