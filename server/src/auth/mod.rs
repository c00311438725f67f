//! Who may call: the verifier trait and its implementations.
