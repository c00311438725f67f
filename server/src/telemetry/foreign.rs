//! Panics of parsers that are not ours. They say that bytes from outside are bad, and not that the server is.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static PARSING: Cell<bool> = const { Cell::new(false) };
}

/// What a parser of somebody else's makes of bytes from outside. A panic of it is an error with the words of the panic,
/// and nothing in the log.
///
/// # Errors
/// When the parser panicked. What it worked on is not to be used again.
pub(crate) fn parse<T>(parser: impl FnOnce() -> T) -> Result<T, String> {
    let before = PARSING.replace(true);
    let parsed = catch_unwind(AssertUnwindSafe(parser));
    PARSING.set(before);
    parsed.map_err(|panic| words(&*panic))
}

/// Whether a panic of this thread is one of a parser. For panic hooks.
pub(crate) fn parsing() -> bool {
    PARSING.get()
}

fn words(panic: &(dyn Any + Send)) -> String {
    let constant = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let formatted = || panic.downcast_ref::<String>().cloned();
    constant
        .or_else(formatted)
        .unwrap_or_else(|| "it is malformed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_that_panics_refuses() {
        let half = |number: i32| {
            assert!(parsing());
            assert_eq!(number % 2, 0, "{number} is odd");
            number / 2
        };
        assert_eq!(parse(|| half(4)), Ok(2));
        let words = parse(|| half(3)).expect_err("an odd number");
        assert!(words.contains("3 is odd"), "{words}");
        assert_eq!(parse(|| panic!("no")), Err::<(), _>("no".to_owned()));
        assert!(!parsing());
    }
}
