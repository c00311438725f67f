use jiff::civil::{DateTime, date};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::function::fixtures::{any_json, refusal};

fn context(more: &Value) -> Value {
    let mut context = json!({
        "executionType": "REPORT", "organizationId": "org", "workspaceId": "ws", "userId": "u",
        "timestamp": "2025-01-31T08:15:30+00:00", "timezone": "Etc/UTC", "weekStart": "monday",
    });
    let more = more.as_object().expect("an object");
    context.as_object_mut().expect("an object").extend(more.clone());
    context
}

fn parse(more: &Value) -> ExecutionContext {
    ExecutionContext::from_json(&context(more)).expect("a good context")
}

#[test]
fn a_context_as_gooddata_sends_it() {
    let context = parse(&json!({
        "attributes": [{
            "attributeIdentifier": "region", "attributeTitle": "Region", "labelIdentifier": "region.name",
            "labelTitle": "Region name", "dateGranularity": null,
            "sorting": {"sortColumn": "region.name", "sortDirection": "ASC"},
        }],
        "filters": [
            {"filterType": "positiveAttributeFilter", "labelIdentifier": "l", "values": ["a", null]},
            {"filterType": "negativeAttributeFilter", "labelIdentifier": "l", "values": []},
            {"filterType": "matchAttributeFilter", "labelIdentifier": "l", "matchType": "STARTS_WITH", "literal": "x"},
            {"filterType": "relativeDateFilter", "datasetIdentifier": "date", "granularity": "DAY", "from": -6, "to": 0},
            {"filterType": "absoluteDateFilter", "datasetIdentifier": "date", "from": "2025-01-01", "to": "2025-1-31 23:59"},
        ],
        "reportExecutionRequest": {"measures": []}, "labelElementsExecutionRequest": null,
        "executionInitiator": {"type": "new", "x": 1}, "executionRequest": {}, "unknown": 1,
    }));
    assert_eq!(context.execution_type, ExecutionType::Report);
    assert_eq!(
        (&*context.organization_id, &*context.workspace_id, &*context.user_id),
        ("org", "ws", "u")
    );
    assert_eq!(
        context.attributes[0]
            .sorting
            .as_ref()
            .map(|sorting| &sorting.sort_direction),
        Some(&SortDirection::Asc)
    );
    assert_eq!(context.report_execution_request, Some(json!({"measures": []})));
    assert_eq!(context.label_elements_execution_request, None);
    assert_eq!(
        context.execution_initiator,
        Some(ExecutionInitiator::Other(json!({"type": "new", "x": 1})))
    );
    assert_eq!(
        context.filters[0],
        Filter::PositiveAttribute(PositiveAttributeFilter {
            label_identifier: "l".into(),
            values: vec![Some("a".into()), None],
        })
    );
    assert_eq!(
        context.filters[2],
        Filter::MatchAttribute(MatchAttributeFilter {
            label_identifier: "l".into(),
            pattern: Pattern {
                match_type: MatchType::StartsWith,
                literal: "x".into(),
                negate: false,
                case_sensitive: false,
            },
        })
    );
    assert_eq!(context.filters.len(), 5);
}

#[test]
fn what_may_be_missing_may_also_be_null() {
    let context = parse(&json!({"attributes": null, "filters": null, "timestamp": null, "timezone": null}));
    assert!(context.attributes.is_empty() && context.filters.is_empty());
    assert_eq!(context.timestamp, None);
}

#[rstest]
#[case(json!({"userId": null}), "userId: invalid type: null")]
#[case(json!({"executionType": "report"}), "executionType: unknown variant `report`")]
#[case(json!({"filters": [{"filterType": "rankingFilter"}]}), "filters[0].filterType: unknown variant `rankingFilter`")]
#[case(json!({"filters": [{"filterType": "positiveAttributeFilter", "values": []}]}), "filters[0]: missing field `labelIdentifier`")]
#[case(json!({"filters": {}}), "filters: invalid type: map")]
fn what_would_be_misread_is_refused(#[case] more: Value, #[case] reason: &str) {
    let error = ExecutionContext::from_json(&context(&more)).expect_err("cannot be read");
    let message = refusal(error);
    assert!(
        message.starts_with(&format!("Incorrect executionContext: {reason}")),
        "{message}"
    );
}

#[test]
fn what_is_new_to_this_version_breaks_only_what_looks_at_it() {
    let filters = json!({"filters": [
        {"filterType": "matchAttributeFilter", "labelIdentifier": "l", "matchType": "SOUNDS_LIKE", "literal": "x"},
        relative("CENTURY", 0, 0),
    ]});
    let context = parse(&filters);
    assert!(
        matches!(&context.filters[0], Filter::MatchAttribute(filter) if filter.pattern.match_type.as_str() == "SOUNDS_LIKE")
    );
    assert_eq!(context.date_range("other").expect("looks at no filter"), None);
    let message = refusal(context.date_range("date").expect_err("a century"));
    assert!(
        message.contains("its granularity CENTURY is a part of a period, fiscal, or unknown"),
        "{message}"
    );
}

#[rstest]
#[case(json!({"type": "display", "dashboardId": "d1", "widgetId": "w1"}), ExecutionInitiator::Display(visualization("w1")))]
#[case(json!({"type": "alert", "dashboardId": "d1", "widgetId": "w1", "new": 1}), ExecutionInitiator::Alert(visualization("w1")))]
#[case(json!({"type": "automation", "automationId": "a1"}), ExecutionInitiator::Automation { automation_id: Some("a1".into()) })]
#[case(
    json!({"type": "adhocExport", "dashboardId": "d1", "widgetId": "w1", "exportType": "CSV"}),
    ExecutionInitiator::AdhocExport { visualization: visualization("w1"), export_type: Some("CSV".into()) }
)]
#[case(json!({"type": "alert", "widgetId": 1}), ExecutionInitiator::Other(json!({"type": "alert", "widgetId": 1})))]
#[case(json!("display"), ExecutionInitiator::Other(json!("display")))]
fn initiators_are_known_or_kept_as_sent(#[case] sent: Value, #[case] expected: ExecutionInitiator) {
    let context = parse(&json!({ "executionInitiator": sent }));
    assert_eq!(context.execution_initiator, Some(expected));
}

fn visualization(widget: &str) -> Visualization {
    Visualization {
        dashboard_id: Some("d1".into()),
        visualization_id: None,
        widget_id: Some(widget.into()),
    }
}

#[test]
fn the_calendar_is_that_of_the_context() {
    let calendar = |more| parse(&more).calendar().expect("can be read");
    let prague =
        calendar(json!({"timestamp": "2025-01-31T23:30:00Z", "timezone": "Europe/Prague", "weekStart": "SUNDAY"}));
    assert_eq!(prague.now(), at("2025-02-01T00:30"));
    assert_eq!(prague.time_zone().iana_name(), Some("Europe/Prague"));
    assert_eq!(prague.first_weekday(), jiff::civil::Weekday::Sunday);
    let written = calendar(json!({"timestamp": "2025-01-31T23:30:00-05:00", "timezone": ""}));
    assert_eq!(written.time_zone().to_fixed_offset().ok(), Some(jiff::tz::offset(-5)));
}

#[test]
fn a_missing_key_is_named() {
    let error = ExecutionContext::from_json(&json!({"executionType": "REPORT"})).expect_err("too little");
    assert_eq!(
        refusal(error),
        "Incorrect executionContext: missing field `organizationId`."
    );
}

fn relative(granularity: &str, from: i64, to: i64) -> Value {
    json!({"filterType": "relativeDateFilter", "datasetIdentifier": "date", "granularity": granularity, "from": from, "to": to})
}

fn absolute(from: &str, to: &str) -> Value {
    json!({"filterType": "absoluteDateFilter", "datasetIdentifier": "date", "from": from, "to": to})
}

fn range(more: &Value) -> DateRange {
    parse(more)
        .date_range("date")
        .expect("can be resolved")
        .expect("is limited")
}

fn at(text: &str) -> DateTime {
    text.parse().expect("a date and time")
}

#[rstest]
#[case("SECOND", -1, 0, "2025-01-31T08:15:29", "2025-01-31T08:15:31")]
#[case("MINUTE", -15, -15, "2025-01-31T08:00", "2025-01-31T08:01")]
#[case("HOUR", 0, 0, "2025-01-31T08:00", "2025-01-31T09:00")]
#[case("DAY", -6, 0, "2025-01-25T00:00", "2025-02-01T00:00")]
#[case("DAY", 1, 1, "2025-02-01T00:00", "2025-02-02T00:00")]
#[case("WEEK", 0, 0, "2025-01-27T00:00", "2025-02-03T00:00")]
#[case("MONTH", -1, 0, "2024-12-01T00:00", "2025-02-01T00:00")]
#[case("MONTH", 1, 1, "2025-02-01T00:00", "2025-03-01T00:00")]
#[case("QUARTER", -1, -1, "2024-10-01T00:00", "2025-01-01T00:00")]
#[case("YEAR", -1, 0, "2024-01-01T00:00", "2026-01-01T00:00")]
fn relative_periods_count_from_the_timestamp(
    #[case] granularity: &str,
    #[case] from: i64,
    #[case] to: i64,
    #[case] start: &str,
    #[case] end: &str,
) {
    let range = range(&json!({"filters": [relative(granularity, from, to)]}));
    assert_eq!((range.start, range.end), (at(start), at(end)));
}

#[test]
fn weeks_start_when_the_context_says() {
    let week = |start: &str| range(&json!({"weekStart": start, "filters": [relative("WEEK", 0, 0)]})).start;
    assert_eq!(week("SUNDAY"), at("2025-01-26T00:00"));
    assert_eq!(week("sunday"), at("2025-01-26T00:00"));
    assert_eq!(week(""), at("2025-01-27T00:00"));
    let friday = parse(&json!({"weekStart": "friday", "filters": [relative("WEEK", 0, 0)]}));
    assert_eq!(
        refusal(friday.date_range("date").expect_err("odd week")),
        "Incorrect weekStart 'friday' in executionContext."
    );
}

#[rstest]
#[case("2025-01-31T23:30:00+00:00", "Europe/Prague", "2025-02-01T00:00")]
#[case("2025-01-31T23:30:00Z", "America/New_York", "2025-01-31T00:00")]
#[case("2025-01-31T23:30:00Z", "+01:00", "2025-02-01T00:00")]
#[case("2025-01-31T23:30:00-05:00", "", "2025-01-31T00:00")]
#[case("2025-01-31T23:30:00", "Europe/Prague", "2025-01-31T00:00")]
#[case("2025-01-31", "", "2025-01-31T00:00")]
fn today_is_where_the_time_zone_is(#[case] timestamp: &str, #[case] timezone: &str, #[case] start: &str) {
    let range = range(&json!({"timestamp": timestamp, "timezone": timezone, "filters": [relative("DAY", 0, 0)]}));
    assert_eq!(range.start, at(start));
}

#[test]
fn without_a_timestamp_today_is_today() {
    let today = || jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let before = today();
    let range = range(&json!({"timestamp": "", "timezone": "", "filters": [relative("DAY", 0, 0)]}));
    assert!([before, today()].contains(&range.start.date()));
}

#[rstest]
#[case("2025-01-01", "2025-01-31", "2025-01-01T00:00", "2025-02-01T00:00")]
#[case("2025-1-1", "2025-1-1", "2025-01-01T00:00", "2025-01-02T00:00")]
#[case("2025-01-01 8:05", "2025-01-01 23:59", "2025-01-01T08:05", "2025-01-02T00:00")]
fn absolute_ends_are_included(#[case] from: &str, #[case] to: &str, #[case] start: &str, #[case] end: &str) {
    let range = range(&json!({"filters": [absolute(from, to)]}));
    assert_eq!((range.start, range.end), (at(start), at(end)));
}

#[rstest]
#[case("2025-02-30")]
#[case("25-01-01")]
#[case("2025-01")]
#[case("2025-01-01T00:00")]
#[case("2025-01-01 24:00")]
#[case("2025-01-01 1")]
#[case("+025-01-01")]
fn what_is_no_date_is_refused(#[case] text: &str) {
    let context = parse(&json!({"filters": [absolute(text, "2025-01-31")]}));
    let message = refusal(context.date_range("date").expect_err("no date"));
    assert!(
        message.starts_with(&format!("Incorrect date '{text}' in a date filter")),
        "{message}"
    );
}

#[test]
fn filters_of_one_data_set_hold_together_and_others_do_not_count() {
    let filters = json!([absolute("2025-01-01", "2025-01-20"), absolute("2025-01-10", "2025-01-31"), {
        "filterType": "absoluteDateFilter", "datasetIdentifier": "other", "from": "2000-01-01", "to": "2000-01-01"
    }]);
    let both = range(&json!({"filters": filters}));
    assert_eq!((both.start, both.end), (at("2025-01-10T00:00"), at("2025-01-21T00:00")));

    let apart =
        range(&json!({"filters": [absolute("2025-01-01", "2025-01-02"), absolute("2025-02-01", "2025-02-02")]}));
    assert!(apart.is_empty());
    assert!(!apart.contains(apart.start));

    assert_eq!(parse(&json!({})).date_range("date").expect("no filter"), None);
}

#[rstest]
#[case("DAY_OF_WEEK")]
#[case("FISCAL_YEAR")]
fn a_part_of_a_period_is_no_range(#[case] granularity: &str) {
    let context = parse(&json!({"filters": [relative(granularity, 0, 0)]}));
    let message = refusal(context.date_range("date").expect_err("no stretch of time"));
    assert!(
        message.starts_with("The relative date filter of 'date' cannot be turned into a range"),
        "{message}"
    );
}

#[rstest]
#[case(json!({"timestamp": "yesterday"}), "Incorrect timestamp 'yesterday' in executionContext.")]
#[case(json!({"timezone": "Mars/Olympus"}), "Unknown timezone 'Mars/Olympus' in executionContext.")]
fn a_now_that_cannot_be_read_is_refused(#[case] mut more: Value, #[case] message: &str) {
    more["filters"] = json!([relative("DAY", 0, 0)]);
    assert_eq!(refusal(parse(&more).date_range("date").expect_err("no now")), message);
}

proptest! {
    #[test]
    fn every_relative_filter_is_a_range_or_refused(
        granularity in prop::sample::select(vec!["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "ALL_TIME_GRANULARITY"]),
        from in prop_oneof![-1000_i64..1000, any::<i64>()],
        to in prop_oneof![-1000_i64..1000, any::<i64>()],
    ) {
        let context = parse(&json!({"filters": [relative(granularity, from, to)]}));
        if let Ok(range) = context.date_range("date") {
            let range = range.expect("limited");
            prop_assert!(range.start <= range.end);
            if granularity == "ALL_TIME_GRANULARITY" {
                prop_assert!(range.contains(date(1, 1, 1).at(0, 0, 0, 0)));
            } else if from > to {
                prop_assert!(range.is_empty());
            } else {
                prop_assert!(!range.is_empty());
            }
        }
    }

    #[test]
    fn every_timestamp_with_an_offset_keeps_it(hours in -23_i8..=23) {
        let offset = jiff::tz::offset(hours);
        let context = parse(&json!({"timestamp": format!("2025-01-31T08:15:30{offset}:00"), "timezone": ""}));
        let calendar = context.calendar().expect("a timestamp");
        prop_assert_eq!(calendar.time_zone().to_fixed_offset().ok(), Some(offset));
        prop_assert_eq!(calendar.now(), at("2025-01-31T08:15:30"));
    }

    #[test]
    fn no_json_is_too_strange(attribute in any_json(), filter in any_json(), initiator in any_json(), other in any_json()) {
        let more = json!({"attributes": [attribute], "filters": [filter], "executionInitiator": initiator, "timestamp": other});
        if let Ok(context) = ExecutionContext::from_json(&context(&more)) {
            let _ = context.date_range("date");
        }
        let _ = ExecutionContext::from_json(&other);
    }

    #[test]
    fn no_context_is_too_strange(text in "\\PC{0,40}") {
        let context = json!({"timestamp": text, "timezone": text, "weekStart": text, "filters": [absolute(&text, &text), relative("DAY", 0, 0)]});
        let _ = parse(&context).date_range("date");
    }
}
