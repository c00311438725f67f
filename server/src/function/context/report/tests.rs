use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::function::context::{DateRange, ExecutionContext, Granularity, MatchType};
use crate::function::fixtures::{any_json, refusal};

fn context(report: &Value) -> ExecutionContext {
    let context = json!({
        "executionType": "REPORT", "organizationId": "org", "workspaceId": "ws", "userId": "u",
        "timestamp": "2025-01-31T08:15:30+00:00", "timezone": "Etc/UTC", "weekStart": "monday",
        "reportExecutionRequest": report,
    });
    ExecutionContext::from_json(&context).expect("a good context")
}

fn read(report: &Value) -> ReportRequest {
    context(report).report().expect("a good report").expect("a report")
}

fn object(id: &str, kind: &str) -> ObjectRef {
    ObjectRef {
        id: id.to_owned(),
        kind: kind.to_owned(),
    }
}

fn reference(id: &str, kind: &str) -> Value {
    json!({"identifier": {"id": id, "type": kind}})
}

fn filter(filter: &Value) -> ReportFilter {
    read(&json!({ "filters": [filter] })).filters.remove(0)
}

fn definition(definition: &Value) -> MetricDefinition {
    let metric = json!({"localIdentifier": "m1", "definition": definition});
    read(&json!({ "measures": [metric] })).metrics.remove(0).definition
}

fn refused(report: &Value) -> String {
    refusal(context(report).report().expect_err("cannot be read"))
}

#[test]
fn what_is_absent_is_empty() {
    for report in [
        json!({}),
        json!({"attributes": null, "measures": null, "filters": null, "auxMeasures": 1}),
    ] {
        let read = read(&report);
        assert!(read.attributes.is_empty() && read.metrics.is_empty() && read.filters.is_empty());
    }
    assert_eq!(context(&Value::Null).report().expect("no report"), None);
}

#[test]
fn attributes_have_a_label() {
    let attribute = json!({"localIdentifier": "a1", "label": reference("region.name", "label"), "showAllValues": true});
    let expected = ReportAttribute {
        local_identifier: "a1".to_owned(),
        label: object("region.name", "label"),
        show_all_values: true,
    };
    assert_eq!(read(&json!({ "attributes": [attribute] })).attributes, [expected]);
}

#[rstest]
#[case(json!({}), Some(Aggregation::Sum))]
#[case(json!({"aggregation": null}), Some(Aggregation::Sum))]
#[case(json!({"aggregation": "approximate_Count"}), Some(Aggregation::ApproximateCount))]
#[case(json!({"aggregation": "MAX", "item": reference("revenue", "metric")}), None)]
fn simple_metrics_aggregate_an_item(#[case] more: Value, #[case] aggregation: Option<Aggregation>) {
    let mut measure = json!({"item": reference("revenue", "fact")});
    let more = more.as_object().expect("an object").clone();
    measure.as_object_mut().expect("an object").extend(more);
    let MetricDefinition::Simple(metric) = definition(&json!({ "measure": measure })) else {
        panic!("a simple metric")
    };
    assert_eq!((metric.item.id.as_str(), metric.aggregation), ("revenue", aggregation));
    assert!(!metric.compute_ratio && metric.filters.is_empty());
}

#[test]
fn simple_metrics_may_filter() {
    let filters = json!([{"inline": {"filter": "{label/region} = \"West\""}}]);
    let measure = json!({"item": reference("revenue", "fact"), "computeRatio": true, "filters": filters});
    let MetricDefinition::Simple(metric) = definition(&json!({ "measure": measure })) else {
        panic!("a simple metric")
    };
    assert!(metric.compute_ratio);
    let expected = InlineFilter {
        filter: "{label/region} = \"West\"".to_owned(),
    };
    assert_eq!(metric.filters, [ReportFilter::Inline(expected)]);
}

#[test]
fn metrics_of_metrics() {
    let arithmetic =
        json!({"operator": "CHANGE", "measureIdentifiers": [{"localIdentifier": "m1"}, {"localIdentifier": "m2"}]});
    assert_eq!(
        definition(&json!({ "arithmeticMeasure": arithmetic })),
        MetricDefinition::Arithmetic(ArithmeticMetric {
            operator: ArithmeticOperator::Change,
            metrics: vec!["m1".to_owned(), "m2".to_owned()],
        })
    );
    let over_period = json!({
        "measureIdentifier": {"localIdentifier": "m1"},
        "dateAttributes": [{"attribute": reference("date.year", "attribute"), "periodsAgo": 1}],
    });
    assert_eq!(
        definition(&json!({ "overPeriodMeasure": over_period })),
        MetricDefinition::OverPeriod(OverPeriodMetric {
            metric: "m1".to_owned(),
            date_attributes: vec![PeriodAttribute {
                attribute: object("date.year", "attribute"),
                periods_ago: 1,
            }],
        })
    );
    let previous = json!({
        "measureIdentifier": {"localIdentifier": "m1"},
        "dateDatasets": [
            {"dataset": reference("date", "dataset"), "periodsAgo": 1},
            {"dataset": {"localIdentifier": "other"}, "periodsAgo": 2},
        ],
    });
    let MetricDefinition::PreviousPeriod(metric) = definition(&json!({ "previousPeriodMeasure": previous })) else {
        panic!("a previous period")
    };
    let ids: Vec<&str> = metric
        .date_datasets
        .iter()
        .map(|each| each.dataset.id.as_str())
        .collect();
    assert_eq!(ids, ["date", "other"]);
}

#[test]
fn filters_on_labels() {
    let positive =
        filter(&json!({"positiveAttributeFilter": {"label": reference("l", "label"), "in": {"values": ["a", null]}}}));
    let ReportFilter::PositiveAttribute(positive) = positive else {
        panic!("a positive filter")
    };
    assert_eq!(positive.label, Ref::Object(object("l", "label")));
    assert!(positive.lists(Some("a")) && positive.lists(None) && !positive.lists(Some("b")));

    let both = json!({"identifier": {"id": "l", "type": "label"}, "localIdentifier": "a1"});
    for (label, expected) in [
        (json!({"localIdentifier": "a1"}), Ref::Local("a1".into())),
        (both, Ref::Object(object("l", "label"))),
    ] {
        let negative = filter(
            &json!({"negativeAttributeFilter": {"label": label, "notIn": {"values": null}, "applyOnResult": true}}),
        );
        assert_eq!(
            negative,
            ReportFilter::NegativeAttribute(LabelFilter {
                label: expected,
                values: Vec::new(),
            })
        );
    }

    let matching = filter(
        &json!({"matchAttributeFilter": {"label": reference("l", "label"), "matchType": "ENDS_WITH", "literal": "X"}}),
    );
    let ReportFilter::MatchAttribute(matching) = matching else {
        panic!("a match filter")
    };
    assert_eq!(matching.pattern.match_type, MatchType::EndsWith);
    assert!(matching.pattern.passes(Some("ax")) && !matching.pattern.passes(Some("xa")));
}

fn date(more: &Value) -> DateFilter {
    let mut sent = json!({"dataset": reference("date", "dataset"), "granularity": "MONTH"});
    let more = more.as_object().expect("an object").clone();
    sent.as_object_mut().expect("an object").extend(more);
    let ReportFilter::Date(date) = filter(&json!({ "relativeDateFilter": sent })) else {
        panic!("a date filter")
    };
    date
}

fn range(filter: &DateFilter) -> Option<DateRange> {
    let calendar = context(&Value::Null).calendar().expect("a calendar");
    filter.range(&calendar).expect("a range")
}

#[test]
fn filters_on_dates() {
    let relative = date(&json!({"from": -1, "to": 0, "emptyValueHandling": "INCLUDE"}));
    assert_eq!(relative.empty_values, Some(EmptyValues::Include));
    assert_eq!(
        range(&relative),
        Some(DateRange::between("2024-12-01", "2025-01-31").expect("dates"))
    );

    let all_time = Period::AllTime {
        granularity: Some(Granularity::Month),
    };
    for incomplete in [json!({}), json!({"from": -1}), json!({"to": 0})] {
        assert_eq!(date(&incomplete).period, all_time);
    }
    let sent = json!({"allTimeDateFilter": {"dataset": reference("date", "dataset"), "emptyValueHandling": "ONLY"}});
    let ReportFilter::Date(date) = filter(&sent) else {
        panic!("a date filter")
    };
    assert_eq!((range(&date), date.empty_values), (None, Some(EmptyValues::Only)));

    let sent = json!({"absoluteDateFilter": {"dataset": reference("date", "dataset"), "from": "2025-01-01", "to": "2025-01-31"}});
    let ReportFilter::Date(date) = filter(&sent) else {
        panic!("a date filter")
    };
    assert_eq!(
        range(&date),
        Some(DateRange::between("2025-01-01", "2025-01-31").expect("dates"))
    );
}

#[rstest]
#[case(json!({"granularity": "YEAR", "from": 0}), "2025-01-01", "2025-01-31")]
#[case(json!({"granularity": "YEAR", "to": -1}), "2024-10-01", "2024-12-31")]
fn a_bound_cuts_the_range(#[case] bounded: Value, #[case] from: &str, #[case] to: &str) {
    let filter = date(&json!({"from": -3, "to": 0, "boundedFilter": bounded}));
    assert_eq!(range(&filter), Some(DateRange::between(from, to).expect("dates")));
}

#[test]
fn filters_on_metrics() {
    let metric = json!({"localIdentifier": "m1"});
    let sent = json!({"comparisonMeasureValueFilter": {
        "measure": metric, "operator": "GREATER_THAN", "value": 100, "treatNullValuesAs": 200, "dimensionality": [{"localIdentifier": "a1"}],
    }});
    let ReportFilter::MetricValue(comparison) = filter(&sent) else {
        panic!("a metric filter")
    };
    assert_eq!(comparison.metric, Ref::Local("m1".into()));
    assert_eq!(comparison.dimensionality, [Ref::Local("a1".into())]);
    assert!(comparison.passes(Some(100.5)) && comparison.passes(None) && !comparison.passes(Some(100.0)));

    let sent = json!({"rangeMeasureValueFilter": {"measure": metric, "operator": "NOT_BETWEEN", "from": 1, "to": 2}});
    let ReportFilter::MetricValue(range) = filter(&sent) else {
        panic!("a metric filter")
    };
    assert!(range.passes(Some(0.9)) && !range.passes(Some(1.0)) && !range.passes(Some(2.0)) && !range.passes(None));

    let conditions = json!([
        {"comparison": {"operator": "LESS_THAN", "value": 1}},
        {"range": {"operator": "BETWEEN", "from": 5, "to": 9}},
    ]);
    for (conditions, passing) in [(conditions, [true, false, true]), (Value::Null, [true, true, true])] {
        let sent = json!({"compoundMeasureValueFilter": {"measure": metric, "conditions": conditions}});
        let ReportFilter::MetricValue(compound) = filter(&sent) else {
            panic!("a metric filter")
        };
        assert_eq!([0.0, 2.0, 5.0].map(|value| compound.passes(Some(value))), passing);
    }

    let sent = json!({"rankingFilter": {"measures": [metric], "operator": "TOP", "value": 5}});
    let ReportFilter::Ranking(ranking) = filter(&sent) else {
        panic!("a ranking")
    };
    assert_eq!((ranking.operator, ranking.value), (RankingOperator::Top, 5));
}

#[rstest]
#[case(json!({"measures": [{"localIdentifier": "m", "definition": {"inline": {"maql": "SELECT 1"}}}]}), "measures[0].definition: unknown variant `inline`")]
#[case(json!({"measures": [{"localIdentifier": "m", "definition": {"measure": {"item": {"localIdentifier": "x"}}}}]}), "measures[0].definition.measure.item: invalid ref: it must have an identifier")]
#[case(json!({"measures": [{"localIdentifier": "m", "definition": {"arithmeticMeasure": {"operator": "sum", "measureIdentifiers": []}}}]}), "measures[0].definition.arithmeticMeasure.operator: unknown variant `sum`")]
#[case(json!({"filters": [{"regexFilter": {}}]}), "filters[0]: unknown variant `regexFilter`")]
#[case(json!({"filters": [{"positiveAttributeFilter": {"label": {}, "in": {"values": []}}}]}), "filters[0].positiveAttributeFilter.label: invalid ref: it must have an identifier or a localIdentifier")]
#[case(json!({"filters": [{"matchAttributeFilter": {"label": {"localIdentifier": "a"}, "matchType": "SOUNDS_LIKE", "literal": "x"}}]}), "filters[0].matchAttributeFilter.matchType: unknown variant `SOUNDS_LIKE`")]
#[case(json!({"filters": [{"relativeDateFilter": {"dataset": {"identifier": {"id": "d"}}, "granularity": "TIMESTAMP"}}]}), "filters[0].relativeDateFilter.granularity: unsupported granularity 'TIMESTAMP'")]
#[case(json!({"filters": [{"relativeDateFilter": {"dataset": {"identifier": {"id": "d"}}, "granularity": "DAY", "boundedFilter": {"granularity": "DAY"}}}]}), "filters[0].relativeDateFilter.boundedFilter: it must have either `from` or `to`")]
fn what_would_change_the_numbers_unnoticed_is_refused(#[case] report: Value, #[case] reason: &str) {
    let message = refused(&report);
    assert!(
        message.starts_with(&format!("Incorrect reportExecutionRequest: {reason}")),
        "{message}"
    );
}

#[test]
fn a_report_that_cannot_be_read_breaks_only_what_looks_at_it() {
    let context = context(&json!({"measures": [{"localIdentifier": "m", "definition": {"inline": {}}}]}));
    assert_eq!(context.date_range("date").expect("no filter"), None);
    assert!(context.report().is_err());
}

proptest! {
    #[test]
    fn no_report_is_too_strange(attributes in any_json(), measures in any_json(), filters in any_json()) {
        let report = json!({"attributes": [attributes], "measures": [measures], "filters": [filters]});
        let _ = context(&report).report();
    }
}
