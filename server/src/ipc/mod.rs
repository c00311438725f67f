//! Arrow IPC: results are encoded once, when the function returns them.
