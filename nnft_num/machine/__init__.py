"""Machine code written from Python: vectors of sixteen networks, their functions and draws."""
