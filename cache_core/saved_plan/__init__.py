"""Plans made beforehand, as objects and as files."""
