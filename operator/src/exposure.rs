//! From addressing and exposure to the host and port each replica advertises. Pure.
