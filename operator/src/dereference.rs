//! The dereference step: reads what the object refers to.
