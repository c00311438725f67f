"""The functions of the compatibility tests, for the vendor's Python server. `../../src` holds the same ones in Rust."""
