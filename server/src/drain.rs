//! The ordered end: lame duck, closing, exit.
