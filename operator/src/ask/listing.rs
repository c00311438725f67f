//! What a replica lists, cut to what a status can hold. Pure: every byte of it comes from somebody else.

use arrow_flight::FlightInfo;
use serde::Deserialize;
use serde_json::Value;

/// The longest list of functions and columns, in bytes of all their texts. Objects are small, and everybody watches them.
const MAX_BYTES: usize = 32 * 1024;
/// The most functions, however short.
const MAX_FUNCTIONS: usize = 1000;
/// The most columns that are told of one function.
const MAX_COLUMNS: usize = 100;
/// The longest description, in bytes.
const MAX_DESCRIPTION: usize = 256;

/// A function, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The names of its columns, in order.
    pub columns: Vec<String>,
    /// What its metadata say that it does.
    pub description: Option<String>,
}

/// Takes functions as long as there is room for them.
#[derive(Debug, Default)]
pub(super) struct Listing {
    functions: Vec<Function>,
    bytes: usize,
}

impl Listing {
    /// Adds a function; false when there is no room for it, nor for others.
    pub(super) fn add(&mut self, info: FlightInfo) -> bool {
        let Some(function) = read(info) else { return true };
        let texts = function.columns.iter().chain(&function.description);
        self.bytes += function.name.len() + texts.map(String::len).sum::<usize>();
        if self.bytes > MAX_BYTES || self.functions.len() == MAX_FUNCTIONS {
            return false;
        }
        self.functions.push(function);
        true
    }

    pub(super) fn functions(self) -> Vec<Function> {
        self.functions
    }
}

/// A function; None for flights of other kinds, which services of one's own may list.
fn read(info: FlightInfo) -> Option<Function> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Command {
        function_name: String,
        #[serde(default)]
        metadata: Value,
    }
    let command: Command = serde_json::from_slice(&info.flight_descriptor.as_ref()?.cmd).ok()?;
    let description = command.metadata.get("description").and_then(Value::as_str);
    let columns = info.try_decode_schema().ok()?;
    Some(Function {
        name: command.function_name,
        columns: columns
            .fields()
            .iter()
            .take(MAX_COLUMNS)
            .map(|field| field.name().clone())
            .collect(),
        description: description.map(cut),
    })
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_DESCRIPTION);
    text.get(..end).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use arrow_flight::FlightDescriptor;
    use flexconnect_server::arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn info(command: &str, columns: &[&str]) -> FlightInfo {
        let fields = columns.iter().map(|name| Field::new(*name, DataType::Utf8, true));
        FlightInfo::new()
            .try_with_schema(&Schema::new(fields.collect::<Vec<_>>()))
            .unwrap()
            .with_descriptor(FlightDescriptor::new_cmd(command.to_owned()))
    }

    #[test]
    fn functions_have_names_columns_and_descriptions() {
        let mut listing = Listing::default();
        let command = r#"{"functionName":"Sales","metadata":{"description":"What was sold"}}"#;
        assert!(listing.add(info(command, &["region", "amount"])));
        assert!(listing.add(info(r#"{"functionName":"Plain","metadata":null}"#, &[])));
        let expected = Function {
            name: "Sales".to_owned(),
            columns: vec!["region".to_owned(), "amount".to_owned()],
            description: Some("What was sold".to_owned()),
        };
        let functions = listing.functions();
        assert_eq!((functions.len(), &functions[0]), (2, &expected));
    }

    #[test]
    fn what_is_no_function_is_passed_over() {
        let mut listing = Listing::default();
        for command in ["", "[]", "{", r#"{"functionName":1}"#, "\u{0}"] {
            assert!(listing.add(info(command, &["a"])));
        }
        assert!(listing.add(FlightInfo::new()));
        let mut garbled = info(r#"{"functionName":"Sales"}"#, &["a"]);
        garbled.schema = garbled.schema.slice(0..20);
        assert!(listing.add(garbled));
        assert_eq!(listing.functions(), []);
    }

    #[test]
    fn a_list_without_end_is_cut() {
        let mut listing = Listing::default();
        let name = "f".repeat(1000);
        let columns = vec![name.as_str(); 9];
        let command = format!(r#"{{"functionName":"{name}"}}"#);
        let taken = (0..100).take_while(|_| listing.add(info(&command, &columns))).count();
        assert_eq!((taken, listing.functions().len()), (3, 3));
        assert_eq!(cut(&"ä".repeat(200)).len(), 256);
    }
}
