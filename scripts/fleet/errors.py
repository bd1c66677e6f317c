"""The error of bad input."""


class InputError(Exception):
    """Something given cannot be used. The message is one line, which names it."""
