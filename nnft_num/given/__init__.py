"""What comes from outside: fields of any program, files in pieces, data sets."""
