//! What a function is, the registry of functions, and the context they are called in.
