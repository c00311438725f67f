//! The `StatefulSet`: pods that meet the `restricted` profile and hold no key that is not theirs.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar,
    EnvVarSource, HTTPGetAction, KeyToPath, LocalObjectReference, ObjectFieldSelector, PodAffinityTerm,
    PodAntiAffinity, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, SeccompProfile, SecretVolumeSource,
    SecurityContext, Toleration, TopologySpreadConstraint, Volume, VolumeMount, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use serde_json::Value;

use super::config::{CONFIG_KEY, SETTINGS_KEY, TOKENS_KEY, arguments};
use super::functions;
use super::merge::merge;
use super::tls::{CA_KEY, CERTIFICATE_KEY, PRIVATE_KEY};
use super::{TEMPLATE_ANNOTATION, labels, metadata, selector};
use crate::digest::sha256;
use crate::exposure::{FLIGHT_PORT, HEALTH_PORT, advertised_host};
use crate::fleet::{Auth, Exposure, Tls, ValidatedFleet};

pub(super) const CONFIG_DIRECTORY: &str = "/etc/flexconnect/config";
pub(super) const SETTINGS_DIRECTORY: &str = "/etc/flexconnect/settings";
pub(super) const TLS_DIRECTORY: &str = "/etc/flexconnect/tls";
pub(super) const TOKEN_DIRECTORY: &str = "/etc/flexconnect/token";

pub(super) const FLIGHT_PORT_NAME: &str = "flight";
const HEALTH_PORT_NAME: &str = "health";

/// A user that no image gives files to.
const USER: i64 = 65532;
/// How long pods stay on a node that does not answer.
const NODE_LOSS_SECONDS: i64 = 30;
/// How long loading the functions may take, in seconds.
const STARTUP_SECONDS: i32 = 300;
pub(super) const TEMPORARY_SPACE: &str = "1Gi";

/// What makes the pods start again when it changes. Each is an annotation of the pods, so that the reason can be seen.
pub(super) struct RestartCauses {
    pub config: String,
    pub certificate: Option<String>,
    pub settings: Option<String>,
}

pub(super) fn stateful_set(fleet: &ValidatedFleet, causes: &RestartCauses) -> StatefulSet {
    let template = template(fleet, causes);
    let digest = sha256([serde_json::to_vec(&template).unwrap_or_default().as_slice()]);
    let mut metadata = metadata(fleet, fleet.name.stateful_set());
    metadata.annotations = Some(BTreeMap::from([(TEMPLATE_ANNOTATION.to_owned(), digest)]));
    StatefulSet {
        metadata,
        spec: Some(StatefulSetSpec {
            replicas: Some(fleet.replicas.into()),
            pod_management_policy: Some("Parallel".to_owned()),
            revision_history_limit: Some(3),
            service_name: Some(fleet.name.headless_service()),
            selector: pods(fleet),
            template,
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// What the operator says about the pods, and over it what the user says.
fn template(fleet: &ValidatedFleet, causes: &RestartCauses) -> PodTemplateSpec {
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels(fleet)),
            annotations: Some(annotations(causes)),
            ..ObjectMeta::default()
        }),
        spec: Some(pod(fleet)),
    };
    let (Some(patch), Ok(Value::Object(mut merged))) = (&fleet.pod_template, serde_json::to_value(&template)) else {
        return template;
    };
    merge(&mut merged, patch);
    // Both sides have fields of pods only, each of its type, and so has what comes of them.
    serde_json::from_value(Value::Object(merged)).unwrap_or(template)
}

/// The `StatefulSet` as a roll-out wants it now: that many pods, those from the ordinal `partition` on of its newest
/// template.
#[must_use]
pub fn rolled(mut set: StatefulSet, replicas: u16, partition: u16) -> StatefulSet {
    if let Some(spec) = &mut set.spec {
        spec.replicas = Some(replicas.into());
        spec.update_strategy = Some(StatefulSetUpdateStrategy {
            type_: Some("RollingUpdate".to_owned()),
            rolling_update: Some(RollingUpdateStatefulSetStrategy {
                partition: Some(partition.into()),
                max_unavailable: None,
            }),
        });
    }
    set
}

fn annotations(causes: &RestartCauses) -> BTreeMap<String, String> {
    let RestartCauses {
        config,
        certificate,
        settings,
    } = causes;
    let causes = [
        ("config", Some(config)),
        ("certificate", certificate.as_ref()),
        ("settings", settings.as_ref()),
    ];
    causes
        .into_iter()
        .filter_map(|(name, value)| Some((format!("flexconnect.dev/{name}"), value?.clone())))
        .collect()
}

fn pod(fleet: &ValidatedFleet) -> PodSpec {
    let pull_secret = |name: &String| LocalObjectReference { name: name.clone() };
    let (mut volumes, mut mounts) = volumes(fleet);
    let mut init_containers = None;
    if let Some(functions) = &fleet.functions {
        volumes.extend(functions::volumes(functions));
        mounts.push(functions::socket_mount());
        init_containers = Some(functions::containers(fleet, functions));
    }
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: Some(fleet.container.image_pull_secrets.iter().map(pull_secret).collect()),
        termination_grace_period_seconds: Some(fleet.drain.grace_period().cast_signed()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        tolerations: Some(["not-ready", "unreachable"].map(leave_lost_node).to_vec()),
        affinity: Some(apart(fleet)),
        topology_spread_constraints: Some(
            ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
                .map(|place| spread(fleet, place))
                .to_vec(),
        ),
        init_containers,
        containers: vec![container(fleet, mounts)],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

/// As many replicas in one place as in another, as far as that can be had.
fn spread(fleet: &ValidatedFleet, place: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: place.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(pods(fleet)),
        ..TopologySpreadConstraint::default()
    }
}

/// No two replicas on one node while there are others.
fn apart(fleet: &ValidatedFleet) -> Affinity {
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 100,
                pod_affinity_term: PodAffinityTerm {
                    label_selector: Some(pods(fleet)),
                    topology_key: "kubernetes.io/hostname".to_owned(),
                    ..PodAffinityTerm::default()
                },
            }]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

pub(super) fn pods(fleet: &ValidatedFleet) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(fleet)),
        ..LabelSelector::default()
    }
}

fn leave_lost_node(state: &str) -> Toleration {
    Toleration {
        key: Some(format!("node.kubernetes.io/{state}")),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(NODE_LOSS_SECONDS),
        ..Toleration::default()
    }
}

fn container(fleet: &ValidatedFleet, mounts: Vec<VolumeMount>) -> Container {
    let port = |name: &str, port: u16| ContainerPort {
        name: Some(name.to_owned()),
        container_port: port.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    Container {
        name: "server".to_owned(),
        image: Some(fleet.container.image.clone()),
        image_pull_policy: fleet.container.image_pull_policy.clone(),
        args: Some(arguments(fleet, CONFIG_DIRECTORY)),
        env: Some(environment(fleet)),
        env_from: some_of(&fleet.container.env_from),
        ports: Some(vec![
            port(FLIGHT_PORT_NAME, FLIGHT_PORT),
            port(HEALTH_PORT_NAME, HEALTH_PORT),
        ]),
        resources: fleet.container.resources.clone(),
        startup_probe: Some(probe("/live", 1, STARTUP_SECONDS)),
        liveness_probe: Some(probe("/live", 10, 3)),
        readiness_probe: Some(probe("/ready", 2, 2)),
        security_context: Some(confined()),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// What the `restricted` profile asks of a container, and no file of the image written.
pub(super) fn confined() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities {
            add: None,
            drop: Some(vec!["ALL".to_owned()]),
        }),
        ..SecurityContext::default()
    }
}

/// A list, unless it is empty: an empty one would be sent as such.
pub(super) fn some_of<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}

/// The operator's variables first: a later one may refer to an earlier one.
fn environment(fleet: &ValidatedFleet) -> Vec<EnvVar> {
    let mut variables = vec![from_pod("POD_NAME", "metadata.name")];
    match fleet.exposure {
        Exposure::ClusterIp => {}
        Exposure::LoadBalancer { .. } => {
            variables.push(from_pod("REPLICA", "metadata.labels['apps.kubernetes.io/pod-index']"));
        }
    }
    variables.push(EnvVar {
        name: "GOODDATA_FLIGHT_SERVER__ADVERTISE_HOST".to_owned(),
        value: Some(advertised_host(fleet)),
        value_from: None,
    });
    variables.extend(fleet.container.env.iter().cloned());
    variables
}

fn from_pod(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: path.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(HEALTH_PORT_NAME.to_owned()),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(if period_seconds > 2 { 5 } else { 2 }),
        failure_threshold: Some(failure_threshold),
        success_threshold: Some(1),
        ..Probe::default()
    }
}

/// Whole directories, never single files: those are not updated when their source changes.
fn volumes(fleet: &ValidatedFleet) -> (Vec<Volume>, Vec<VolumeMount>) {
    let mut volumes = vec![
        Volume {
            name: "config".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: fleet.name.config_map(),
                items: Some(vec![item(CONFIG_KEY)]),
                default_mode: Some(0o440),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
        empty_volume("tmp", None, TEMPORARY_SPACE),
    ];
    let mut mounts = vec![mount("config", CONFIG_DIRECTORY, true), mount("tmp", "/tmp", false)];
    if fleet.secret_settings.is_some() {
        volumes.push(secret_volume("settings", fleet.name.settings_secret(), &[SETTINGS_KEY]));
        mounts.push(mount("settings", SETTINGS_DIRECTORY, true));
    }
    match fleet.tls {
        Tls::SelfSigned => {
            let files = [CERTIFICATE_KEY, PRIVATE_KEY, CA_KEY];
            volumes.push(secret_volume("tls", fleet.name.tls_secret(), &files));
            mounts.push(mount("tls", TLS_DIRECTORY, true));
        }
        Tls::Disabled => {}
    }
    match fleet.auth {
        Auth::Generated { .. } | Auth::Given(_) => {
            volumes.push(secret_volume("token", fleet.name.token_secret(), &[TOKENS_KEY]));
            mounts.push(mount("token", TOKEN_DIRECTORY, true));
        }
        Auth::None => {}
    }
    (volumes, mounts)
}

fn secret_volume(name: &str, secret: String, files: &[&str]) -> Volume {
    Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret),
            items: Some(files.iter().copied().map(item).collect()),
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

pub(super) fn empty_volume(name: &str, medium: Option<&str>, size: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: medium.map(str::to_owned),
            size_limit: Some(Quantity(size.to_owned())),
        }),
        ..Volume::default()
    }
}

fn item(key: &str) -> KeyToPath {
    KeyToPath {
        key: key.to_owned(),
        path: key.to_owned(),
        mode: None,
    }
}

pub(super) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(read_only),
        ..VolumeMount::default()
    }
}
