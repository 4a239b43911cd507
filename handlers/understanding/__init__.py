"""Who stands where in a photo and what they wear: parse map, key points, surface parts."""
