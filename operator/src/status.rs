//! The status step: what the API server answered, as conditions and endpoints.
