//! The filters of a report, applied to the rows of a batch.

use arrow::array::{BooleanArray, StringArray};
use flexconnect_server::function::context::{Filter, MatchAttributeFilter, MatchType};

/// Which rows a filter on a label lets through; all of them when it is a filter on something else.
///
/// Identifiers of labels end with the name of the column, as in `DailyWeather.weather`.
pub(crate) fn keeps(filter: &Filter, column: &str, values: &StringArray) -> BooleanArray {
    let about = |label: &str| label.rsplit('.').next() == Some(column);
    match filter {
        Filter::PositiveAttribute(filter) if about(&filter.label_identifier) => rows(values, |value| {
            filter.values.iter().any(|wanted| wanted.as_deref() == value)
        }),
        Filter::NegativeAttribute(filter) if about(&filter.label_identifier) => rows(values, |value| {
            !filter.values.iter().any(|unwanted| unwanted.as_deref() == value)
        }),
        Filter::MatchAttribute(filter) if about(&filter.label_identifier) => rows(values, |value| {
            value.map_or(filter.negate, |value| passes(filter, value))
        }),
        Filter::PositiveAttribute(_)
        | Filter::NegativeAttribute(_)
        | Filter::MatchAttribute(_)
        | Filter::RelativeDate(_)
        | Filter::AbsoluteDate(_) => rows(values, |_| true),
    }
}

fn rows(values: &StringArray, keep: impl Fn(Option<&str>) -> bool) -> BooleanArray {
    values.iter().map(|value| Some(keep(value))).collect()
}

/// Whether a value passes. What is not understood passes: GoodData filters once more.
fn passes(filter: &MatchAttributeFilter, value: &str) -> bool {
    let (value, literal) = if filter.case_sensitive {
        (value.to_owned(), filter.literal.clone())
    } else {
        (value.to_lowercase(), filter.literal.to_lowercase())
    };
    let matches = match filter.match_type {
        MatchType::Contains => value.contains(&literal),
        MatchType::StartsWith => value.starts_with(&literal),
        MatchType::EndsWith => value.ends_with(&literal),
        MatchType::Other => return true,
    };
    matches != filter.negate
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn kept(filter: &Value) -> Vec<bool> {
        let filter: Filter = serde_json::from_value(filter.clone()).expect("a filter");
        let values = StringArray::from(vec![Some("rain"), Some("Sun"), None]);
        keeps(&filter, "weather", &values)
            .iter()
            .map(|keep| keep == Some(true))
            .collect()
    }

    #[test]
    fn listed_values_pass_null_included() {
        let filter =
            json!({"filterType": "positiveAttributeFilter", "labelIdentifier": "w.weather", "values": ["rain", null]});
        assert_eq!(kept(&filter), [true, false, true]);
    }

    #[test]
    fn listed_values_are_left_out() {
        let filter = json!({"filterType": "negativeAttributeFilter", "labelIdentifier": "weather", "values": ["rain"]});
        assert_eq!(kept(&filter), [false, true, true]);
    }

    #[test]
    fn text_matches_without_case_unless_asked() {
        let mut filter = json!({"filterType": "matchAttributeFilter", "labelIdentifier": "weather", "matchType": "STARTS_WITH", "literal": "s"});
        assert_eq!(kept(&filter), [false, true, false]);
        filter["caseSensitive"] = true.into();
        assert_eq!(kept(&filter), [false, false, false]);
        filter["negate"] = true.into();
        assert_eq!(kept(&filter), [true, true, true]);
    }

    #[test]
    fn filters_on_other_labels_let_everything_through() {
        let filter = json!({"filterType": "positiveAttributeFilter", "labelIdentifier": "city", "values": []});
        assert_eq!(kept(&filter), [true, true, true]);
    }
}
