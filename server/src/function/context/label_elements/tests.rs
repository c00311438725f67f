use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::function::FunctionError;
use crate::function::context::DateRange;
use crate::function::context::ExecutionContext;
use crate::function::fixtures::{any_json, refusal};

fn context(request: &Value) -> ExecutionContext {
    let context = json!({
        "executionType": "LABEL_ELEMENTS", "organizationId": "org", "workspaceId": "ws", "userId": "u",
        "timestamp": "2025-01-31T08:15:30+00:00", "timezone": "Etc/UTC",
        "labelElementsExecutionRequest": request,
    });
    ExecutionContext::from_json(&context).expect("a good context")
}

fn read(more: &Value) -> LabelElementsRequest {
    let mut request = json!({"label": "region.name"});
    let more = more.as_object().expect("an object").clone();
    request.as_object_mut().expect("an object").extend(more);
    let request = context(&request).label_elements().expect("a good request");
    request.expect("a request")
}

#[test]
fn a_whole_request() {
    let request = read(&json!({
        "offset": 0, "limit": 500, "excludePrimaryLabel": true, "exactFilter": ["EMEA"], "patternFilter": "em",
        "complementFilter": true, "filterBy": {"labelType": "REQUESTED"},
        "dependsOn": [{"label": "country", "values": ["CZ", null], "complementFilter": true}],
        "validateBy": [{"id": "revenue", "type": "fact"}],
    }));
    assert_eq!((request.offset, request.limit), (Some(0), Some(500)));
    assert!(request.exclude_primary_label && request.complement_filter);
    assert_eq!(
        request.filter_by.and_then(|by| by.label_type),
        Some(LabelType::Requested)
    );
    assert_eq!(
        request.depends_on,
        [DependsOn::Label(DependsOnLabel {
            label: "country".to_owned(),
            values: vec![Some("CZ".to_owned()), None],
            complement_filter: true,
        })]
    );
    assert_eq!(
        (request.validate_by[0].id.as_str(), request.validate_by[0].kind.as_str()),
        ("revenue", "fact")
    );
}

#[test]
fn only_the_label_is_required() {
    let nulls = json!({
        "offset": null, "limit": null, "excludePrimaryLabel": null, "exactFilter": null, "patternFilter": null,
        "complementFilter": null, "filterBy": null, "dependsOn": null, "validateBy": null,
    });
    assert_eq!(read(&nulls), read(&json!({})));
    let message = refusal(context(&json!({})).label_elements().expect_err("no label"));
    assert_eq!(
        message,
        "Incorrect labelElementsExecutionRequest: missing field `label`."
    );
}

const VALUES: [Option<&str>; 6] = [
    Some("EMEA"),
    Some("APAC"),
    None,
    Some("emerging"),
    Some("EMEA"),
    Some("Americas"),
];

#[rstest]
#[case(json!({}), "EMEA APAC - emerging EMEA Americas")]
#[case(json!({"offset": 1, "limit": 2}), "APAC -")]
#[case(json!({"offset": 99}), "")]
#[case(json!({"limit": u64::MAX, "offset": 4}), "EMEA Americas")]
#[case(json!({"patternFilter": "EM"}), "EMEA emerging EMEA")]
#[case(json!({"patternFilter": "em", "complementFilter": true}), "APAC - Americas")]
#[case(json!({"exactFilter": ["APAC", null]}), "APAC -")]
#[case(json!({"exactFilter": []}), "")]
#[case(json!({"exactFilter": ["EMEA", "APAC"], "patternFilter": "ap"}), "APAC")]
#[case(json!({"complementFilter": true}), "EMEA APAC - emerging EMEA Americas")]
#[case(json!({"excludePrimaryLabel": true, "limit": 4}), "EMEA APAC - emerging")]
#[case(json!({"excludePrimaryLabel": true, "offset": 3}), "emerging Americas")]
fn a_page_of_values(#[case] request: Value, #[case] expected: &str) {
    let page = read(&request).page(VALUES);
    let page: Vec<&str> = page.iter().map(|value| value.as_deref().unwrap_or("-")).collect();
    assert_eq!(page.join(" "), expected);
}

fn depends_on(filter: &Value) -> Result<LabelElementsRequest, FunctionError> {
    let request = json!({"label": "l", "dependsOn": [{ "dateFilter": filter }]});
    Ok(context(&request).label_elements()?.expect("a request"))
}

#[rstest]
#[case::schema(json!({"relativeDateFilter": {"from": -1, "to": 0, "granularity": "DAY", "dataset": {"id": "date", "type": "dataset"}}}), "2025-01-30")]
#[case::schema(json!({"absoluteDateFilter": {"from": "2025-01-01", "to": "2025-01-31", "dataset": {"id": "date", "type": "dataset"}}}), "2025-01-01")]
#[case::flat(json!({"from": -1, "to": 0, "granularity": "DAY", "dataset": {"identifier": {"id": "date", "type": "dataset"}}}), "2025-01-30")]
#[case::flat(json!({"from": "2025-01-01", "to": "2025-01-31", "granularity": "DAY", "dataset": "date"}), "2025-01-01")]
fn date_filters_come_in_two_forms(#[case] filter: Value, #[case] from: &str) {
    let request = depends_on(&filter).expect("a good filter");
    let calendar = context(&Value::Null).calendar().expect("a calendar");
    let (dataset, range) = match request.depends_on.as_slice() {
        [DependsOn::RelativeDate(date)] => (&date.dataset_identifier, date.range(&calendar)),
        [DependsOn::AbsoluteDate(date)] => (&date.dataset_identifier, date.range()),
        other => panic!("{other:?}"),
    };
    assert_eq!(dataset, "date");
    assert_eq!(
        range.expect("a range"),
        DateRange::between(from, "2025-01-31").expect("dates")
    );
}

#[rstest]
#[case(json!({"from": -1, "to": 0, "dataset": "date"}), "a relative dateFilter without `granularity`")]
#[case(json!({"from": -1, "to": "2025-01-01", "dataset": "date"}), "a dateFilter from a number to a date")]
#[case(json!({"from": -1, "granularity": "DAY", "dataset": "date"}), "a dateFilter without `from` and `to`")]
#[case(json!({"from": -1, "to": 0, "granularity": "DAY"}), "a dateFilter without `dataset`")]
fn half_a_date_filter_is_refused(#[case] filter: Value, #[case] reason: &str) {
    let message = refusal(depends_on(&filter).expect_err("half a filter"));
    assert_eq!(
        message,
        format!("Incorrect labelElementsExecutionRequest: dependsOn[0]: {reason}.")
    );
}

proptest! {
    #[test]
    fn no_request_is_too_strange(exact in any_json(), depends_on in any_json(), paging in any_json()) {
        let request = json!({
            "label": "l", "exactFilter": [exact], "dependsOn": [depends_on], "limit": paging, "offset": paging, "filterBy": paging,
        });
        let _ = context(&request).label_elements();
    }

    #[test]
    fn pages_put_together_are_everything(values in prop::collection::vec(prop::option::of("[ab]{0,2}"), 0..30), limit in 1_u64..7) {
        let everything = read(&json!({})).page(values.clone());
        let mut pages = Vec::new();
        loop {
            let page = read(&json!({"offset": pages.len(), "limit": limit})).page(values.clone());
            prop_assert!(page.len() as u64 <= limit);
            if page.is_empty() {
                break;
            }
            pages.extend(page);
        }
        prop_assert_eq!(pages, everything);
    }
}
