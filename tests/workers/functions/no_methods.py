"""A module without methods."""
