"""What the order of steps is worth: five ways to batch, side by side, on an emulated device."""
