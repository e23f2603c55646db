"""What is drawn and computed, as plain data: the seam between theory and sampling."""
