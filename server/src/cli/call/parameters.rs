//! The parameters of a call, put together from the command line.

use std::fs;

use clap::Args;
use serde_json::{Map, Value, json};

/// What the function is given.
#[derive(Debug, Args)]
pub(super) struct Parameters {
    /// One parameter. The value is JSON when it can be read as such, otherwise text: `--param year=2025 --param region=EMEA`,
    /// `--param 'zip="01234"'`. Wins over --parameters.
    #[arg(short, long = "param", value_name = "KEY=VALUE", value_parser = parse_param)]
    params: Vec<(String, Value)>,
    /// All parameters as a JSON object, or `@` and the path of a file with one.
    #[arg(long = "parameters", value_name = "JSON|@FILE", default_value = "{}", hide_default_value = true, value_parser = parse_object)]
    all: Map<String, Value>,
    /// The columns that you want, as a hint to the function; GoodData sends one too.
    #[arg(short, long, value_name = "A,B,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// The execution context that GoodData would send: a JSON object, or `@` and the path of a file with one. A whole
    /// `parameters` object that holds one will do as well.
    #[arg(long, value_name = "JSON|@FILE", value_parser = parse_object)]
    context: Option<Map<String, Value>>,
}

impl Parameters {
    /// What GoodData would send as `parameters`.
    pub(super) fn into_object(self) -> Map<String, Value> {
        let Self {
            params,
            all: mut parameters,
            columns,
            context,
        } = self;
        if let Some(mut context) = context {
            let context = context.remove(CONTEXT).unwrap_or(Value::Object(context));
            parameters.insert(CONTEXT.to_owned(), context);
        }
        if !columns.is_empty() {
            parameters.insert("columns".to_owned(), json!(columns));
        }
        parameters.extend(params);
        parameters
    }
}

const CONTEXT: &str = "executionContext";

fn parse_param(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            Ok((key.to_owned(), value))
        }
        Some(_) | None => Err("write it as KEY=VALUE".to_owned()),
    }
}

/// The door of the fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_argument(text: &str) {
    if let Ok((key, _)) = parse_param(text) {
        assert!(!key.is_empty(), "a parameter without a name");
    }
    if !text.starts_with('@') {
        let _ = parse_object(text);
    }
}

/// A JSON object; `@path` reads it from a file.
fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    let read = |path| fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"));
    let text = match text.strip_prefix('@') {
        Some(path) => read(path)?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| format!("it must be a JSON object: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        parameters: Parameters,
    }

    fn object(arguments: &[&str]) -> Value {
        let line = Line::try_parse_from(std::iter::once(&"call").chain(arguments)).expect("good arguments");
        Value::Object(line.parameters.into_object())
    }

    #[rstest]
    #[case("year=2025", json!({"year": 2025}))]
    #[case("region=EMEA", json!({"region": "EMEA"}))]
    #[case("zip=\"01234\"", json!({"zip": "01234"}))]
    #[case("zip=01234", json!({"zip": "01234"}))]
    #[case("flags=[true,null]", json!({"flags": [true, null]}))]
    #[case("query=a=b", json!({"query": "a=b"}))]
    #[case("empty=", json!({"empty": ""}))]
    fn values_are_json_where_they_can_be(#[case] param: &str, #[case] expected: Value) {
        assert_eq!(object(&["--param", param]), expected);
    }

    #[test]
    fn single_parameters_win() {
        let arguments = [
            "--parameters",
            r#"{"a": 1, "b": 2, "columns": ["x"]}"#,
            "-p",
            "a=9",
            "--columns",
            "y,z",
        ];
        assert_eq!(object(&arguments), json!({"a": 9, "b": 2, "columns": ["y", "z"]}));
        assert_eq!(object(&[]), json!({}));
    }

    #[test]
    fn a_context_may_come_alone_or_within_parameters() {
        let expected = json!({"executionContext": {"userId": "u"}});
        assert_eq!(object(&["--context", r#"{"userId": "u"}"#]), expected);
        assert_eq!(
            object(&["--context", r#"{"executionContext": {"userId": "u"}}"#]),
            expected
        );
    }

    #[test]
    fn objects_may_be_in_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("parameters.json");
        fs::write(&path, r#"{"b": 2}"#).expect("a file");
        assert_eq!(
            object(&["--parameters", &format!("@{}", path.display())]),
            json!({"b": 2})
        );
        let refused = |text| parse_object(text).expect_err("no object");
        assert!(refused("[1]").starts_with("it must be a JSON object: "));
        assert!(refused("@/nowhere").starts_with("/nowhere cannot be read: "));
        assert!(parse_param("=1").is_err() && parse_param("a").is_err());
    }
}
