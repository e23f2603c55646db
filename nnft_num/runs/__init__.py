"""Running a source over many networks: groups, executors, sums."""
