//! Wires the parts of a server together and runs them until the end of a drain.
