//! The controller: watches, the finalizer, and the five steps of one pass.
