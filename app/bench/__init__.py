"""Measuring: an HTTP client for load, server processes, throw-away environments, and the arithmetic of what `foggate bench` reports."""
