//! The JSON documents around data sources: the envelope of a write, and the flat definition of a connection test.

use serde_json::{Map, Value};

use super::DataSource;
use super::attributes::{Changes, Invalid, is_identifier};

/// Whether a write carries the whole object or only what changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    Whole,
    Part,
}

/// Takes the id and the checked attributes out of `{"data":{"id","type","attributes"}}`.
pub(crate) fn parse_document(body: &Value, completeness: Completeness) -> Result<(String, Changes), Invalid> {
    let invalid = |text: &str| Invalid(text.to_owned());
    let data = body
        .get("data")
        .and_then(Value::as_object)
        .ok_or_else(|| invalid("The body has no object 'data'."))?;
    if data.get("type").and_then(Value::as_str) != Some("dataSource") {
        return Err(invalid("The value of 'data.type' must be 'dataSource'."));
    }
    let id = data
        .get("id")
        .and_then(Value::as_str)
        .ok_or_else(|| invalid("The value of 'data.id' is missing."))?;
    if !is_identifier(id) {
        return Err(invalid(
            r"The value of 'data.id' must match ^(?!\.)[.A-Za-z0-9_-]{1,255}$",
        ));
    }
    let attributes = data.get("attributes").and_then(Value::as_object);
    let attributes = attributes.ok_or_else(|| invalid("The object 'data.attributes' is missing."))?;
    Ok((
        id.to_owned(),
        Changes::parse(attributes, completeness == Completeness::Whole)?,
    ))
}

/// The data source that a connection test describes: the fields of the body over those of `stored`, whose secrets
/// fill the gaps. Without a stored one, `type` is required.
pub(crate) fn parse_test_definition(body: &Value, stored: Option<DataSource>) -> Result<DataSource, Invalid> {
    let fields = body
        .as_object()
        .ok_or_else(|| Invalid("The body is not an object.".to_owned()))?;
    if stored.is_none() && !fields.contains_key("type") {
        return Err(Invalid("The value of 'type' is required.".to_owned()));
    }
    // What is stored has a type already, and the request of a stored one has no such field.
    let fields: Map<_, _> = fields
        .iter()
        .filter(|(name, _)| stored.is_none() || *name != "type")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut tested = stored.unwrap_or_else(|| DataSource::new("test"));
    Changes::parse(&fields, false)?.apply_to(&mut tested);
    Ok(tested)
}
