"""Runs kept in files, sealed and resumed."""
