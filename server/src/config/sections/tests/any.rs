//! Whatever is written in files and variables, a configuration comes of it or mistakes that tell.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::config::{overlay, survey};

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,30}",
        "\\PC{0,12}",
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| value.to_string()),
        "@(int|float|bool|json|format|merge|none|str|jinja|del) [ -~]{0,20}",
        "@(int|float|bool|str|format) @(int|float|bool|str|format) [ -~]{0,12}",
        "@format \\{this\\.[a-z_]{1,12}\\.[a-z_]{1,12}\\}[{}]{0,3}",
        "(\\[|\\{a = ){0,40}1",
        Just("[1, 'a', true]".to_owned()),
        Just("{a = {b = 1}}".to_owned()),
        Just("true".to_owned()),
    ]
}

/// Any names of settings, known and unknown, in sections of ours and of others.
fn any_document() -> impl Strategy<Value = serde_json::Value> {
    let known: Vec<&str> = SECTIONS.iter().flat_map(Section::names).collect();
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any_value().prop_map(serde_json::Value::from),
    ];
    let name = prop_oneof![
        proptest::sample::select(known),
        Just("dynaconf_merge"),
        Just("server"),
        Just("jwt"),
        Just("A.b"),
        Just("a__b"),
        Just("")
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::vec((name.clone(), inner), 0..5).prop_map(|entries| {
                let entries = entries.into_iter().map(|(name, value)| (name.to_owned(), value));
                serde_json::Value::Object(entries.collect())
            }),
        ]
    })
}

/// What must hold of every configuration, whatever is in it.
fn check_any(settings: Table, variables: BTreeMap<String, String>) -> Result<(), TestCaseError> {
    let inputs = on_this_machine(variables);
    let seen = survey::of(settings.clone(), &inputs, Findings::new(schema::is_secret));
    let lines = seen.entries.len() + seen.mistakes.len() + seen.warnings.len();
    prop_assert!(lines < 1_000, "{lines} lines");
    match assemble(settings, &inputs, Findings::new(schema::is_secret)) {
        Ok((_, warnings)) => {
            prop_assert_eq!(seen.mistakes, []);
            prop_assert_eq!(seen.warnings, warnings);
        }
        Err(mistakes) => {
            prop_assert!(!mistakes.0.is_empty());
            prop_assert_eq!(&seen.mistakes, &mistakes.0);
            prop_assert!(mistakes.to_string().len() < 100_000);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_environment_breaks_the_configuration(
        settings in proptest::collection::vec((0..SECTIONS.len(), 0..100_usize, any_value()), 0..8),
        names in proptest::collection::vec("[A-Za-z_]{0,20}", 0..4),
    ) {
        let mut variables: BTreeMap<String, String> = settings
            .into_iter()
            .map(|(section, setting, value)| {
                let known = SECTIONS[section].names().collect::<Vec<_>>();
                let setting = known[setting % known.len()];
                (format!("GOODDATA_FLIGHT_{}__{setting}", SECTIONS[section].name), value)
            })
            .collect();
        variables.extend(names.into_iter().map(|name| (format!("GOODDATA_FLIGHT_{name}"), "1".to_owned())));
        check_any(Table::default(), variables)?;
    }

    #[test]
    fn no_document_breaks_the_configuration(documents in proptest::collection::vec(any_document(), 1..4)) {
        let mut settings = Table::default();
        let mut findings = Findings::new(schema::is_secret);
        for value in &documents {
            let text = serde_json::to_string(value).unwrap();
            // JSON is YAML; what both read, both read alike, floats' last digits aside.
            let (json, yaml) = (document::json(&text, &Source::Unset), document::yaml(&text, &Source::Unset));
            prop_assert_eq!(json.is_ok(), matches!(value, serde_json::Value::Object(_) | serde_json::Value::Null));
            prop_assert!(json.is_err() || yaml.is_ok(), "{}", text);
            if let Ok(table) = json {
                overlay::overlay(&mut settings, table, &mut findings);
            }
        }
        check_any(settings, BTreeMap::new())?;
    }

    #[test]
    fn no_text_breaks_a_parser(text in prop_oneof!["\\PC{0,60}", "[\\[\\]{}=:,'\"&*!|>#@a-c0-9.\n -]{0,80}"]) {
        for parse in [document::toml, document::yaml, document::json] {
            if let Ok(settings) = parse(&text, &Source::Unset) {
                check_any(settings, BTreeMap::new())?;
            }
        }
    }
}

#[test]
fn deep_and_repeating_documents_are_errors() {
    let deep = format!("a = {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(document::toml(&deep, &Source::Unset).is_err());
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(document::json(&deep, &Source::Unset).is_err());
    assert!(document::yaml(&deep, &Source::Unset).is_err());
    let mut laughs = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        let _ = writeln!(laughs, "b{level}: &a{level} [{}]", [below.as_str(); 10].join(", "));
    }
    assert!(document::yaml(&laughs, &Source::Unset).is_err());
}
