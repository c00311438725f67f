//! Errors as clients see them: codes, ErrorInfo, and the one place where an error becomes a gRPC status with its trailers.
