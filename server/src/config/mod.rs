//! Configuration: files and environment become typed sections, with all mistakes reported at once.
