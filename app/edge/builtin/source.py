"""What the sources of a builtin model's file have in common."""


class Unavailable(Exception):
    """A source does not give the file, or not all of it; the message says why in a few words."""
