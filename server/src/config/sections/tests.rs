use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;
use secrecy::ExposeSecret;

use super::super::report::{Mistakes, Source, Warning};
use super::super::{Inputs, assemble, document};
use super::*;

fn resolved(toml: &str, variables: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), Mistakes> {
    let settings = document::toml(toml, &Source::file("test.toml".as_ref())).unwrap();
    let variables: BTreeMap<_, _> = variables
        .iter()
        .map(|(name, text)| (format!("GOODDATA_FLIGHT_{name}"), (*text).to_owned()))
        .collect();
    assemble(settings, &on_this_machine(variables), Findings::default())
}

fn on_this_machine(variables: BTreeMap<String, String>) -> Inputs {
    Inputs {
        files: vec![],
        variables,
        machine_name: "this.machine".to_owned(),
    }
}

fn config(toml: &str) -> Config {
    resolved(toml, &[]).unwrap().0
}

fn mistakes(toml: &str) -> Vec<String> {
    resolved(toml, &[])
        .unwrap_err()
        .0
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn warnings(toml: &str) -> Vec<String> {
    resolved(toml, &[]).unwrap().1.iter().map(ToString::to_string).collect()
}

#[test]
fn defaults_are_the_originals() {
    let Config {
        server,
        flexconnect,
        tables,
        origin: _,
    } = config("");
    assert_eq!(server.listen.to_string(), "127.0.0.1:17001");
    assert_eq!(server.advertise.to_string(), "this.machine:17001");
    assert!(server.advertises_own_name);
    assert!(server.tls.is_none());
    assert!(server.health.is_none());
    assert!(matches!(server.authentication, Authentication::None));
    assert_eq!(server.tasks.threads, 32);
    assert_eq!(server.tasks.result_ttl, Duration::from_mins(1));
    assert_eq!(server.logs.event_key, "event");
    assert_eq!(flexconnect.call_deadline, Duration::from_mins(3));
    assert_eq!(flexconnect.polling_interval, Duration::from_secs(2));
    assert_eq!(server.drain.timeout, Duration::from_secs(180 + 60 + 15));
    assert!(tables.is_empty());
}

#[test]
fn the_environment_wins() {
    let (config, _) = resolved(
        "[server]\nlisten_port = 1\nlisten_host = '::'",
        &[
            ("SERVER__LISTEN_PORT", "2"),
            ("SERVER__USE_TLS", "FALSE"),
            ("FLEXCONNECT__CALL_DEADLINE_MS", "1e3"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.to_string(), "[::]:2");
    assert_eq!(config.server.advertise.port, 2);
    assert!(config.server.tls.is_none());
    assert_eq!(config.flexconnect.call_deadline, Duration::from_secs(1));
}

#[test]
fn null_is_the_default() {
    assert_eq!(config("[server]\nlisten_port = '@none'").server.listen.port, 17_001);
}

#[test]
fn the_health_port_opens_with_a_host() {
    let health = config("[server]\nhealth_check_host = '127.0.0.1'").server.health;
    assert_eq!(health.unwrap().to_string(), "127.0.0.1:8877");
}

#[test]
fn tokens_of_files_and_environment() {
    let variables = [
        ("SERVER__AUTHENTICATION_METHOD", "token"),
        ("ENUMERATED_TOKENS__TOKENS", "@merge [\"two\"]"),
    ];
    let (config, _) = resolved("[enumerated_tokens]\ntokens = ['one']", &variables).unwrap();
    let Authentication::Token {
        header: TokenHeader::Bearer,
        verification: TokenVerification::Enumerated(tokens),
    } = config.server.authentication
    else {
        panic!("tokens are asked for");
    };
    assert_eq!(
        tokens.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(),
        ["one", "two"]
    );
}

#[test]
fn functions_see_all_tables_but_no_secret_of_the_server() {
    let tables = config(
        "[sales]\nApi_Url = 'x'\n[server]\ntls_private_key = '@key.pem'\ntask_threads = 2\n[enumerated_tokens]\ntokens = ['t']",
    )
    .tables;
    assert_eq!(
        serde_json::to_string(&tables).unwrap(),
        r#"{"sales":{"api_url":"x"},"server":{"task_threads":2}}"#
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let toml = "[server]\nlisten_port = 70000\nuse_tls = 'maybe'\ntask_threads = 0\nauthentication_method = 'Token'\n\
                [flexconnect]\ncall_deadline_ms = 1.5\nfunctions = ['sales.report']\n[enumerated_tokens]\ntokens = 'abc'";
    assert_eq!(
        mistakes(toml),
        [
            "flexconnect.functions = [\"sales.report\"] (in test.toml): Python modules are not supported by this \
             version; register functions in Rust with Server::builder(), and remove it",
            "flexconnect.call_deadline_ms = 1.5 (in test.toml): must be a positive number of milliseconds that a call \
             may take; write an integer from 1 to 31536000000",
            "enumerated_tokens.tokens = (hidden) (in test.toml): must be a list, and every token a text in quotes; \
             write a list of texts: tokens = [\"…\"], or GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS='[\"…\"]'",
            "server.listen_port = 70000 (in test.toml): must be a valid port number; write an integer from 1 to 65535",
            "server.use_tls = \"maybe\" (in test.toml): must be true or false; write use_tls = true or false",
            "server.authentication_method = \"Token\" (in test.toml): must be one of none, token; write authentication_method = \"token\"",
            "server.task_threads = 0 (in test.toml): must be a positive number of calls that run at a time; write an \
             integer from 1 to 10000",
        ]
    );
}

#[rstest]
#[case::mtls_without_tls("use_mtls = true", &["use_mtls"])]
#[case::tls_without_material("use_tls = true", &["tls_certificate", "tls_private_key"])]
#[case::mtls_without_root(
    "use_tls = true\nuse_mtls = true\ntls_certificate = '@c'\ntls_private_key = '@k'",
    &["tls_root_certificate"]
)]
#[case::path_without_at("use_tls = true\ntls_certificate = '/c.pem'\ntls_private_key = '@k'", &["tls_certificate"])]
#[case::no_path("use_tls = true\ntls_certificate = '@'\ntls_private_key = '@k'", &["tls_certificate"])]
#[case::token_without_tokens("authentication_method = 'token'", &["authentication_method"])]
#[case::another_verifier("token_verification = 'my.module'", &["token_verification"])]
#[case::no_header("token_header_name = 'a b'", &["token_header_name"])]
#[case::binary_header("token_header_name = 'x-token-bin'", &["token_header_name"])]
#[case::host_with_scheme("advertise_host = 'grpc://me'", &["advertise_host"])]
#[case::empty_host("listen_host = ''", &["listen_host"])]
#[case::long_propagation("lame_duck_sec = 3\npropagation_delay_sec = 4", &["propagation_delay_sec"])]
#[case::no_port("health_check_port = 0", &["health_check_port"])]
fn impossible_settings_are_refused(#[case] server: &str, #[case] settings: &[&str]) {
    let refused = resolved(&format!("[server]\n{server}"), &[]).unwrap_err().0;
    let keys: Vec<_> = refused
        .iter()
        .map(|mistake| mistake.key.strip_prefix("server.").unwrap())
        .collect();
    assert_eq!(keys, settings);
}

#[rstest]
#[case::empty("[]")]
#[case::numbers("[1]")]
#[case::blanks("['a ']")]
#[case::empty_token("['']")]
fn tokens_that_never_match_are_refused(#[case] tokens: &str) {
    let toml = format!("[server]\nauthentication_method = 'token'\n[enumerated_tokens]\ntokens = {tokens}");
    assert_eq!(mistakes(&toml).len(), 1);
}

#[test]
fn a_section_is_a_table() {
    assert_eq!(
        mistakes("server = 5"),
        ["server = 5 (in test.toml): a section must be a table of settings; write [server] and its settings below"]
    );
}

#[rstest]
#[case(
    "[server]\nuse_tls = false\ntls_certificate = '@c'",
    "server.tls_certificate (in test.toml) has no effect while use_tls is false"
)]
#[case(
    "[enumerated_tokens]\ntokens = ['t']",
    "server.authentication_method is none: calls are accepted without the tokens that are listed"
)]
#[case(
    "[server]\ndrain_timeout_sec = 1",
    "server.drain_timeout_sec (in test.toml) is shorter than call deadline and result TTL together: a drain may cut calls off"
)]
#[case(
    "[server]\ntask_spill_bytes = 5",
    "server.task_spill_bytes (in test.toml) has no effect without task_spill_directory"
)]
fn doubtful_settings_are_told(#[case] toml: &str, #[case] expected: &str) {
    assert_eq!(warnings(toml), [expected]);
}

#[test]
fn a_custom_header_keeps_its_spelling() {
    let toml =
        "[server]\nauthentication_method = 'token'\ntoken_header_name = 'X-Token'\n[enumerated_tokens]\ntokens = ['t']";
    let Authentication::Token {
        header: TokenHeader::Custom { spelling, name },
        ..
    } = config(toml).server.authentication
    else {
        panic!("a custom header is configured");
    };
    assert_eq!((spelling.as_str(), name.as_str()), ("X-Token", "x-token"));
}

#[test]
fn debug_shows_no_secret() {
    let toml = "[server]\nauthentication_method = 'token'\n[enumerated_tokens]\ntokens = ['hush']\n[sales]\nx = 'hush'";
    assert!(!format!("{:?}", config(toml)).contains("hush"));
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,30}",
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| value.to_string()),
        "@(int|float|bool|json|format|merge|none|str) [ -~]{0,20}",
        Just("[1, 'a', true]".to_owned()),
        Just("{a = {b = 1}}".to_owned()),
        Just("true".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_environment_breaks_the_configuration(
        settings in proptest::collection::vec((0..SECTIONS.len(), 0..100_usize, any_value()), 0..8),
        names in proptest::collection::vec("[A-Za-z_]{0,20}", 0..4),
    ) {
        let sections = &SECTIONS;
        let mut variables: BTreeMap<String, String> = settings
            .into_iter()
            .map(|(section, setting, value)| {
                let known = sections[section].names().collect::<Vec<_>>();
                let setting = known[setting % known.len()];
                (format!("GOODDATA_FLIGHT_{}__{setting}", sections[section].name), value)
            })
            .collect();
        variables.extend(names.into_iter().map(|name| (format!("GOODDATA_FLIGHT_{name}"), "1".to_owned())));
        match assemble(Table::default(), &on_this_machine(variables), Findings::default()) {
            Ok(_) => {}
            Err(Mistakes(mistakes)) => prop_assert!(!mistakes.is_empty()),
        }
    }

    #[test]
    fn no_file_breaks_the_configuration(text in "(\\[(server|a)\\]\n)?([a-z_]{1,12} = [ -~]{0,12}\n){0,5}") {
        if let Ok(settings) = document::toml(&text, &Source::Unset) {
            let _ = assemble(settings, &on_this_machine(BTreeMap::new()), Findings::default());
        }
        let _ = document::yaml(&text, &Source::Unset);
        let _ = document::json(&text, &Source::Unset);
    }
}
