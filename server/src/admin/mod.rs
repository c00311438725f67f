//! Health endpoints, on a thread and runtime of their own so that they answer when all else is busy.
