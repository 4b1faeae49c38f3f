"""Whole applications to run, read and copy from."""
