"""From sums of rows to unbiased cumulants with errors."""
