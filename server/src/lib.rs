//! FlexConnect server: an Arrow Flight service that runs functions as tasks, and the SDK to write such functions in Rust.
