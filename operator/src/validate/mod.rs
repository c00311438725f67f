//! The validate step: all errors at once, each with its field, and a fleet that cannot be wrong. Pure.
//!
//! The API server refuses much of this already, by the rules in the CRD. It is checked here again, because `local` has no
//! API server and because an object may be older than a rule.

mod data_source;
mod environment;
mod functions;
mod image;
mod memory;
mod operations;
mod pod_template;
mod resources;
mod secret_settings;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

pub(crate) use data_source::connection;
use flexconnect_crds as crd;
use flexconnect_crds::{FlexConnectServer, REPLICA_PLACEHOLDER, Rollout, SecretKey};

use crate::dereference::References;
use crate::exposure;
use crate::fleet::{Auth, Autoscaling, Container, Exposure, SecretTable, Tls, ValidatedFleet};
use crate::names::{FleetName, MAX_FLEET_NAME, MAX_REPLICAS, Namespace, Ordinal, is_dns_name};

/// The longest URL of a data source that GoodData stores.
pub const MAX_URL: usize = 255;

/// Pods read a changed Secret within two minutes: a rotation has to end before the next one begins.
const SHORTEST_ROTATION: Duration = Duration::from_hours(1);

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The path of the field, as users write it: `spec.dataSources[0].id`.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

/// Everything that keeps an object from becoming a fleet. At least one list holds something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invalid {
    /// What the object itself says wrongly: it stays wrong until the object changes.
    pub fields: Vec<FieldError>,
    /// What the object names and is not there: it may appear without a change of the object.
    pub missing: Vec<FieldError>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.fields.iter().chain(&self.missing).enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// Collects what is wrong.
#[derive(Default)]
pub(crate) struct Errors(Invalid);

impl Errors {
    fn field(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.fields.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }

    fn missing(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.missing.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }
}

/// Makes a fleet of an object and of what it refers to.
///
/// # Errors
/// Everything that is wrong, not only the first. What concerns GoodData alone is no error: see
/// [`DataSource::connection`].
pub fn validate(object: &FlexConnectServer, references: &References) -> Result<ValidatedFleet, Invalid> {
    let mut errors = Errors::default();
    let spec = &object.spec;

    let name = FleetName::parse(object.metadata.name.as_deref().unwrap_or_default());
    if name.is_none() {
        errors.field(
            "metadata.name",
            format!(
                "must have at most {MAX_FLEET_NAME} characters: lower-case letters, digits and '-', starting with a \
                 letter and ending with a letter or digit"
            ),
        );
    }
    let namespace = Namespace::parse(object.metadata.namespace.as_deref().unwrap_or("default"));
    if namespace.is_none() {
        errors.field("metadata.namespace", "must be the name of a namespace");
    }
    let replicas = validate_replicas(spec.replicas, &mut errors);
    let functions = spec
        .functions
        .as_ref()
        .map(|functions| functions::validate(functions, &mut errors));
    let container = validate_container(object, references, &mut errors);
    let settings = settings::validate(&spec.settings, spec.functions.as_ref(), &mut errors);
    let secret_settings =
        secret_settings::validate(&spec.settings_from, spec.functions.as_ref(), references, &mut errors);
    let all_settings = settings::merge(&settings, secret_settings.as_ref().map(SecretTable::expose));
    let drain = settings::drain(&all_settings, &mut errors);
    let result_bytes = memory::validate(spec, &all_settings, &mut errors);
    let pod_template = pod_template::validate(spec, drain, &mut errors);
    let budget = operations::budget(spec.disruption_budget.as_ref(), &mut errors);
    let autoscaling = operations::autoscaling(spec, &mut errors);
    let replicas = replicas.map(|replicas| effective_replicas(replicas, autoscaling));
    let tls = validate_tls(spec.tls.as_ref(), &mut errors);
    let auth = validate_auth(spec.auth.as_ref(), references, &mut errors);
    let exposure = validate_exposure(spec.exposure.as_ref(), &mut errors);
    let data_sources = data_source::validate(&spec.data_sources, references, &mut errors);
    if matches!(
        (&auth, &exposure),
        (Some(Auth::None), Some(Exposure::LoadBalancer { .. }))
    ) {
        errors.field(
            "spec.auth.none",
            "lets anybody who reaches the address outside the cluster call the functions: use auth.generated or \
             auth.secret with exposure.via.loadBalancer",
        );
    }

    let parts = (name, namespace, replicas, container, tls, auth, exposure);
    let (Some(name), Some(namespace), Some(replicas), Some(container), Some(tls), Some(auth), Some(exposure)) = parts
    else {
        return Err(errors.0);
    };
    let uid = object.metadata.uid.clone();
    let fleet = ValidatedFleet {
        name,
        namespace,
        uid,
        replicas,
        max_unavailable: validate_rollout(spec.rollout.as_ref()),
        functions,
        container,
        settings,
        secret_settings,
        result_bytes,
        drain,
        tls,
        auth,
        exposure,
        data_sources,
        budget,
        autoscaling,
        network_policy: spec.network_policy.clone(),
        pod_template,
    };
    validate_url(&fleet, &mut errors);
    if errors.0 == Invalid::default() {
        Ok(fleet)
    } else {
        Err(errors.0)
    }
}

fn validate_rollout(rollout: Option<&Rollout>) -> u16 {
    let most = rollout.and_then(|rollout| u16::try_from(rollout.max_unavailable).ok());
    most.unwrap_or(1).max(1)
}

fn validate_replicas(replicas: i32, errors: &mut Errors) -> Option<u16> {
    let valid = u16::try_from(replicas)
        .ok()
        .filter(|replicas| *replicas <= MAX_REPLICAS);
    if valid.is_none() {
        errors.field(
            "spec.replicas",
            format!("must be between 0 and {MAX_REPLICAS}, not {replicas}"),
        );
    }
    valid
}

/// 0 stops a fleet, whatever an autoscaler wants.
fn effective_replicas(replicas: u16, autoscaling: Option<Autoscaling>) -> u16 {
    match autoscaling {
        Some(autoscaling) if replicas > 0 => replicas.max(autoscaling.least),
        Some(_) | None => replicas,
    }
}

fn validate_container(object: &FlexConnectServer, references: &References, errors: &mut Errors) -> Option<Container> {
    let spec = &object.spec;
    let server = &spec.server;
    if server.image.is_none() && spec.functions.is_none() {
        errors.field(
            "spec.functions",
            "set functions, for functions in Python, or server.image, to an image with functions in it",
        );
    }
    let running = object.status.as_ref().and_then(|status| status.server_image.as_deref());
    let image = image::of_server(server, running, references.server_image());
    let image_valid = image::validate("spec.server.image", image, errors);
    image::validate_policy(
        "spec.server.imagePullPolicy",
        server.image_pull_policy.as_deref(),
        errors,
    );
    let image_pull_secrets = spec
        .image_pull_secrets
        .iter()
        .map(|secret| secret.name.clone())
        .collect::<Vec<_>>();
    for (index, name) in image_pull_secrets.iter().enumerate() {
        validate_object_name(&format!("spec.imagePullSecrets[{index}].name"), "Secret", name, errors);
    }
    environment::validate("spec.server", &server.env, errors);
    environment::refuse_operator_settings("spec.server", &server.env, errors);
    environment::validate_sources("spec.server", &server.env_from, errors);
    resources::validate("spec.server", server.resources.as_ref(), errors);
    image_valid.then(|| Container {
        image: image.to_owned(),
        image_pull_policy: server.image_pull_policy.clone(),
        image_pull_secrets,
        resources: server.resources.clone(),
        env: server.env.clone(),
        env_from: server.env_from.clone(),
    })
}

fn validate_object_name(field: &str, kind: &str, name: &str, errors: &mut Errors) -> bool {
    let valid = is_dns_name(name);
    if !valid {
        errors.field(field, format!("{name:?} is not the name of a {kind}"));
    }
    valid
}

fn validate_tls(tls: Option<&crd::Tls>, errors: &mut Errors) -> Option<Tls> {
    match tls {
        None
        | Some(crd::Tls {
            self_signed: Some(_),
            disabled: None,
        }) => Some(Tls::SelfSigned),
        Some(crd::Tls {
            self_signed: None,
            disabled: Some(_),
        }) => Some(Tls::Disabled),
        Some(
            crd::Tls {
                self_signed: Some(_),
                disabled: Some(_),
            }
            | crd::Tls {
                self_signed: None,
                disabled: None,
            },
        ) => {
            errors.field("spec.tls", "set exactly one of tls.selfSigned and tls.disabled");
            None
        }
    }
}

fn validate_auth(auth: Option<&crd::Auth>, references: &References, errors: &mut Errors) -> Option<Auth> {
    let Some(auth) = auth else {
        return Some(Auth::Generated { every: None });
    };
    match auth {
        crd::Auth {
            generated: Some(generated),
            secret: None,
            none: None,
        } => Some(Auth::Generated {
            every: validate_rotation(generated, errors)?,
        }),
        crd::Auth {
            generated: None,
            secret: None,
            none: Some(_),
        } => Some(Auth::None),
        crd::Auth {
            generated: None,
            secret: Some(key),
            none: None,
        } => {
            validate_secret_key("spec.auth.secret", key, errors)?;
            match references.token(key) {
                Ok(token) => Some(Auth::Given(token)),
                Err(message) => {
                    errors.missing("spec.auth.secret", message);
                    None
                }
            }
        }
        _ => {
            errors.field(
                "spec.auth",
                "set exactly one of auth.generated, auth.secret and auth.none",
            );
            None
        }
    }
}

/// The time between two tokens. None outside: it is wrong.
#[expect(clippy::option_option, reason = "no time is right, too")]
fn validate_rotation(generated: &crd::Generated, errors: &mut Errors) -> Option<Option<Duration>> {
    let Some(text) = &generated.rotate_every else {
        return Some(None);
    };
    let in_text = |character: char| character.is_ascii_digit() || "dhm".contains(character);
    let every = Some(text).filter(|text| text.len() <= 16 && text.chars().all(in_text));
    let every = every.and_then(|text| humantime::parse_duration(text).ok());
    match every {
        Some(every) if every >= SHORTEST_ROTATION => Some(Some(every)),
        Some(_) | None => {
            errors.field(
                "spec.auth.generated.rotateEvery",
                format!("must be a time of at least an hour, in days, hours or minutes (30d, 720h), not {text:?}"),
            );
            None
        }
    }
}

fn validate_exposure(exposure: Option<&crd::Exposure>, errors: &mut Errors) -> Option<Exposure> {
    let via = match exposure {
        None => None,
        Some(crd::Exposure {
            addressing: crd::Addressing::PerReplica,
            via,
        }) => via.as_ref(),
    };
    match via {
        None
        | Some(crd::Via {
            cluster_ip: Some(_),
            load_balancer: None,
        }) => Some(Exposure::ClusterIp),
        Some(crd::Via {
            cluster_ip: None,
            load_balancer: Some(load_balancer),
        }) => validate_host_template(&load_balancer.host_template, errors).then(|| Exposure::LoadBalancer {
            host_template: load_balancer.host_template.clone(),
            annotations: load_balancer.annotations.clone(),
        }),
        Some(
            crd::Via {
                cluster_ip: Some(_),
                load_balancer: Some(_),
            }
            | crd::Via {
                cluster_ip: None,
                load_balancer: None,
            },
        ) => {
            errors.field(
                "spec.exposure.via",
                "set exactly one of exposure.via.clusterIP and exposure.via.loadBalancer",
            );
            None
        }
    }
}

fn validate_host_template(template: &str, errors: &mut Errors) -> bool {
    let field = "spec.exposure.via.loadBalancer.hostTemplate";
    if !template.contains(REPLICA_PLACEHOLDER) {
        errors.field(field, "must hold {replica}, so that each replica has a host of its own");
        return false;
    }
    let host = exposure::render(template, Ordinal(MAX_REPLICAS - 1));
    if !is_dns_name(&host) {
        errors.field(
            field,
            format!("must become a host name once {{replica}} is replaced by a number; {host:?} is none"),
        );
        return false;
    }
    true
}

/// A name and a key that a Secret can have.
fn validate_secret_key(field: &str, key: &SecretKey, errors: &mut Errors) -> Option<()> {
    let name_valid = validate_object_name(&format!("{field}.name"), "Secret", &key.name, errors);
    let in_key = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let key_valid = (1..=253).contains(&key.key.len()) && key.key.bytes().all(in_key);
    if !key_valid {
        errors.field(
            format!("{field}.key"),
            format!("{:?} is not a key that a Secret can have", key.key),
        );
    }
    (name_valid && key_valid).then_some(())
}

/// GoodData stores a URL of at most 255 characters, and every replica is in it.
fn validate_url(fleet: &ValidatedFleet, errors: &mut Errors) {
    if fleet.data_sources.is_empty() {
        return;
    }
    let mut length = 0;
    let mut fitting = 0;
    let scaled = fleet
        .autoscaling
        .map(|autoscaling| autoscaling.most)
        .unwrap_or_default();
    let most = fleet.replicas.max(scaled);
    for ordinal in 0..most {
        length += exposure::endpoint(fleet, Ordinal(ordinal)).url().len() + usize::from(ordinal > 0);
        fitting += usize::from(length <= MAX_URL);
    }
    if length > MAX_URL {
        let field = if fleet.replicas < scaled {
            "spec.autoscaling.maxReplicas"
        } else {
            "spec.replicas"
        };
        errors.field(
            field,
            format!(
                "the URLs of {most} replicas have {length} characters, and GoodData stores {MAX_URL}: at most {fitting} \
                 replicas fit; use fewer, or shorter names"
            ),
        );
    }
}
