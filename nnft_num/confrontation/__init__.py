"""Theory against sample: pulls, resolutions, verdicts, and sweeps of them."""
