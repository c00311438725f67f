//! What the program says without a cluster.

use std::path::Path;
use std::process::{Command, Output};

fn operator(arguments: &[&str]) -> Output {
    let nowhere = Path::new(env!("CARGO_MANIFEST_DIR")).join("nowhere");
    Command::new(env!("CARGO_BIN_EXE_flexconnect-operator"))
        .args(arguments)
        .env("KUBECONFIG", &nowhere)
        .env("HOME", &nowhere)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn crd_prints_what_is_committed() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/flexconnectserver.yaml");
    let output = operator(&["crd"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), std::fs::read_to_string(committed).unwrap());
}

#[test]
fn help_teaches_the_commands() {
    let help = text(&operator(&["--help"]).stdout);
    for part in ["run", "crd", "rbac", "local", "kubectl apply -k config/default"] {
        assert!(help.contains(part), "{part} is not in:\n{help}");
    }
    for command in ["run", "crd", "rbac", "local"] {
        assert!(operator(&[command, "--help"]).status.success(), "{command}");
    }
}

#[test]
fn without_a_cluster_it_says_so() {
    let output = operator(&["run"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("Error: found no cluster"), "{error}");
}

#[test]
fn rbac_prints_what_is_committed_and_what_some_namespaces_need() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/rbac/roles.yaml");
    assert_eq!(
        text(&operator(&["rbac"]).stdout),
        std::fs::read_to_string(committed).unwrap()
    );
    let two = text(&operator(&["rbac", "--namespace", "a", "--namespace", "b", "--lease-name", "ab"]).stdout);
    assert!(!two.contains("kind: Cluster"), "{two}");
    assert!(
        two.contains("namespace: b") && two.contains("resourceNames: [ab]"),
        "{two}"
    );
}

#[test]
fn times_that_cannot_work_are_refused_with_what_can() {
    for (arguments, sentence) in [
        (
            ["run", "--lease-duration", "2s"],
            "--lease-duration must be at least 3s",
        ),
        (
            ["run", "--watch-timeout", "1s"],
            "--watch-timeout must be from 5s to 1h",
        ),
    ] {
        let output = operator(&arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(sentence), "{}", text(&output.stderr));
    }
}

#[test]
fn a_wrong_command_line_is_refused() {
    assert_eq!(operator(&["rum"]).status.code(), Some(2));
    assert_eq!(operator(&[]).status.code(), Some(2));
}
