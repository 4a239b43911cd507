"""What can be set, room by room; `tree` is the whole of it."""
