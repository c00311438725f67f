use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn variable(text: &str) -> Value {
    from_variable(text, &Source::Unset).value
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[rstest]
#[case("true", Value::Bool(true))]
#[case("True", Value::Bool(true))]
#[case("False", Value::Bool(false))]
#[case("TRUE", text("TRUE"))]
#[case("yes", text("yes"))]
#[case("1", Value::Integer(1))]
#[case("+1", Value::Integer(1))]
#[case("1_000", Value::Integer(1000))]
#[case("0x1f", Value::Integer(31))]
#[case("0b11", Value::Integer(3))]
#[case("0o7", Value::Integer(7))]
#[case(" 7 ", Value::Integer(7))]
#[case("01", text("01"))]
#[case("1.0", Value::Float(1.0))]
#[case("1e3", Value::Float(1000.0))]
#[case("inf", Value::Float(f64::INFINITY))]
#[case("'1'", text("1"))]
#[case("\"1\"", text("1"))]
#[case("'''x'''", text("x"))]
#[case("[a,b]", text("[a,b]"))]
#[case("a, b", text("a, b"))]
#[case("{\"a\": 1}", text("{\"a\": 1}"))]
#[case("null", text("null"))]
#[case("2024-01-01", text("2024-01-01"))]
#[case("", text(""))]
fn variables_are_read_as_toml_values(#[case] raw: &str, #[case] expected: Value) {
    assert_eq!(variable(raw), expected);
}

#[rstest]
#[case("[1,2]")]
#[case("['a','b']")]
#[case("[\"a\", ]")]
fn lists(#[case] raw: &str) {
    assert!(matches!(variable(raw), Value::List(_)));
}

#[rstest]
#[case("{a=1}")]
#[case("{\"a\"=1}")]
fn inline_tables(#[case] raw: &str) {
    assert!(matches!(variable(raw), Value::Table(_)));
}

fn cast(raw: &str) -> Result<Value, String> {
    let document = "[server]\nlisten_port = 17001\nloop = '@format {this.server.loop}'\n[a]\nx = 1";
    let mut table = document::toml(document, &Source::Unset).unwrap();
    table.set("probe", Node::new(text(raw), Source::Unset));
    let variables = BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned())]);
    let mut findings = Findings::new(|_, _| false);
    apply(&mut table, &variables, &mut findings);
    match findings.mistakes.into_iter().find(|mistake| mistake.key == "probe") {
        Some(mistake) => Err(mistake.problem),
        None => Ok(table.get("probe").unwrap().value.clone()),
    }
}

#[rstest]
#[case("@int 5", Value::Integer(5))]
#[case("@float 1.5", Value::Float(1.5))]
#[case("@bool on", Value::Bool(true))]
#[case("@bool off", Value::Bool(false))]
#[case("@str 5", text("5"))]
#[case("@none", Value::Null)]
#[case("@note why", Value::Null)]
#[case("@format {env[HOME]}/x", text("/home/me/x"))]
#[case("@format {{{this.server.listen_port}}}", text("{17001}"))]
#[case("@int @format {this.SERVER.listen_port}", Value::Integer(17001))]
#[case("@int @format 5", Value::Integer(5))]
#[case("@/etc/tls.crt", text("@/etc/tls.crt"))]
#[case("@unknown x", text("@unknown x"))]
#[case(" @int 5", text(" @int 5"))]
#[case("@", text("@"))]
fn casts(#[case] raw: &str, #[case] expected: Value) {
    assert_eq!(cast(raw), Ok(expected));
}

#[test]
fn json_becomes_a_table() {
    assert!(matches!(cast("@json {\"a\": [1]}"), Ok(Value::Table(_))));
}

#[rstest]
#[case("@int abc", "@int needs an integer")]
#[case("@bool maybe", "@bool needs true or false")]
#[case("@jinja {{ 1 }}", "@jinja is not supported by this version")]
#[case("@format {env[NOWHERE]}", "@format reads the variable NOWHERE, which is not set")]
#[case("@format {this.server}", "@format reads server, which has no single value")]
#[case("@format {x", "@format has a single brace")]
#[case("@format {x}", "@format does not know {x}")]
#[case("@format {this.server.loop}", "@format refers to itself")]
#[case("@int @json [1]", "@int needs a single value")]
#[case(&"@int ".repeat(100_000), "casts are nested too deeply")]
fn wrong_casts_are_mistakes(#[case] raw: &str, #[case] problem: &str) {
    assert_eq!(cast(raw), Err(problem.to_owned()));
}

proptest! {
    #[test]
    fn no_text_breaks_the_casts(raw in "(@(int|format|json|merge|str|bool|float) )?[ -~\u{e9}{}\\[\\]@]{0,40}") {
        let _ = cast(&raw);
        let _ = merge_operand(&Node::new(text(&raw), Source::Unset));
    }
}
