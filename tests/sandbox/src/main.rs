//! Stands in for GoodData.
fn main() {}
