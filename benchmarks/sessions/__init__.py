"""What sessions cost, and what they outlive."""
