//! The apply step: server-side apply of what was built, and removal of what is no longer built.
