"""Symmetries of ensembles tested on samples."""
