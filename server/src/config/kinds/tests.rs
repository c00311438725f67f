use rstest::rstest;

use super::super::document;
use super::super::source::Source;
use super::*;

/// What a kind reads from a value of TOML.
fn read<K: Kind>(kind: &K, toml: &str) -> Option<K::Value> {
    let value = document::toml_value(toml, &Source::Unset).unwrap().value;
    kind.read("x", &value).ok()
}

#[rstest]
#[case("true", Some(true))]
#[case("'TRUE'", Some(true))]
#[case("'yes'", Some(true))]
#[case("'On'", Some(true))]
#[case("1", Some(true))]
#[case("'false'", Some(false))]
#[case("'FALSE'", Some(false))]
#[case("'no'", Some(false))]
#[case("'off'", Some(false))]
#[case("0", Some(false))]
#[case("'maybe'", None)]
#[case("2", None)]
#[case("''", None)]
#[case("1.0", None)]
#[case("[true]", None)]
fn booleans_mean_what_they_say(#[case] value: &str, #[case] expected: Option<bool>) {
    assert_eq!(read(&Flag, value), expected);
}

#[rstest]
#[case("17", Some(17))]
#[case("'17'", Some(17))]
#[case("'0017'", Some(17))]
#[case("17.0", Some(17))]
#[case("1e1", Some(10))]
#[case("1.5", None)]
#[case("true", None)]
#[case("'seventeen'", None)]
#[case("0", None)]
#[case("101", None)]
#[case("inf", None)]
#[case("nan", None)]
fn integers_are_whole_and_in_range(#[case] value: &str, #[case] expected: Option<i64>) {
    let percentage = Integer {
        from: 1,
        to: 100,
        what: "a percentage",
    };
    assert_eq!(read(&percentage, value), expected);
}

#[rstest]
#[case("5", Some(5_000))]
#[case("0", Some(0))]
#[case("1.5", Some(1_500))]
#[case("'0.25'", Some(250))]
#[case("'5'", Some(5_000))]
#[case("31536000", Some(31_536_000_000))]
#[case("31536001", None)]
#[case("-1", None)]
#[case("-0.5", None)]
#[case("inf", None)]
#[case("nan", None)]
#[case("1e300", None)]
#[case("'soon'", None)]
#[case("true", None)]
#[case("[1]", None)]
fn seconds_have_fractions_and_an_end(#[case] value: &str, #[case] milliseconds: Option<u128>) {
    let read = |zero| read(&Seconds { zero }, value).map(|duration| duration.as_millis());
    assert_eq!(read(true), milliseconds);
    assert_eq!(read(false), milliseconds.filter(|milliseconds| *milliseconds > 0));
}

#[test]
fn zero_seconds_are_off() {
    assert_eq!(read(&SecondsOrOff, "0"), Some(None));
    assert_eq!(read(&SecondsOrOff, "0.0"), Some(None));
    assert_eq!(read(&SecondsOrOff, "1"), Some(Some(Duration::from_secs(1))));
    assert_eq!(read(&SecondsOrOff, "'off'"), None);
}

#[rstest]
#[case("'abc'", Some("abc"))]
#[case("' abc '", Some("abc"))]
#[case("'@none'", Some("@none"))]
#[case("12", Some("12"))]
#[case("''", None)]
#[case("' '", None)]
#[case("['a']", None)]
fn texts_are_not_empty(#[case] value: &str, #[case] expected: Option<&str>) {
    assert_eq!(read(&Text { what: "a text" }, value), expected.map(str::to_owned));
}

#[rstest]
#[case("'a.b-c'", Some("a.b-c"))]
#[case("'[::1]'", Some("::1"))]
#[case("'::'", Some("::"))]
#[case("'grpc://a'", None)]
#[case("'a:1'", None)]
fn hosts_have_neither_scheme_nor_port(#[case] value: &str, #[case] expected: Option<&str>) {
    assert_eq!(read(&Host, value), expected.map(str::to_owned));
}

#[rstest]
#[case("'one'", Some(1))]
#[case("' two '", Some(2))]
#[case("'One'", None)]
#[case("1", None)]
fn choices_are_exact(#[case] value: &str, #[case] expected: Option<i32>) {
    assert_eq!(read(&Choice(&[("one", 1), ("two", 2)]), value), expected);
}

#[rstest]
#[case("'a'", Some(vec!["a"]))]
#[case("['a', 'b']", Some(vec!["a", "b"]))]
#[case("[]", Some(vec![]))]
#[case("['']", None)]
#[case("{a = 1}", None)]
fn one_text_is_a_list(#[case] value: &str, #[case] expected: Option<Vec<&str>>) {
    let expected = expected.map(|texts| texts.into_iter().map(str::to_owned).collect());
    assert_eq!(read(&Texts { what: "a text" }, value), expected);
}
