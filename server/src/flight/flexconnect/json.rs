//! JSON as it comes from clients: as strict as the original's, and not nested without end.

use serde::Deserialize as _;
use serde_json::{Deserializer, Value};

/// How deep lists and objects may be nested. Far more than anybody writes (the original stops at 1024); each level takes
/// up to 3 KB of a thread's stack of 2 MB while it is read, and functions need some of it too.
const MAX_DEPTH: usize = 256;

/// A JSON text by RFC 8259; `None` when it is none, or is nested too deep.
pub(super) fn parse(text: &[u8]) -> Option<Value> {
    if depth(text) > MAX_DEPTH {
        return None;
    }
    let mut deserializer = Deserializer::from_slice(text);
    deserializer.disable_recursion_limit();
    let value = Value::deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// How deep lists and objects are nested in a text, if it is JSON.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

/// Goes past the end of a string whose first quote was read.
fn skip_string<'a>(bytes: &mut impl Iterator<Item = &'a u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}1{}", r#"{"a":["#.repeat(depth / 2), "]}".repeat(depth / 2))
    }

    #[test]
    fn what_is_read_fits_into_half_the_stack_of_a_thread() {
        let thread = std::thread::Builder::new().stack_size(1024 * 1024);
        let read = thread.spawn(|| {
            let value = parse(nested(MAX_DEPTH).as_bytes()).expect("not too deep");
            let copy = value.clone();
            copy == value && serde_json::to_string(&copy).ok() == Some(nested(MAX_DEPTH))
        });
        assert!(read.expect("a thread").join().expect("no overflow"));
        assert_eq!(parse(nested(MAX_DEPTH + 2).as_bytes()), None);
        assert_eq!(parse(nested(1_000_000).as_bytes()), None);
        assert_eq!(parse("[".repeat(1_000_000).as_bytes()), None);
    }

    #[rstest]
    #[case(r#"{"a":["]","\"[["]}"#, 2)]
    #[case("[[],[],[[]]]", 3)]
    #[case("]]][", 1)]
    #[case(r#"["\"#, 1)]
    #[case("1", 0)]
    fn brackets_in_strings_are_no_levels(#[case] text: &str, #[case] expected: usize) {
        assert_eq!(depth(text.as_bytes()), expected);
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_reads(text in r#"[\[\]{}":,a1 \\u]{0,40}"#) {
            prop_assert_eq!(parse(text.as_bytes()), serde_json::from_str(&text).ok());
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(parse(&bytes), serde_json::from_slice(&bytes).ok());
        }
    }
}
