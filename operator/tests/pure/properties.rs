//! What holds for every object.

use std::collections::BTreeSet;

use flexconnect_crds::FlexConnectServer;
use flexconnect_operator::build::{Objects, Prepared, Secrets, build};
use flexconnect_operator::exposure;
use flexconnect_operator::fleet::{Tls, ValidatedFleet};
use flexconnect_operator::names::{Ordinal, is_dns_name, is_label};
use flexconnect_operator::validate::{MAX_URL, validate};
use jiff::{Timestamp, ToSpan as _};
use k8s_openapi::api::core::v1::Secret;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};
use x509_parser::extensions::GeneralName;

use crate::objects::{HIDDEN, objects, references};

fn now() -> Timestamp {
    "2026-11-21T12:00:00.5Z".parse().unwrap()
}

/// The fleet, or nothing when the object is wrong; a wrong object is told why.
fn fleet(object: &FlexConnectServer) -> Option<ValidatedFleet> {
    match validate(object, &references()) {
        Ok(fleet) => Some(fleet),
        Err(invalid) => {
            assert!(invalid.fields.len() + invalid.missing.len() > 0);
            for error in invalid.fields.iter().chain(&invalid.missing) {
                assert!(
                    error.field.starts_with("spec.") || error.field.starts_with("metadata."),
                    "{error}"
                );
                assert!(!error.message.ends_with('.') && error.message.contains(' '), "{error}");
            }
            None
        }
    }
}

fn json_of(objects: &Objects<Prepared>) -> Value {
    json!([
        objects.secrets.ca,
        objects.secrets.tls,
        objects.secrets.token,
        objects.secrets.settings,
        objects.config,
        objects.headless_service,
        objects.replica_services,
        objects.policies.budget,
        objects.policies.autoscaler,
        objects.policies.network,
        objects.stateful_set
    ])
}

fn covered(tls: &Secret) -> BTreeSet<String> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(&tls.data.as_ref().unwrap()["tls.crt"].0).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let names = certificate
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names
        .clone();
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => bytes.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        name => format!("neither a name nor an address: {name:?}"),
    };
    names.iter().map(text).collect()
}

/// Properties of fleets say nothing when no object becomes one.
#[test]
fn enough_of_the_objects_are_right() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let right = (0..300)
        .filter(|_| fleet(&objects().new_tree(&mut runner).unwrap().current()).is_some())
        .count();
    assert!((30..270).contains(&right), "{right} of 300");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_second_build_changes_nothing(object in objects()) {
        let Some(fleet) = fleet(&object) else { return Ok(()) };
        let first = build(&fleet, &Secrets::default(), 0, now()).unwrap();
        let before = json_of(&first);
        let second = build(&fleet, &first.secrets, fleet.replicas, now() + 48.hours()).unwrap();
        prop_assert_eq!(before, json_of(&second));
    }

    #[test]
    fn every_address_is_a_name_that_the_certificate_covers(object in objects()) {
        let Some(fleet) = fleet(&object) else { return Ok(()) };
        let objects = build(&fleet, &Secrets::default(), 0, now()).unwrap();
        let covered = objects.secrets.tls.as_ref().map(covered);
        prop_assert_eq!(covered.is_some(), fleet.tls == Tls::SelfSigned);
        for endpoint in exposure::endpoints(&fleet) {
            prop_assert!(is_dns_name(&endpoint.host), "{}", endpoint.host);
            prop_assert!(covered.as_ref().is_none_or(|covered| covered.contains(&endpoint.host)));
        }
    }

    #[test]
    fn no_secret_is_in_an_object_that_is_not_one(object in objects()) {
        let Some(fleet) = fleet(&object) else { return Ok(()) };
        let objects = build(&fleet, &Secrets::default(), 0, now()).unwrap();
        let mut children = json_of(&objects);
        children.as_array_mut().unwrap().retain(|child| child["kind"] != "Secret");
        let open = children.to_string();
        let secrets = objects.secrets;
        prop_assert!(!open.contains(HIDDEN));
        for secret in [secrets.ca, secrets.tls, secrets.token, secrets.settings].into_iter().flatten() {
            for value in secret.data.unwrap().into_values() {
                let text = String::from_utf8(value.0).unwrap();
                prop_assert!(!open.contains(text.trim()), "{}", text);
            }
        }
    }

    #[test]
    fn what_is_said_about_pods_is_in_them_and_their_fleet_finds_them(object in objects()) {
        let Some(fleet) = fleet(&object) else { return Ok(()) };
        let set = build(&fleet, &Secrets::default(), 0, now()).unwrap().stateful_set.spec.unwrap();
        let labels = set.template.metadata.as_ref().unwrap().labels.clone().unwrap();
        for (label, value) in set.selector.match_labels.unwrap() {
            prop_assert_eq!(labels.get(&label), Some(&value));
        }
        let said = fleet.pod_template.as_ref().and_then(|template| template.get("spec"));
        let class = said.and_then(|spec| spec["priorityClassName"].as_str().map(str::to_owned));
        let pod = set.template.spec.unwrap();
        prop_assert_eq!(pod.priority_class_name, class);
        prop_assert!(pod.containers.iter().any(|container| container.name == "server"));
    }

    #[test]
    fn names_of_children_are_labels_and_differ(object in objects()) {
        let Some(fleet) = fleet(&object) else { return Ok(()) };
        let objects = json_of(&build(&fleet, &Secrets::default(), 0, now()).unwrap());
        let children = objects.as_array().unwrap().iter().flat_map(|child| match child {
            Value::Array(children) => children.clone(),
            child => vec![child.clone()],
        });
        let mut seen = BTreeSet::new();
        for child in children.filter(|child| !child.is_null()) {
            let name = child["metadata"]["name"].as_str().unwrap().to_owned();
            prop_assert!(is_label(&name), "{}", name);
            prop_assert!(seen.insert((child["kind"].to_string(), name)));
        }
    }

    #[test]
    fn a_registered_url_fits_and_names_our_hosts(object in objects()) {
        let Some(fleet) = fleet(&object) else { return Ok(()) };
        if fleet.data_sources.is_empty() {
            return Ok(());
        }
        let urls = exposure::endpoints(&fleet).iter().map(exposure::Endpoint::url).collect::<Vec<_>>();
        prop_assert!(urls.join(";").len() <= MAX_URL);
        let template = match &fleet.exposure {
            flexconnect_operator::fleet::Exposure::ClusterIp => None,
            flexconnect_operator::fleet::Exposure::LoadBalancer { host_template, .. } => Some(host_template.as_str()),
        };
        let own = exposure::own_hosts(&fleet.name, &fleet.namespace, template);
        prop_assert!((0..fleet.replicas).all(|ordinal| own.contains(&exposure::endpoint(&fleet, Ordinal(ordinal)).host)));
    }

    #[test]
    fn the_configuration_can_be_read_back(object in objects()) {
        let Some(fleet) = fleet(&object) else { return Ok(()) };
        let objects = build(&fleet, &Secrets::default(), 0, now()).unwrap();
        let text = objects.config.data.unwrap().remove("flexconnect.toml").unwrap();
        let config: toml::Table = text.parse().unwrap();
        prop_assert_eq!(config["server"]["listen_port"].as_integer(), Some(17001));
        prop_assert_eq!(config["server"]["use_tls"].as_bool(), Some(fleet.tls == Tls::SelfSigned));
    }
}
