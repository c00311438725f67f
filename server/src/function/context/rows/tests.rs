use std::sync::Arc;

use arrow::array::{
    Date32Array, Date64Array, DictionaryArray, Float64Array, Int64Array, LargeStringArray, ListArray, StringArray,
    StringViewArray, TimestampMicrosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{Int8Type, Int64Type};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

/// Which of the rows, by number, pass these filters on the only column, `n`.
fn passing(values: ArrayRef, timezone: &str, filters: &Value) -> Vec<usize> {
    let context = json!({
        "executionType": "REPORT", "organizationId": "org", "workspaceId": "ws", "userId": "u",
        "timestamp": "2025-03-30T12:00:00Z", "timezone": timezone, "filters": filters,
    });
    let context = ExecutionContext::from_json(&context).expect("a good context");
    let numbers = Int64Array::from_iter_values(0..i64::try_from(values.len()).expect("few"));
    let rows =
        RecordBatch::try_from_iter([("n", values), ("row", Arc::new(numbers) as ArrayRef)]).expect("two columns");
    let rows = context.filter_rows(&rows, last_part).expect("filters that apply");
    let numbers = rows["row"].as_primitive::<Int64Type>().values();
    numbers
        .iter()
        .map(|&number| usize::try_from(number).expect("a row"))
        .collect()
}

fn listed(kind: &str, values: &Value) -> Value {
    json!({"filterType": format!("{kind}AttributeFilter"), "labelIdentifier": "Table.n", "values": values})
}

fn days(from: &str, to: &str) -> Value {
    json!({"filterType": "absoluteDateFilter", "datasetIdentifier": "n", "from": from, "to": to})
}

fn texts() -> Vec<ArrayRef> {
    let texts = [Some("a"), None, Some("b"), Some("B")];
    vec![
        Arc::new(StringArray::from_iter(texts)),
        Arc::new(LargeStringArray::from_iter(texts)),
        Arc::new(StringViewArray::from_iter(texts)),
        Arc::new(texts.into_iter().collect::<DictionaryArray<Int8Type>>()),
    ]
}

#[rstest]
#[case(json!([]), &[0, 1, 2, 3])]
#[case(json!([listed("positive", &json!(["a", null]))]), &[0, 1])]
#[case(json!([listed("negative", &json!(["a", null]))]), &[2, 3])]
#[case(json!([listed("negative", &json!([])), listed("positive", &json!(["b", "a"]))]), &[0, 2])]
#[case(json!([{"filterType": "matchAttributeFilter", "labelIdentifier": "n", "matchType": "CONTAINS", "literal": "b"}]), &[2, 3])]
#[case(json!([{"filterType": "matchAttributeFilter", "labelIdentifier": "n", "matchType": "ENDS_WITH", "literal": "b", "caseSensitive": true, "negate": true}]), &[0, 1, 3])]
#[case(json!([{"filterType": "matchAttributeFilter", "labelIdentifier": "n", "matchType": "SOUNDS_LIKE", "literal": "x"}]), &[0, 1, 2, 3])]
#[case(json!([{"filterType": "positiveAttributeFilter", "labelIdentifier": "another", "values": []}]), &[0, 1, 2, 3])]
fn text_is_filtered_however_it_is_stored(#[case] filters: Value, #[case] expected: &[usize]) {
    for values in texts() {
        let kind = values.data_type().clone();
        assert_eq!(passing(values, "UTC", &filters), expected, "{kind}");
    }
}

#[test]
fn numbers_are_compared_as_text() {
    let values = || Arc::new(Int64Array::from(vec![Some(1), Some(12), None]));
    assert_eq!(
        passing(values(), "UTC", &json!([listed("positive", &json!(["12"]))])),
        [1]
    );
}

#[test]
fn what_is_no_text_and_no_date_is_left_to_gooddata() {
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)]), None]);
    let filters = json!([listed("positive", &json!([])), days("2025-01-01", "2025-01-01")]);
    let floats = Float64Array::from(vec![1.0]);
    assert_eq!(
        passing(Arc::new(floats), "UTC", &json!([days("2025-01-01", "2025-01-01")])),
        [0]
    );
    assert_eq!(passing(Arc::new(lists), "UTC", &filters), [0, 1]);
}

const DAY: i64 = 86_400;
/// 2025-03-30, when clocks in Prague went from two to three.
const SUNDAY: i64 = 20_177;

#[test]
fn dates_and_clock_readings_lie_in_the_range() {
    let filter = json!([days("2025-03-30", "2025-03-30")]);
    let dates = [SUNDAY - 1, SUNDAY, SUNDAY + 1].map(|day| i32::try_from(day).ok());
    let dates: Date32Array = dates.into_iter().chain([None]).collect();
    assert_eq!(passing(Arc::new(dates), "Europe/Prague", &filter), [1]);
    let moments = [
        SUNDAY * DAY - 1,
        SUNDAY * DAY,
        (SUNDAY + 1) * DAY - 1,
        (SUNDAY + 1) * DAY,
    ];
    let millis = Date64Array::from_iter_values(moments.map(|second| second * 1000));
    assert_eq!(passing(Arc::new(millis), "Europe/Prague", &filter), [1, 2]);
    let readings = TimestampMicrosecondArray::from_iter_values(moments.map(|second| second * 1_000_000));
    assert_eq!(passing(Arc::new(readings), "Europe/Prague", &filter), [1, 2]);
}

#[test]
fn instants_are_seen_from_the_time_zone_of_the_context() {
    // The day has 23 hours in Prague: from 23:00 UTC to 22:00 UTC.
    let (start, end) = (SUNDAY * DAY - 3600, SUNDAY * DAY + 22 * 3600);
    let instants =
        TimestampSecondArray::from_iter_values([start - 1, start, end - 1, end]).with_timezone("America/New_York");
    assert_eq!(
        passing(
            Arc::new(instants),
            "Europe/Prague",
            &json!([days("2025-03-30", "2025-03-30")])
        ),
        [1, 2]
    );
}

#[test]
fn all_time_holds_every_instant() {
    let filter = json!([{"filterType": "relativeDateFilter", "datasetIdentifier": "n", "granularity": "ALL_TIME_GRANULARITY", "from": 0, "to": 0}]);
    let instants = TimestampSecondArray::from_iter_values([-100_000_000_000, 0, 100_000_000_000]).with_timezone("UTC");
    assert_eq!(passing(Arc::new(instants), "UTC", &filter), [0, 1, 2]);
}

#[test]
fn identifiers_end_with_the_column() {
    assert_eq!(last_part("Sales.region"), Some("region"));
    assert_eq!(last_part("region"), Some("region"));
    assert_eq!(last_part("Sales."), None);
}
