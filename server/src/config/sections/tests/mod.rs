mod any;
mod jwt;

use std::collections::BTreeMap;
use std::time::Duration;

use rstest::rstest;
use secrecy::ExposeSecret;

use super::*;
use crate::config::load::{Config, assemble};
use crate::config::report::{Mistakes, Warning};
use crate::config::source::Source;
use crate::config::{Inputs, document, schema};

fn resolved(toml: &str, variables: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), Mistakes> {
    let settings = document::toml(toml, &Source::file("test.toml".as_ref())).unwrap();
    let variables: BTreeMap<_, _> = variables
        .iter()
        .map(|(name, text)| (format!("GOODDATA_FLIGHT_{name}"), (*text).to_owned()))
        .collect();
    assemble(settings, &on_this_machine(variables), Findings::new(schema::is_secret))
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
        python,
        tables,
        effective: _,
        origin: _,
    } = config("");
    assert_eq!(python, PythonSection::default());
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

#[rstest]
#[case::health("listen_host = '::'\nlisten_port = 8877\nhealth_check_host = '127.0.0.1'", &["server.health_check_port"])]
#[case::metrics("metrics_host = 'localhost'\nhealth_check_host = 'localhost'\nhealth_check_port = 17101", &["server.metrics_port"])]
#[case::another_address("metrics_host = '127.0.0.1'\nhealth_check_host = '127.0.0.2'\nhealth_check_port = 17101", &[])]
#[case::not_opened("health_check_port = 17001", &[])]
fn two_ports_are_not_one(#[case] settings: &str, #[case] keys: &[&str]) {
    let refused = resolved(&format!("[server]\n{settings}"), &[]).err();
    let refused = refused.map(|mistakes| mistakes.0).unwrap_or_default();
    assert_eq!(
        refused.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(),
        keys
    );
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
                [flexconnect]\ncall_deadline_ms = 1.5\nfunctions = [['sales.report']]\n[enumerated_tokens]\ntokens = 'abc'";
    assert_eq!(
        mistakes(toml),
        [
            "flexconnect.functions = [[\"sales.report\"]] (in test.toml:8): must be a list of names of Python modules; write a \
             text in quotes",
            "flexconnect.call_deadline_ms = 1.5 (in test.toml:7): must be a positive number of milliseconds that a call \
             may take; write an integer from 1 to 31536000000",
            "enumerated_tokens.tokens = (hidden) (in test.toml:10): must be a list, and every token a text in quotes; \
             write a list of texts: tokens = [\"…\"], or GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS='[\"…\"]'",
            "server.listen_port = 70000 (in test.toml:2): must be a valid port number; write an integer from 1 to 65535",
            "server.use_tls = \"maybe\" (in test.toml:3): must be true or false; write use_tls = true or false",
            "server.authentication_method = \"Token\" (in test.toml:5): must be one of none, token; write authentication_method = \"token\"",
            "server.task_threads = 0 (in test.toml:4): must be a positive number of calls that run at a time; write an \
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
#[case::another_verifier("token_verification = 'my module'", &["token_verification"])]
#[case::misspelled_verifier("token_verification = 'jwtverification'", &["token_verification"])]
#[case::unknown_exporter("otel_exporter_type = 'jaeger'", &["otel_exporter_type"])]
#[case::endless_age("max_connection_age_sec = 1e12", &["max_connection_age_sec"])]
#[case::tiny_headers("max_header_bytes = 100", &["max_header_bytes"])]
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
#[case("interpreter = '/python'", "interpreter")]
#[case("path = ['/src']", "path")]
fn a_host_in_another_container_has_its_own_python(#[case] setting: &str, #[case] name: &str) {
    let told = mistakes(&format!("[python]\nsocket = '/run/python.sock'\n{setting}"));
    assert!(
        told[0].starts_with(&format!("python.{name} =")) && told[0].contains("python.socket"),
        "{told:?}"
    );
}

#[test]
fn sockets_have_paths_that_the_kernel_takes_and_files_of_an_image_need_one() {
    let section = config("[python]\nsocket = '/run/python.sock'\nconfig_files = '/config/a.toml'").python;
    assert!(section.serves() && section.modules().is_empty());
    assert_eq!(section.config_files, Some(vec!["/config/a.toml".to_owned()]));
    let told = mistakes(&format!("[python]\nsocket = '/{}'", "x".repeat(107)));
    assert!(
        told[0].contains("has 108 bytes, and the path of a socket 107 at most"),
        "{told:?}"
    );
    let told = mistakes("[python]\nconfig_files = ['/config/a.toml']");
    assert!(told[0].contains("python.socket is not set"), "{told:?}");
}

#[test]
fn limits_of_a_function_are_found_in_any_case() {
    let (config, _) = resolved(
        "[flexconnect.limits]\nSales = {threads = 4, call_deadline_ms = 200_000}\nIdle = {}",
        &[("FLEXCONNECT__LIMITS__SALES__QUEUE", "9")],
    )
    .unwrap();
    let section = config.flexconnect;
    let expected = FunctionLimit {
        threads: Some(4),
        queue: Some(9),
        call_deadline: Some(Duration::from_secs(200)),
    };
    assert_eq!(section.limits.of("Sales"), expected);
    assert_eq!(section.limits.of("Other"), FunctionLimit::default());
    let names: Vec<_> = section.limits.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Idle", "Sales"]);
    assert_eq!(section.longest_deadline(), Duration::from_secs(200));
    assert_eq!(config.server.drain.timeout, Duration::from_secs(200 + 60 + 15));
}

#[rstest]
#[case("limits = 5", "must be a table with a table of limits for each function")]
#[case("limits = {Sales = 5}", "must have a table of limits for Sales")]
#[case(
    "limits = {Sales = {threads = 0}}",
    "Sales.threads must be a positive number of calls"
)]
#[case("limits = {Sales = {thread = 1}}", "has no limit Sales.thread")]
fn limits_that_limit_nothing_are_refused(#[case] toml: &str, #[case] expected: &str) {
    let mistakes = mistakes(&format!("[flexconnect]\n{toml}"));
    assert!(mistakes[0].contains(expected), "{mistakes:?}");
}

#[test]
fn trace_keys_have_other_names() {
    let (config, _) = resolved(
        "[server]\nlog_trace_keys = {trace_id = 'traceId'}",
        &[("SERVER__LOG_TRACE_KEYS__SPAN_ID", "spanId")],
    )
    .unwrap();
    let expected = TraceKeys {
        trace_id: Some("traceId".to_owned()),
        span_id: Some("spanId".to_owned()),
        parent_span_id: None,
    };
    assert_eq!(config.server.logs.trace_keys, expected);
    for wrong in ["'trace_id'", "{trace = 'x'}", "{trace_id = ''}"] {
        let mistakes = mistakes(&format!("[server]\nlog_trace_keys = {wrong}"));
        assert!(mistakes[0].contains("must be a table from trace_id"), "{mistakes:?}");
    }
}

#[rstest]
#[case("none", None)]
#[case("otlp-grpc", Some(TraceExporter::OtlpGrpc))]
#[case("console", Some(TraceExporter::Console))]
fn traces_go_where_the_setting_says(#[case] word: &str, #[case] expected: Option<TraceExporter>) {
    let traces = config(&format!("[server]\notel_exporter_type = '{word}'"))
        .server
        .traces;
    assert_eq!(traces.map(|traces| traces.exporter), expected);
}

#[test]
fn zero_is_off_where_that_makes_sense() {
    let connections = config("[server]\nmax_connection_age_sec = 0\nkeep_alive_interval_sec = 0.5")
        .server
        .connections;
    assert_eq!(connections.max_age, None);
    assert_eq!(connections.keep_alive_interval, Some(Duration::from_millis(500)));
    assert_eq!(mistakes("[server]\nhandshake_timeout_sec = 0").len(), 1);
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
        ["server = 5 (in test.toml:1): a section must be a table of settings; write [server] and its settings below"]
    );
}

#[rstest]
#[case(
    "[server]\nuse_tls = false\ntls_certificate = '@c'",
    "server.tls_certificate (in test.toml:3) has no effect while use_tls is false"
)]
#[case(
    "[enumerated_tokens]\ntokens = ['t']",
    "server.authentication_method is none: calls are accepted without the tokens that are listed"
)]
#[case(
    "[server]\ndrain_timeout_sec = 1",
    "server.drain_timeout_sec (in test.toml:2) is shorter than call deadline and result TTL together: a drain may cut calls off"
)]
#[case(
    "[server]\ntask_spill_bytes = 5",
    "server.task_spill_bytes (in test.toml:2) has no effect without task_spill_directory"
)]
#[case(
    "[jwt]\nissuer = 'i'\naudience = 'a'\njwks_file = 'k'",
    "server.authentication_method is none: calls are accepted without the tokens of [jwt]"
)]
#[case(
    "[server]\ntoken_header_name = 'X-Token'",
    "server.token_header_name (in test.toml:2) has no effect while authentication_method is none: everybody may call"
)]
#[case(
    "[server]\ntoken_verification = 'CustomVerification'",
    "server.token_verification (in test.toml:2) has no effect while authentication_method is none: everybody may call"
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
