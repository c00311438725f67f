"""Starts, measures and ends worker processes as the server says; decides nothing itself."""
