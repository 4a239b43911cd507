"""The gateway: the REST face of the try-on server. It checks, stores and asks; it never infers."""

__version__ = "0.1.0"
