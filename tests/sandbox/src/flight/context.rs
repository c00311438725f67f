//! The command that GoodData sends: the function's name, the wanted columns and the execution context of a report.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::filter::{Filter, InvalidQuery};
use super::query::Query;

/// Who asks, for the ids in the context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) organization: &'a str,
}

/// The bytes of the command.
pub(crate) fn command(query: &Query, asker: Asker<'_>) -> Result<Vec<u8>, InvalidQuery> {
    let mut parameters = query.parameters.clone();
    if let Some(columns) = &query.columns {
        parameters.insert("columns".to_owned(), json!(columns));
    }
    parameters.insert("executionContext".to_owned(), execution_context(query, asker)?);
    Ok(json!({ "functionName": query.function, "parameters": parameters })
        .to_string()
        .into_bytes())
}

fn execution_context(query: &Query, asker: Asker<'_>) -> Result<Value, InvalidQuery> {
    let columns = query.columns.as_deref().unwrap_or_default();
    let report = json!({
        "attributes": columns.iter().enumerate().map(|(at, column)| report_attribute(query, at, column)).collect::<Vec<_>>(),
        "measures": [],
        "filters": query.filters.iter().map(report_filter).collect::<Vec<_>>(),
        "auxMeasures": [],
    });
    Ok(json!({
        "executionType": "REPORT",
        "organizationId": asker.organization,
        "workspaceId": "sandbox-workspace",
        "userId": "sandbox-user",
        "timestamp": timestamp(query)?,
        "timezone": query.timezone,
        "weekStart": query.week_start,
        "attributes": columns.iter().map(|column| attribute(query, column)).collect::<Vec<_>>(),
        "filters": query.filters,
        "reportExecutionRequest": report,
        "labelElementsExecutionRequest": null,
        "executionInitiator": {
            "type": "display",
            "dashboardId": "sandbox-dashboard",
            "visualizationId": "sandbox-visualization",
            "widgetId": "sandbox-widget",
        },
        "executionRequest": report,
    }))
}

/// `now` in the query's time zone, unless the query says when it is.
fn timestamp(query: &Query) -> Result<String, InvalidQuery> {
    if let Some(timestamp) = &query.timestamp {
        return match timestamp.parse::<Timestamp>() {
            Ok(_) => Ok(timestamp.clone()),
            Err(_) => Err(InvalidQuery(format!(
                "`{timestamp}` is no timestamp: write it like 2025-01-31T08:00:00+00:00"
            ))),
        };
    }
    // The first two must not depend on a time zone database.
    let zone = match query.timezone.as_str() {
        "UTC" | "Etc/UTC" => TimeZone::UTC,
        name => TimeZone::get(name)
            .map_err(|_| InvalidQuery(format!("`{name}` is no known time zone: write it like Europe/Prague")))?,
    };
    Ok(Timestamp::now()
        .to_zoned(zone)
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string())
}

/// Ids as GoodData builds them from the tables of a FlexConnect server.
fn attribute(query: &Query, column: &str) -> Value {
    let id = format!("{}.{column}", query.function);
    json!({
        "attributeIdentifier": id,
        "attributeTitle": column,
        "labelIdentifier": id,
        "labelTitle": column,
        "dateGranularity": null,
        "sorting": null,
    })
}

fn report_attribute(query: &Query, at: usize, column: &str) -> Value {
    json!({
        "localIdentifier": format!("a{}", at + 1),
        "label": reference(&format!("{}.{column}", query.function), "label"),
        "showAllValues": false,
    })
}

fn reference(id: &str, kind: &str) -> Value {
    json!({ "identifier": { "id": id, "type": kind } })
}

/// The same filter as the report's own definition has it, nested.
fn report_filter(filter: &Filter) -> Value {
    match filter {
        Filter::PositiveAttributeFilter {
            label_identifier,
            values,
        } => json!({ "positiveAttributeFilter": {
            "label": reference(label_identifier, "label"), "in": { "values": values },
        }}),
        Filter::NegativeAttributeFilter {
            label_identifier,
            values,
        } => json!({ "negativeAttributeFilter": {
            "label": reference(label_identifier, "label"), "notIn": { "values": values },
        }}),
        Filter::MatchAttributeFilter {
            label_identifier,
            match_type,
            literal,
            negate,
            case_sensitive,
        } => {
            json!({ "matchAttributeFilter": {
                "label": reference(label_identifier, "label"), "matchType": match_type, "literal": literal,
                "negate": negate, "caseSensitive": case_sensitive,
            }})
        }
        Filter::RelativeDateFilter {
            dataset_identifier,
            granularity,
            from,
            to,
        } => json!({ "relativeDateFilter": {
            "dataset": reference(dataset_identifier, "dataset"), "granularity": granularity, "from": from, "to": to,
        }}),
        Filter::AbsoluteDateFilter {
            dataset_identifier,
            from,
            to,
        } => json!({ "absoluteDateFilter": {
            "dataset": reference(dataset_identifier, "dataset"), "from": from, "to": to,
        }}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_what_goodata_sends() {
        let query = Query {
            columns: Some(vec!["region".to_owned()]),
            filters: vec![Filter::parse_attribute("region=EMEA").unwrap()],
            timestamp: Some("2025-01-31T08:00:00+00:00".to_owned()),
            ..Query::of("Sales")
        };
        let command: Value = serde_json::from_slice(&command(&query, Asker { organization: "org" }).unwrap()).unwrap();
        assert_eq!(command["functionName"], "Sales");
        assert_eq!(command["parameters"]["columns"], json!(["region"]));
        let context = &command["parameters"]["executionContext"];
        assert_eq!(context["executionType"], "REPORT");
        assert_eq!(context["timestamp"], "2025-01-31T08:00:00+00:00");
        assert_eq!(context["attributes"][0]["labelIdentifier"], "Sales.region");
        assert_eq!(context["filters"][0]["values"], json!(["EMEA"]));
        let nested = &context["reportExecutionRequest"]["filters"][0]["positiveAttributeFilter"];
        assert_eq!(nested["in"]["values"], json!(["EMEA"]));
    }

    #[test]
    fn refuses_a_time_that_is_none() {
        let asker = Asker { organization: "org" };
        let query = Query {
            timezone: "Mars/Base".to_owned(),
            ..Query::of("F")
        };
        assert!(command(&query, asker).unwrap_err().to_string().contains("`Mars/Base`"));
        let query = Query {
            timestamp: Some("now".to_owned()),
            ..Query::of("F")
        };
        assert!(command(&query, asker).unwrap_err().to_string().contains("`now`"));
    }
}
