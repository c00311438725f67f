use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

#[test]
fn a_command_as_gooddata_sends_it() {
    let command =
        br#" {"functionName": "Sales", "parameters": {"columns": ["a", "b"], "more": {"x": 1}}, "columns": ["c"]} "#;
    let invocation = Invocation::parse(command).expect("a good command");
    assert_eq!(invocation.function, "Sales");
    assert_eq!(
        Value::Object(invocation.parameters),
        json!({"columns": ["a", "b"], "more": {"x": 1}})
    );
    assert_eq!(invocation.columns, Some(json!(["a", "b"])));
}

#[test]
fn numbers_are_what_was_sent() {
    const SENT: &str = "123456789.123456789123";
    let command = format!(r#"{{"functionName":"f","parameters":{{"x":{SENT}}}}}"#);
    let invocation = Invocation::parse(command.as_bytes()).expect("a good command");
    assert_eq!(invocation.parameters["x"].as_f64(), SENT.parse().ok());
}

#[rstest]
#[case("null")]
#[case("false")]
#[case("0")]
#[case("0.0")]
#[case("-0.0")]
#[case(r#""""#)]
#[case("[]")]
#[case("{}")]
fn parameters_that_are_nothing_are_empty(#[case] parameters: &str) {
    let command = format!(r#"{{"functionName":"f","parameters":{parameters}}}"#);
    let invocation = Invocation::parse(command.as_bytes()).expect("no parameters");
    assert!(invocation.parameters.is_empty());
}

#[rstest]
#[case(r#"{"functionName":"f"}"#, None)]
#[case(r#"{"functionName":"f","parameters":{"columns":null}}"#, None)]
#[case(r#"{"functionName":"f","parameters":{"columns":"a"}}"#, Some(json!("a")))]
#[case(r#"{"functionName":"f","parameters":{"columns":[]}}"#, Some(json!([])))]
fn the_columns_are_what_was_sent(#[case] command: &str, #[case] columns: Option<Value>) {
    assert_eq!(
        Invocation::parse(command.as_bytes()).expect("a good command").columns,
        columns
    );
}

#[test]
fn odd_but_legal_json_is_read() {
    let command =
        r#"{"functionName":"f","functionName":"g","parameters":{"big":18446744073709551616,"s":"\ud83d\ude00"}}"#;
    let invocation = Invocation::parse(command.as_bytes()).expect("legal");
    assert_eq!(invocation.function, "g");
    assert_eq!(
        Value::Object(invocation.parameters),
        json!({"big": 18_446_744_073_709_551_616.0_f64, "s": "😀"})
    );
}

#[rstest]
#[case(b"")]
#[case(b"f")]
#[case(b"r:4f3d")]
#[case(b"\xef\xbb\xbf{\"functionName\":\"f\"}")]
#[case(b"{\"functionName\":\"\xff\"}")]
#[case(br#"{"functionName":"f","x":NaN}"#)]
#[case(br#"{"functionName":"f","x":1e400}"#)]
#[case(br#"{"functionName":"f","x":"\ud800"}"#)]
#[case(br#"{"functionName":"f","x":"\udc00"}"#)]
#[case(b"{\"functionName\":\"f\n\"}")]
#[case(br#"{"functionName":"f",}"#)]
#[case(br#"{"functionName":"f"} // x"#)]
#[case(br#"{"functionName":"f"}}"#)]
fn what_is_not_rfc_8259_is_not_json(#[case] command: &[u8]) {
    assert_eq!(Invocation::parse(command), Err(CommandError::NotJson));
}

#[test]
fn nesting_without_end_is_not_json() {
    let command = format!(r#"{{"functionName":"f","x":{}{}}}"#, "[".repeat(1500), "]".repeat(1500));
    assert_eq!(Invocation::parse(command.as_bytes()), Err(CommandError::NotJson));
}

#[rstest]
#[case("[]", CommandError::NotAnObject)]
#[case("null", CommandError::NotAnObject)]
#[case(r#""f""#, CommandError::NotAnObject)]
#[case("{}", CommandError::NoFunction)]
#[case(r#"{"functionName":null}"#, CommandError::NoFunction)]
#[case(r#"{"functionName":""}"#, CommandError::NoFunction)]
#[case(r#"{"functionName":{}}"#, CommandError::NoFunction)]
#[case(r#"{"functionName":[]}"#, CommandError::NoFunction)]
#[case(r#"{"functionName":1}"#, CommandError::FunctionNotText)]
#[case(r#"{"functionName":["f"]}"#, CommandError::FunctionNotText)]
#[case(r#"{"functionName":"f","parameters":[1]}"#, CommandError::ParametersNotAnObject)]
#[case(r#"{"functionName":"f","parameters":"x"}"#, CommandError::ParametersNotAnObject)]
#[case(r#"{"functionName":"f","parameters":0.5}"#, CommandError::ParametersNotAnObject)]
#[case(r#"{"functionName":"","parameters":[1]}"#, CommandError::NoFunction)]
fn the_first_problem_is_told(#[case] command: &str, #[case] error: CommandError) {
    assert_eq!(Invocation::parse(command.as_bytes()), Err(error));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Invocation::parse(&bytes);
    }

    #[test]
    fn no_json_is_too_strange(name in "\\PC{0,8}", parameters in "(\\[|\\{|\\}|\\]|\"|:|,|a|1|\\\\u|d8){0,30}") {
        let _ = Invocation::parse(format!(r#"{{"functionName":"{name}","parameters":{parameters}}}"#).as_bytes());
    }

    #[test]
    fn names_arrive_as_they_are(name in "\\PC{1,30}") {
        let command = json!({"functionName": name}).to_string();
        prop_assert_eq!(Invocation::parse(command.as_bytes()).map(|invocation| invocation.function), Ok(name));
    }
}
