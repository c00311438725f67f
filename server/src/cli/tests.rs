use clap::CommandFactory as _;
use rstest::rstest;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

fn parse(arguments: &[&str]) -> Result<Command, clap::error::ErrorKind> {
    let parsed = Arguments::try_parse_from(std::iter::once("server").chain(arguments.iter().copied()));
    parsed.map(|arguments| arguments.command).map_err(|error| error.kind())
}

#[test]
fn files_end_with_config_end() {
    let Ok(Command::Functions(_)) = parse(&[
        "functions",
        "--config",
        "a.toml",
        "b.toml",
        "--config-end",
        "--format",
        "json",
    ]) else {
        panic!("the arguments are in order");
    };
}

#[rstest]
#[case::unknown_command(&["serve"])]
#[case::unknown_flag(&["start", "--port", "1"])]
#[case::no_function(&["call"])]
#[case::no_command(&[])]
#[case::wrong_format(&["call", "Sales", "--format", "xml"])]
#[case::wrong_param(&["call", "Sales", "--param", "year"])]
#[case::wrong_limit(&["call", "Sales", "--limit", "-1"])]
#[case::wrong_parameters(&["call", "Sales", "--parameters", "[1]"])]
fn wrong_usage_is_refused(#[case] arguments: &[&str]) {
    assert!(parse(arguments).is_err());
}

#[rstest]
fn settings_are_no_matter_of_servers_elsewhere(#[values("functions", "call")] command: &str) {
    let mut arguments = Arguments::command();
    let help = arguments
        .find_subcommand_mut(command)
        .unwrap()
        .render_long_help()
        .to_string();
    let place = |words: &str| help.find(words).unwrap();
    assert!(place("--config ") < place("A server elsewhere:"), "{help}");
}

#[test]
fn a_broken_pipe_is_found_among_the_causes() {
    let pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
    assert!(is_broken_pipe(&pipe()));
    assert!(is_broken_pipe(&arrow::error::ArrowError::from(pipe())));
    assert!(!is_broken_pipe(&io::Error::other("another")));
}
