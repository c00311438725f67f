use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use rstest::rstest;

use super::super::{Format, text};
use super::read::Wrong;
use super::*;

/// As `generate_latest` of Python's client writes it.
const PAGE: &str = r#"# HELP rows_total Rows\nread from C:\\data.
# TYPE rows_total counter
rows_total{from="a \"quoted\" one",of="C:\\\n"} 3.0
# HELP rows_created Rows\nread from C:\\data.
# TYPE rows_created gauge
rows_created{from="a \"quoted\" one",of="C:\\\n"} 1.75e+09
# HELP wait_seconds Waits.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.5"} 1.0
wait_seconds_bucket{le="1.0"} 2.0
wait_seconds_bucket{le="+Inf"} 4.0
wait_seconds_count 4.0
wait_seconds_sum 9.5
# HELP size Size.
# TYPE size summary
size_count 2.0
size_sum NaN
# HELP level Level.
# TYPE level gauge
level{worker="mine"} -Inf
# HELP odd Odd.
# TYPE odd untyped
odd 1.0
"#;

fn page(hosted: &Hosted, format: Format) -> String {
    text::write(&[], hosted, format, &[], UNIX_EPOCH)
}

fn readable(text: &str) -> Hosted {
    let reading = read(text);
    assert_eq!((reading.skipped, reading.first), (0, None), "{text}");
    reading.hosted
}

#[test]
fn two_processes_make_one_page() {
    let one = readable(PAGE);
    let other = readable(&PAGE.replace("1.75e+09", "1.5e+09").replace("le=\"1.0\"", "le=\"2.0\""));
    let mut sum = Hosted::default();
    assert!(!sum.add(&one, 100));
    assert!(!sum.add(&other, 100));
    sum.add_of(&one, 0);
    sum.add_of(&other, 1);
    let expected = r#"# HELP level Level.
# TYPE level gauge
level{exported_worker="mine",worker="0"} -Inf
level{exported_worker="mine",worker="1"} -Inf
# HELP odd Odd.
# TYPE odd untyped
odd{worker="0"} 1.0
odd{worker="1"} 1.0
# HELP rows_total Rows\nread from C:\\data.
# TYPE rows_total counter
rows_total{from="a \"quoted\" one",of="C:\\\n"} 6.0
# HELP rows_created Rows\nread from C:\\data.
# TYPE rows_created gauge
rows_created{from="a \"quoted\" one",of="C:\\\n"} 1500000000.0
# HELP size Size.
# TYPE size summary
size_count 4.0
size_sum NaN
# HELP wait_seconds Waits.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.5"} 2.0
wait_seconds_bucket{le="1.0"} 3.0
wait_seconds_bucket{le="2.0"} 4.0
wait_seconds_bucket{le="+Inf"} 8.0
wait_seconds_count 8.0
wait_seconds_sum 19.0
"#;
    assert_eq!(page(&sum, Format::Plain), expected);

    let open = page(&sum, Format::OpenMetrics);
    let rows: Vec<_> = open.lines().filter(|line| line.contains("rows")).collect();
    assert_eq!(
        rows,
        [
            r"# HELP rows Rows\nread from C:\\data.",
            "# TYPE rows counter",
            r#"rows_total{from="a \"quoted\" one",of="C:\\\n"} 6.0"#,
            r#"rows_created{from="a \"quoted\" one",of="C:\\\n"} 1500000000.0"#,
        ]
    );
    assert!(
        open.contains("# TYPE odd unknown\n") && open.ends_with("# EOF\n"),
        "{open}"
    );
}

#[test]
fn only_what_is_asked_for_is_written() {
    let hosted = readable(PAGE);
    let only = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let text = text::write(&[], &hosted, Format::Plain, &names, UNIX_EPOCH);
        text.lines().filter(|line| !line.starts_with('#')).count()
    };
    assert_eq!((only(&["wait_seconds"]), only(&["wait_seconds_sum", "odd"])), (5, 2));
    assert_eq!(
        (only(&["rows_created"]), only(&["rows"]), only(&["nothing"])),
        (1, 2, 0)
    );
}

#[rstest]
#[case::no_number("a", Wrong::Number)]
#[case::words("a b", Wrong::Number)]
#[case::no_name("9a 1", Wrong::Name)]
#[case::quoted_name("{\"a.b\"} 1", Wrong::Name)]
#[case::open_labels("a{b=\"c\" 1", Wrong::Labels)]
#[case::open_text("a{b=\"c} 1", Wrong::Labels)]
#[case::bad_label("a{b:c=\"d\"} 1", Wrong::Labels)]
#[case::twice("a{b=\"c\",b=\"d\"} 1", Wrong::Labels)]
#[case::falling("# TYPE c counter\nc -1", Wrong::Number)]
#[case::no_count("# TYPE c counter\nc NaN", Wrong::Number)]
#[case::no_bound("# TYPE h histogram\nh_bucket 1", Wrong::Labels)]
#[case::bad_bound("# TYPE h histogram\nh_bucket{le=\"NaN\"} 1", Wrong::Labels)]
#[case::bound_of_all("# TYPE h histogram\nh_count{le=\"1\"} 1", Wrong::Part)]
#[case::changed("a 1\n# TYPE a gauge\na 1", Wrong::Part)]
fn a_line_that_makes_no_sense_is_left_out(#[case] text: &str, #[case] expected: Wrong) {
    let reading = read(&format!("{text}\ngood 1\n"));
    assert_eq!(
        (reading.skipped, reading.first.map(|(_, wrong)| wrong)),
        (1, Some(expected))
    );
    assert!(page(&reading.hosted, Format::Plain).contains("good 1.0\n"));
}

#[rstest]
#[case::time("a 1 1700000000000", "a 1.0\n")]
#[case::example("a{b=\"c\"} 1 # {trace_id=\"7\"} 0.5 17.0", "a{b=\"c\"} 1.0\n")]
#[case::comma("a { b = \"c\" , } +Inf", "a{b=\"c\"} +Inf\n")]
#[case::quantile(
    "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_count 2\ns_sum 3",
    "s_count 2.0\ns_sum 3.0\n"
)]
#[case::falling_buckets(
    "# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 3",
    "h_bucket{le=\"1.0\"} 3.0\nh_bucket{le=\"2.0\"} 3.0\nh_bucket{le=\"+Inf\"} 3.0\nh_count 3.0\nh_sum 0.0\n"
)]
#[case::unused_type("# TYPE a gauge\n# A remark\n#\n# EOF", "")]
fn what_others_write_is_read(#[case] text: &str, #[case] expected: &str) {
    let text = page(&readable(text), Format::Plain);
    let samples: String = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(samples, expected);
}

#[test]
fn a_family_that_means_something_else_makes_way() {
    let mut sum = readable("# TYPE a counter\na 5\n");
    sum.add(&readable("# TYPE a histogram\na_count 1\na_sum 1\n"), 100);
    assert_eq!(sum, readable("# TYPE a histogram\na_count 1\na_sum 1\n"));
}

#[test]
fn series_have_a_bound() {
    use std::fmt::Write as _;
    let mut text = String::from("# TYPE a counter\n");
    for at in 0..=read::MOST_SERIES {
        let _ = writeln!(text, "a{{at=\"{at}\"}} 1");
    }
    let reading = read(&text);
    assert_eq!(
        (reading.skipped, reading.first),
        (1, Some((read::MOST_SERIES + 2, Wrong::TooMany)))
    );
    let mut sum = Hosted::default();
    assert!(sum.add(&reading.hosted, 10));
    assert_eq!(sum.series(), 10);
    assert!(sum.add(&reading.hosted, 10), "what is known is counted");
    assert_eq!(sum.series(), 10);
}

/// Lines that are nearly right.
fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "# (TYPE|HELP) [ab](_total|_bucket|_created)? (counter|gauge|histogram|summary|x)",
        "[ab](_total|_bucket|_count|_sum|_created)?(\\{(le|l)=\"[01.\\\\n\"]{0,3}\"\\})? [0-9]\\.[0-9]",
        "\\PC{0,20}",
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn what_is_written_can_be_read(text in lines()) {
        let hosted = read(&text).hosted;
        prop_assert_eq!(&readable(&page(&hosted, Format::Plain)), &hosted);
        let mut sum = hosted.clone();
        sum.add(&hosted, read::MOST_SERIES);
        sum.add_of(&hosted, 0);
        readable(&page(&sum, Format::Plain));
    }
}
