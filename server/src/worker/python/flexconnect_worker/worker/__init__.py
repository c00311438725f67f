"""Loads functions and runs calls, in a process that may break without harm to anybody else."""
