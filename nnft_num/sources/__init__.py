"""Independent rows of numbers as pure functions of key and index, one kind for each route."""
