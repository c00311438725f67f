//! The validate step: all errors at once, and a fleet that cannot be wrong. Pure.
