//! The command line of every binary that serves functions.
