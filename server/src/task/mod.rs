//! Tasks: the state machine, the bounded executor and the store of results.
