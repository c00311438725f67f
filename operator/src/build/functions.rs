//! The container of the functions in Python, and what it shares with the server: the worker host and a socket.
//!
//! It starts before the server and ends after it, so that calls of a drain find their functions. No key of the server is
//! mounted there.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, ExecAction, ImageVolumeSource, PersistentVolumeClaimVolumeSource, Probe,
    SecurityContext, Volume, VolumeMount,
};

use super::stateful_set::{TEMPORARY_SPACE, confined, empty_volume, mount, some_of};
use crate::fleet::{Code, Functions, ValidatedFleet};

/// The name of the container.
pub(super) const CONTAINER: &str = "functions";

/// Where server and worker host meet.
pub(super) const SOCKET: &str = "/run/flexconnect/python.sock";
const SOCKET_DIRECTORY: &str = "/run/flexconnect";
/// Where the worker host is put.
const HOST_DIRECTORY: &str = "/flexconnect/host";
/// Where the modules are that are not in the image.
const CODE_DIRECTORY: &str = "/flexconnect/code";

/// The first user that a Linux system makes for a person, and so the one in most images that have one.
const USER: i64 = 1000;
/// How long the worker host may take to start, in seconds. Loading modules is not part of it.
const STARTUP_SECONDS: i32 = 60;

/// What brings the worker host, then the functions themselves.
pub(super) fn containers(fleet: &ValidatedFleet, functions: &Functions) -> Vec<Container> {
    vec![bring_host(fleet), run(functions)]
}

fn bring_host(fleet: &ValidatedFleet) -> Container {
    Container {
        name: "worker-host".to_owned(),
        image: Some(fleet.container.image.clone()),
        image_pull_policy: fleet.container.image_pull_policy.clone(),
        args: Some(["python-host", "--into", HOST_DIRECTORY].map(str::to_owned).to_vec()),
        // It has ended when the server starts: with the same resources it asks for nothing more.
        resources: fleet.container.resources.clone(),
        security_context: Some(confined()),
        volume_mounts: Some(vec![mount("host", HOST_DIRECTORY, false)]),
        ..Container::default()
    }
}

fn run(functions: &Functions) -> Container {
    let mut command = host_command("host");
    let mut mounts = vec![
        mount("host", HOST_DIRECTORY, true),
        // Connecting writes nothing; and no code here can put another socket in the place of the server's.
        mount("socket", SOCKET_DIRECTORY, true),
        mount("functions-tmp", "/tmp", false),
    ];
    if functions.code.is_some() {
        command.extend(["--path", CODE_DIRECTORY].map(str::to_owned));
        mounts.push(mount("code", CODE_DIRECTORY, true));
    }
    Container {
        name: CONTAINER.to_owned(),
        image: Some(functions.image.clone()),
        image_pull_policy: functions.image_pull_policy.clone(),
        restart_policy: Some("Always".to_owned()),
        command: Some(command),
        env: some_of(&functions.env),
        env_from: some_of(&functions.env_from),
        resources: functions.resources.clone(),
        startup_probe: Some(probe(1, STARTUP_SECONDS)),
        liveness_probe: Some(probe(20, 3)),
        security_context: Some(SecurityContext {
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            // The image is the user's, and may write to its own files.
            read_only_root_filesystem: None,
            ..confined()
        }),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

fn host_command(verb: &str) -> Vec<String> {
    let host = format!("{HOST_DIRECTORY}/flexconnect_worker");
    ["python3", "-I", &host, verb, "--socket", SOCKET]
        .map(str::to_owned)
        .to_vec()
}

fn probe(period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        exec: Some(ExecAction {
            command: Some(host_command("live")),
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(5),
        failure_threshold: Some(failure_threshold),
        success_threshold: Some(1),
        ..Probe::default()
    }
}

/// The server listens on the socket.
pub(super) fn socket_mount() -> VolumeMount {
    mount("socket", SOCKET_DIRECTORY, false)
}

/// The volumes that only a pod with functions in Python has.
pub(super) fn volumes(functions: &Functions) -> Vec<Volume> {
    let mut volumes = vec![
        empty_volume("host", Some("Memory"), "8Mi"),
        empty_volume("socket", Some("Memory"), "1Mi"),
        empty_volume("functions-tmp", None, TEMPORARY_SPACE),
    ];
    volumes.extend(functions.code.as_ref().map(code));
    volumes
}

fn code(code: &Code) -> Volume {
    let mut volume = Volume {
        name: "code".to_owned(),
        ..Volume::default()
    };
    match code {
        Code::ConfigMap(name) => {
            volume.config_map = Some(ConfigMapVolumeSource {
                name: name.clone(),
                default_mode: Some(0o444),
                ..ConfigMapVolumeSource::default()
            });
        }
        Code::Claim(name) => {
            volume.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
                claim_name: name.clone(),
                read_only: Some(true),
            });
        }
        Code::Image { reference, pull_policy } => {
            volume.image = Some(ImageVolumeSource {
                reference: Some(reference.clone()),
                pull_policy: pull_policy.clone(),
            });
        }
    }
    volume
}
