//! From the functions of a server to the tables of a physical model.

use arrow::datatypes::{DataType, Field};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::data_source::is_identifier;
use crate::flight::Listed;

/// The body of a scan.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScanRequest {
    scan_tables: bool,
    scan_views: bool,
    separator: String,
    table_prefix: Option<String>,
    view_prefix: Option<String>,
}

/// `{"pdm":{"tables":[…]},"warnings":[…]}`. A function is a table of one path element; what has no type there is
/// left out with a warning.
pub(crate) fn scan_result(functions: &[Listed], request: &ScanRequest, as_views: bool) -> Value {
    let (kind, wanted, prefix) = if as_views {
        ("VIEW", request.scan_views, &request.view_prefix)
    } else {
        ("TABLE", request.scan_tables, &request.table_prefix)
    };
    let start = prefix
        .as_ref()
        .map(|prefix| format!("{prefix}{}", request.separator))
        .unwrap_or_default();
    let mut tables = Vec::new();
    let mut warnings = Vec::new();
    for function in functions
        .iter()
        .filter(|function| wanted && function.name.starts_with(&start))
    {
        let name = &function.name;
        if !is_identifier(name) {
            let message = "The name of the function is not a valid table id.";
            warnings.push(json!({ "columns": [], "message": message, "name": name }));
            continue;
        }
        let (columns, unsupported) = columns(function);
        if !unsupported.is_empty() {
            warnings.push(json!({ "columns": unsupported, "name": name }));
        }
        let mut table = json!({ "columns": columns, "id": name, "path": [name], "type": kind });
        if let Some(prefix) = prefix {
            table["namePrefix"] = json!(prefix);
        }
        tables.push(table);
    }
    json!({ "pdm": { "tables": tables }, "warnings": warnings })
}

fn columns(function: &Listed) -> (Vec<Value>, Vec<Value>) {
    let mut columns = Vec::new();
    let mut unsupported = Vec::new();
    for field in function.schema.fields() {
        match column(field) {
            Some(column) => columns.push(column),
            None => unsupported.push(json!({
                "message": format!("The data type {} is not supported.", field.data_type()),
                "name": field.name(),
            })),
        }
    }
    (columns, unsupported)
}

fn column(field: &Field) -> Option<Value> {
    let data_type = data_type(field.data_type())?;
    Some(json!({
        "dataType": data_type,
        "isNullable": field.is_nullable(),
        "isPrimaryKey": false,
        "name": field.name(),
    }))
}

fn data_type(arrow: &DataType) -> Option<&'static str> {
    match arrow {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some("STRING"),
        DataType::Boolean => Some("BOOLEAN"),
        DataType::Date32 | DataType::Date64 => Some("DATE"),
        DataType::Timestamp(_, None) => Some("TIMESTAMP"),
        DataType::Timestamp(_, Some(_)) => Some("TIMESTAMP_TZ"),
        DataType::Dictionary(_, values) => data_type(values),
        integer if integer.is_integer() => Some("INT"),
        number if number.is_floating() || number.is_decimal() => Some("NUMERIC"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Schema, TimeUnit};

    use super::*;

    fn function(name: &str, types: Vec<DataType>) -> Listed {
        let fields: Vec<_> = types
            .into_iter()
            .enumerate()
            .map(|(at, t)| Field::new(format!("c{at}"), t, true))
            .collect();
        Listed {
            name: name.to_owned(),
            schema: Schema::new(fields),
        }
    }

    fn request(body: Value) -> ScanRequest {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn maps_arrow_types() {
        let types = vec![
            DataType::Utf8,
            DataType::Float64,
            DataType::Int16,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Decimal128(10, 2),
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
            DataType::Binary,
        ];
        let all = request(json!({ "scanTables": true, "scanViews": true, "separator": "__" }));
        let result = scan_result(&[function("Sales", types)], &all, false);
        let table = &result["pdm"]["tables"][0];
        let types: Vec<_> = table["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["dataType"].as_str().unwrap())
            .collect();
        assert_eq!(
            types,
            [
                "STRING",
                "NUMERIC",
                "INT",
                "TIMESTAMP",
                "TIMESTAMP_TZ",
                "NUMERIC",
                "STRING"
            ]
        );
        assert_eq!(
            (&table["id"], &table["path"], &table["type"]),
            (&json!("Sales"), &json!(["Sales"]), &json!("TABLE"))
        );
        assert_eq!(result["warnings"][0]["columns"][0]["name"], "c7");
    }

    #[test]
    fn keeps_to_what_is_asked_for() {
        let functions = [
            function("out__a", vec![]),
            function("b", vec![]),
            function("no table", vec![]),
        ];
        let ids = |body, as_views| {
            let result = scan_result(&functions, &request(body), as_views);
            let ids = result["pdm"]["tables"]
                .as_array()
                .unwrap()
                .iter()
                .map(|table| table["id"].clone());
            Value::from(ids.collect::<Vec<_>>())
        };
        let tables = json!({ "scanTables": true, "scanViews": false, "separator": "__" });
        assert_eq!(ids(tables.clone(), false), json!(["out__a", "b"]));
        assert_eq!(ids(tables, true), json!([]));
        let prefixed = json!({ "scanTables": true, "scanViews": false, "separator": "__", "tablePrefix": "out" });
        assert_eq!(ids(prefixed, false), json!(["out__a"]));
    }
}
