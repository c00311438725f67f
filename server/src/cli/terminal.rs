//! What is said to people on a terminal, beside what commands print.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

/// Says something on stderr. It changes no outcome that nobody hears it.
pub(super) fn say(text: &impl fmt::Display) {
    let text = harmless(&text.to_string());
    let _ = writeln!(io::stderr(), "{text}");
}

/// A text without control characters, which could do anything to a terminal; lines stay lines.
pub(super) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && letter != '\n' {
            // A String takes everything.
            let _ = write!(shown, "{}", letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_elsewhere_do_not_write_to_the_terminal() {
        assert_eq!(harmless("two\nlines, \u{1b}[2Jž"), "two\nlines, \\u{1b}[2Jž");
    }
}
