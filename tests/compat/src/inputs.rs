//! Functions that return what they were given, as rows of a key and a JSON text.

use std::sync::{Arc, OnceLock};

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use flexconnect_server::function::context::{Attribute, ExecutionType, Filter, Granularity};
use flexconnect_server::function::{Call, FlexConnectFunction, FunctionError, HeaderValue, LoadContext, Output};
use serde_json::{Map, Value, json};

/// The sections of the configuration that tests ask about; a function has to know which ones it reads.
const SECTIONS: [&str; 14] = [
    "a",
    "beside",
    "both",
    "compat",
    "dotted",
    "flexconnect",
    "json_section",
    "merged",
    "mixed_case",
    "no",
    "server",
    "twice",
    "values",
    "yaml_section",
];

/// Parameters, columns and headers of its call.
pub(crate) struct Echo;

#[async_trait]
impl FlexConnectFunction for Echo {
    fn name(&self) -> &'static str {
        "Echo"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let headers = call
            .headers
            .iter()
            .map(|(name, values)| (name.to_owned(), values.iter().map(header).collect()));
        pairs(vec![
            ("headers".to_owned(), Value::Object(headers.collect())),
            ("parameters".to_owned(), Value::Object(call.parameters)),
            ("columns".to_owned(), call.columns.unwrap_or_default()),
        ])
    }
}

fn header(value: &HeaderValue) -> Value {
    match value {
        HeaderValue::Text(text) => json!(text),
        HeaderValue::Bytes(bytes) => json!({"base64": BASE64_STANDARD.encode(bytes)}),
    }
}

/// The configuration values named in `keys`.
#[derive(Default)]
pub(crate) struct Settings(OnceLock<LoadContext>);

#[async_trait]
impl FlexConnectFunction for Settings {
    fn name(&self) -> &'static str {
        "Settings"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        let mut sections = Map::new();
        for section in SECTIONS {
            if let Some(value) = context.get::<Value>(section)? {
                sections.insert(section.to_owned(), value);
            }
        }
        self.0.get_or_init(|| LoadContext::new(sections, context.location()));
        Ok(())
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let settings = self
            .0
            .get()
            .ok_or_else(|| FunctionError::failed("the function was not loaded"))?;
        let keys = call.parameters.get("keys").and_then(Value::as_array);
        let keys = keys.into_iter().flatten().filter_map(Value::as_str);
        let values = keys.map(|key| Ok((key.to_owned(), settings.get::<Value>(key)?.unwrap_or_default())));
        pairs(values.collect::<Result<Vec<_>, FunctionError>>()?)
    }
}

/// The execution context as the library reads it.
pub(crate) struct Context;

#[async_trait]
impl FlexConnectFunction for Context {
    fn name(&self) -> &'static str {
        "Context"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let Some(context) = call.execution_context()? else {
            return pairs(vec![("context".to_owned(), Value::Null)]);
        };
        let kind = match context.execution_type {
            ExecutionType::Report => "REPORT",
            ExecutionType::LabelElements => "LABEL_ELEMENTS",
        };
        let values = [
            ("type", json!(kind)),
            ("organization", json!(context.organization_id)),
            ("workspace", json!(context.workspace_id)),
            ("user", json!(context.user_id)),
            ("timestamp", json!(context.timestamp)),
            ("timezone", json!(context.timezone)),
            ("week start", json!(context.week_start)),
            ("attributes", context.attributes.iter().map(attribute).collect()),
            ("filters", context.filters.iter().map(filter).collect()),
        ];
        pairs(values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

fn attribute(attribute: &Attribute) -> Value {
    let sorting = attribute
        .sorting
        .as_ref()
        .map(|sorting| json!({"sortColumn": sorting.sort_column, "sortDirection": sorting.sort_direction.as_str()}));
    json!({
        "attribute": [attribute.attribute_identifier, attribute.attribute_title],
        "label": [attribute.label_identifier, attribute.label_title],
        "granularity": attribute.date_granularity.as_ref().map(Granularity::as_str),
        "sorting": sorting,
    })
}

fn filter(filter: &Filter) -> Value {
    match filter {
        Filter::PositiveAttribute(filter) => json!({
            "kind": "PositiveAttributeFilter",
            "label_identifier": filter.label_identifier,
            "values": filter.values,
        }),
        Filter::NegativeAttribute(filter) => json!({
            "kind": "NegativeAttributeFilter",
            "label_identifier": filter.label_identifier,
            "values": filter.values,
        }),
        Filter::MatchAttribute(filter) => json!({
            "kind": "MatchAttributeFilter",
            "label_identifier": filter.label_identifier,
            "literal": filter.pattern.literal,
            "match_type": filter.pattern.match_type.as_str(),
            "negate": filter.pattern.negate,
            "case_sensitive": filter.pattern.case_sensitive,
        }),
        Filter::RelativeDate(filter) => json!({
            "kind": "RelativeDateFilter",
            "dataset_identifier": filter.dataset_identifier,
            "granularity": filter.granularity.as_str(),
            "from_shift": filter.from,
            "to_shift": filter.to,
        }),
        Filter::AbsoluteDate(filter) => json!({
            "kind": "AbsoluteDateFilter",
            "dataset_identifier": filter.dataset_identifier,
            "from_date": filter.from,
            "to_date": filter.to,
        }),
    }
}

fn schema() -> SchemaRef {
    let field = |name| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![field("key"), field("value")]))
}

fn pairs(values: Vec<(String, Value)>) -> Result<Output, FunctionError> {
    let texts = StringArray::from_iter_values(values.iter().map(|(_, value)| value.to_string()));
    let keys = StringArray::from_iter_values(values.into_iter().map(|(key, _)| key));
    Ok(RecordBatch::try_new(schema(), vec![Arc::new(keys), Arc::new(texts)])?.into())
}
