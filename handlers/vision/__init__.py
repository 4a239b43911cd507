"""The embedded engine: pure functions on pictures, numpy and OpenCV only."""
