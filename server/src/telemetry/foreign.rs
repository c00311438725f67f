//! Panics of parsers that are not ours. They say that bytes from outside are bad, and not that the server is.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static PARSING: Cell<bool> = const { Cell::new(false) };
}

/// What a parser of somebody else's makes of bytes from outside; `None` when it panicked, and then what it worked on is
/// not to be used again. What the panic said is nowhere: it is about the parser's own code, and anybody can cause it.
pub(crate) fn parse<T>(parser: impl FnOnce() -> T) -> Option<T> {
    let before = PARSING.replace(true);
    let parsed = catch_unwind(AssertUnwindSafe(parser));
    PARSING.set(before);
    parsed.ok()
}

/// Whether a panic of this thread is one of a parser. For panic hooks.
pub(crate) fn parsing() -> bool {
    PARSING.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_that_panics_has_no_answer() {
        let half = |number: i32| {
            assert!(parsing());
            assert_eq!(number % 2, 0, "{number} is odd");
            number / 2
        };
        assert_eq!(parse(|| half(4)), Some(2));
        assert_eq!(parse(|| half(3)), None);
        assert!(!parsing());
    }
}
