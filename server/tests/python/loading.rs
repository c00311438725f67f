//! Modules that do not load stop the start, in their own words.

use super::started::command;

/// The standard error of a server that does not start.
fn fails(module: &str, settings: &str) -> String {
    fails_with("gooddata_flexconnect", module, settings)
}

fn fails_with(provider: &str, module: &str, settings: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("theirs.py"), module).unwrap();
    let toml = format!(
        "[flexconnect]\nfunctions = ['theirs']\n[server]\nlisten_port = {}\n{settings}",
        super::harness::free_port()
    );
    let mut command = command(&toml, folder.path());
    let output = command.args(["start", "--methods-provider", provider, "--config"]);
    let output = output.arg(folder.path().join("server.toml")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

const FUNCTION: &str = "import pyarrow as pa\nfrom gooddata_flexconnect import FlexConnectFunction\n\
    class F(FlexConnectFunction):\n    Name = 'F'\n    Schema = pa.schema([('a', pa.int64())])\n    \
    def call(self, parameters, columns, headers): ...\n";

#[test]
fn a_module_that_does_not_load_stops_the_start_with_its_own_message() {
    let text = fails("raise RuntimeError('no warehouse')", "");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("error: ") && last.contains("no warehouse"), "{text}");
    assert!(
        text.contains("python_functions_not_loaded") && text.contains("theirs.py"),
        "{text}"
    );

    let text = fails(&FUNCTION.replace("Name = 'F'", "Name = ''"), "");
    let expected = "FlexConnect function implemented in class F does not specify name or specifies an empty name.";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_methods_provider_that_makes_none_stops_the_start() {
    let last = |text: String| text.lines().last().unwrap().to_owned();
    let text = last(fails_with("nowhere.service", "", ""));
    assert!(
        text.starts_with("error: the methods provider 'nowhere.service' is not found: set PYTHONPATH"),
        "{text}"
    );
    let text = last(fails_with("theirs", "import gooddata_flight_server", ""));
    assert!(
        text.starts_with("error: the methods provider 'theirs' has no methods: it needs exactly one"),
        "{text}"
    );
    let raises =
        "import gooddata_flight_server as gf\n@gf.flight_server_methods\ndef f(ctx): raise OSError('no warehouse')\n";
    let text = fails_with("theirs", raises, "[python]\nworkers = 3\n");
    assert!(
        text.contains("flexconnect.functions has no effect: theirs is served"),
        "{text}"
    );
    assert!(
        text.contains("python.workers has no effect: theirs runs in exactly one process"),
        "{text}"
    );
    assert!(last(text).contains("no warehouse"));
}

#[test]
fn a_module_that_ends_its_process_stops_the_start() {
    let text = fails("import os; os._exit(7)", "");
    assert!(text.lines().last().unwrap().contains("exit code 7"), "{text}");
}

#[test]
fn what_is_no_python_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command("[flexconnect]\nfunctions = ['theirs']\n", folder.path());
    let output = command
        .env("GOODDATA_FLIGHT_PYTHON__INTERPRETER", "/bin/false")
        .args(["functions", "--config"]);
    let output = output.arg(folder.path().join("server.toml")).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("the Python host ended before it was ready (exit status: 1)"),
        "{text}"
    );
}
