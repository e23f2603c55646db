"""Linear maps and random networks that commute with a group."""
