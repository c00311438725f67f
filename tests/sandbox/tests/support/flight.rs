//! A small Flight server.
