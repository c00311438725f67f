//! What a fleet consists of, and what stays when it is built again.

use flexconnect_crds::Manifest;
use jiff::ToSpan as _;
use rstest::rstest;
use serde_json::{Value, json};

use super::tls::read_names;
use super::*;
use crate::dereference::References;
use crate::exposure::{certificate_hosts, endpoints};
use crate::validate::validate;

/// With a fraction of a second, as clocks have it and certificates do not.
const NOW: &str = "2026-11-21T12:00:00.123456789Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn fleet(extra: &str) -> ValidatedFleet {
    let text = format!(
        "
apiVersion: flexconnect.dev/v1alpha1
kind: FlexConnectServer
metadata: {{name: sales, namespace: ns, uid: u1}}
spec:
  server: {{image: 'sales:1', env: [{{name: RUST_LOG, value: debug}}]}}
  settings: {{Server: {{task_threads: 4}}, sales: {{api: 'https://x', nested: {{n: 1}}}}}}
  {extra}
---
apiVersion: v1
kind: Secret
metadata: {{name: mine}}
stringData: {{token: \"a\\\"b\"}}
"
    );
    let manifest = Manifest::read(&text).unwrap();
    validate(&manifest.server, &manifest.secrets.into_iter().collect::<References>()).unwrap()
}

fn kept(objects: Objects<Prepared>) -> Secrets {
    objects.secrets
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

fn template(objects: &Objects<Prepared>) -> Value {
    serde_json::to_value(&objects.stateful_set).unwrap()["spec"]["template"].clone()
}

#[test]
fn a_second_build_is_the_same() {
    let fleet = fleet("replicas: 3");
    let first = build(&fleet, &Secrets::default(), 0, now()).unwrap();
    let first_json = json_of(&first);
    let second = build(&fleet, &kept(first), 3, now() + 24.hours()).unwrap();
    assert_eq!(first_json, json_of(&second));
}

#[test]
fn names_are_as_documented() {
    let objects = build(&fleet("replicas: 2"), &Secrets::default(), 0, now()).unwrap();
    let name = |metadata: &ObjectMeta| metadata.name.clone().unwrap();
    assert_eq!(name(&objects.stateful_set.metadata), "sales");
    assert_eq!(name(&objects.headless_service.metadata), "sales-replicas");
    assert_eq!(
        objects
            .replica_services
            .iter()
            .map(|service| name(&service.metadata))
            .collect::<Vec<_>>(),
        ["sales-0", "sales-1"]
    );
    assert_eq!(name(&objects.config.metadata), "sales-config");
    assert_eq!(name(&objects.secrets.ca.unwrap().metadata), "sales-ca");
    assert_eq!(name(&objects.secrets.tls.unwrap().metadata), "sales-tls");
    assert_eq!(name(&objects.secrets.token.unwrap().metadata), "sales-token");
}

#[test]
fn every_child_has_its_owner_and_its_labels() {
    let objects = build(&fleet("replicas: 1"), &Secrets::default(), 0, now()).unwrap();
    for child in json_of(&objects)
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|child| match child {
            Value::Array(children) => children.clone(),
            child => vec![child.clone()],
        })
        .filter(|child| !child.is_null())
    {
        assert_eq!(child["metadata"]["ownerReferences"][0]["uid"], "u1", "{child}");
        assert_eq!(child["metadata"]["labels"][MANAGED_BY_LABEL], OPERATOR, "{child}");
        assert_eq!(child["metadata"]["namespace"], "ns", "{child}");
    }
}

#[test]
fn the_configuration_joins_the_tables_of_both_sides() {
    let objects = build(&fleet("replicas: 1"), &Secrets::default(), 0, now()).unwrap();
    let config: toml::Table = objects.config.data.unwrap()[CONFIG_KEY].parse().unwrap();
    let expected: toml::Table = "
        [sales]
        api = 'https://x'
        [sales.nested]
        n = 1
        [server]
        listen_host = '0.0.0.0'
        listen_port = 17001
        advertise_port = 17001
        health_check_host = '0.0.0.0'
        health_check_port = 8877
        use_tls = true
        tls_certificate = '@/etc/flexconnect/tls/tls.crt'
        tls_private_key = '@/etc/flexconnect/tls/tls.key'
        authentication_method = 'token'
        task_threads = 4
    "
    .parse()
    .unwrap();
    assert_eq!(config, expected);
}

#[test]
fn a_generated_token_is_32_bytes_and_stays() {
    let objects = build(&fleet("replicas: 1"), &Secrets::default(), 0, now()).unwrap();
    let token = text_of(objects.secrets.token.as_ref().unwrap(), "token")
        .unwrap()
        .to_owned();
    assert_eq!(token.len(), 43);
    let tokens: toml::Table = text_of(objects.secrets.token.as_ref().unwrap(), TOKENS_KEY)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(tokens["enumerated_tokens"]["tokens"][0].as_str(), Some(token.as_str()));
}

#[test]
fn a_token_of_the_user_is_copied_and_its_change_restarts_nothing() {
    let given = fleet("auth: {secret: {name: mine, key: token}}");
    let first = build(&given, &Secrets::default(), 0, now()).unwrap();
    assert_eq!(text_of(first.secrets.token.as_ref().unwrap(), "token"), Some("a\"b"));
    let before = template(&first);
    let mut changed = given.clone();
    changed.auth = crate::fleet::Auth::Given("other".to_owned().into());
    let second = build(&changed, &kept(first), 1, now()).unwrap();
    assert_eq!(before, template(&second));
    let token = second.secrets.token.as_ref().unwrap();
    assert_eq!(
        (text_of(token, "token"), text_of(token, "next")),
        (Some("a\"b"), Some("other"))
    );
    let accepted: toml::Table = text_of(token, TOKENS_KEY).unwrap().parse().unwrap();
    assert_eq!(accepted["enumerated_tokens"]["tokens"].as_array().unwrap().len(), 2);

    let tokens = read_tokens(token, now()).unwrap();
    let switched = token_secret(&changed, &tokens.accepted(now()));
    assert_eq!(
        (text_of(&switched, "token"), text_of(&switched, "previous")),
        (Some("other"), Some("a\"b"))
    );
    let settled = token_secret(&changed, &read_tokens(&switched, now()).unwrap().handed_out());
    assert_eq!(
        settled.data.unwrap().into_keys().collect::<Vec<_>>(),
        ["token", TOKENS_KEY]
    );
}

#[test]
fn without_tls_and_token_there_are_no_secrets() {
    let objects = build(
        &fleet("tls: {disabled: {}}\n  auth: {none: {}}"),
        &Secrets::default(),
        0,
        now(),
    )
    .unwrap();
    assert!(objects.secrets.ca.is_none() && objects.secrets.tls.is_none() && objects.secrets.token.is_none());
    let pod = template(&objects)["spec"].clone();
    assert_eq!(
        pod["containers"][0]["args"],
        json!(["start", "--config", "/etc/flexconnect/config/flexconnect.toml"])
    );
    assert!(!pod.to_string().contains("secretName"));
}

#[test]
fn the_certificate_covers_every_host() {
    let fleet = fleet("replicas: 3\n  exposure: {via: {loadBalancer: {hostTemplate: '10.0.0.{replica}'}}}");
    let objects = build(&fleet, &Secrets::default(), 0, now()).unwrap();
    let names = read_names(text_of(objects.secrets.tls.as_ref().unwrap(), CERTIFICATE_KEY).unwrap());
    assert_eq!(names, certificate_hosts(&fleet));
    for expected in [
        "10.0.0.2",
        "sales-2.ns.svc",
        "sales-2.ns.svc.cluster.local",
        "*.sales-replicas.ns.svc",
        "localhost",
    ] {
        assert!(names.contains(expected), "{expected}");
    }
}

#[test]
fn scaling_out_extends_the_certificate_without_a_restart() {
    let first = build(&fleet("replicas: 1"), &Secrets::default(), 0, now()).unwrap();
    let (before, certificate) = (template(&first), first.secrets.tls.clone());
    let second = build(&fleet("replicas: 4"), &kept(first), 1, now() + 24.hours()).unwrap();
    assert_eq!(before, template(&second));
    let text = |secret: &Option<Secret>, key| text_of(secret.as_ref().unwrap(), key).unwrap().to_owned();
    assert_eq!(text(&certificate, PRIVATE_KEY), text(&second.secrets.tls, PRIVATE_KEY));
    assert!(read_names(&text(&second.secrets.tls, CERTIFICATE_KEY)).contains("sales-3.ns.svc"));
    let third = build(&fleet("replicas: 2"), &kept(second), 4, now()).unwrap();
    assert!(
        read_names(&text(&third.secrets.tls, CERTIFICATE_KEY)).contains("sales-3.ns.svc"),
        "names are not taken away"
    );
}

#[rstest]
#[case(200, false)]
#[case(250, true)]
#[case(400, true)]
fn a_worn_out_certificate_is_renewed_by_the_same_ca(#[case] days: i64, #[case] renewed: bool) {
    let fleet = fleet("replicas: 1");
    let first = build(&fleet, &Secrets::default(), 0, now()).unwrap();
    let (ca, tls, before) = (first.secrets.ca.clone(), first.secrets.tls.clone(), template(&first));
    let second = build(&fleet, &kept(first), 1, now() + (24 * days).hours()).unwrap();
    assert_eq!(ca, second.secrets.ca);
    assert_eq!(tls != second.secrets.tls, renewed);
    assert_eq!(before, template(&second), "the pods read it while they run");
}

#[test]
fn a_ca_is_renewed_before_a_certificate_would_outlive_it() {
    let fleet = fleet("replicas: 1");
    let first = build(&fleet, &Secrets::default(), 0, now()).unwrap();
    let ca = first.secrets.ca.clone();
    let second = build(&fleet, &kept(first), 1, now() + (24 * 3300).hours()).unwrap();
    assert!(ca.is_some() && ca != second.secrets.ca);
}

#[rstest]
#[case("tls.key")]
#[case("tls.crt")]
#[case("ca.crt")]
fn damaged_keys_are_made_anew(#[case] key: &str) {
    let fleet = fleet("replicas: 1");
    let mut kept = kept(build(&fleet, &Secrets::default(), 0, now()).unwrap());
    for secret in [kept.ca.as_mut().unwrap(), kept.tls.as_mut().unwrap()] {
        if let Some(value) = secret.data.as_mut().unwrap().get_mut(key) {
            value.0 = b"-----BEGIN NONSENSE-----".to_vec();
        }
    }
    let repaired = build(&fleet, &kept, 1, now()).unwrap();
    let again = build(&fleet, &self::kept(build(&fleet, &kept, 1, now()).unwrap()), 1, now()).unwrap();
    assert_ne!(
        text_of(repaired.secrets.tls.as_ref().unwrap(), key),
        Some("-----BEGIN NONSENSE-----")
    );
    assert!(again.secrets.tls.is_some());
}

#[test]
fn a_certificate_of_another_ca_is_not_kept() {
    let fleet = fleet("replicas: 1");
    let mine = build(&fleet, &Secrets::default(), 0, now()).unwrap();
    let other = build(&fleet, &Secrets::default(), 0, now()).unwrap();
    let mixed = Secrets {
        ca: mine.secrets.ca.clone(),
        tls: other.secrets.tls.clone(),
        ..Secrets::default()
    };
    assert_ne!(build(&fleet, &mixed, 1, now()).unwrap().secrets.tls, other.secrets.tls);
}

#[test]
fn replicas_that_drain_keep_their_service() {
    let objects = build(&fleet("replicas: 1"), &Secrets::default(), 3, now()).unwrap();
    assert_eq!(objects.replica_services.len(), 3);
    assert_eq!(objects.stateful_set.spec.unwrap().replicas, Some(1));
}

#[test]
fn a_service_of_a_replica_selects_by_the_pods_name_only() {
    let objects = build(&fleet("replicas: 1"), &Secrets::default(), 0, now()).unwrap();
    let service = serde_json::to_value(&objects.replica_services[0]).unwrap();
    assert_eq!(
        service["spec"]["selector"],
        json!({"statefulset.kubernetes.io/pod-name": "sales-0"})
    );
    assert_eq!(service["spec"]["type"], "ClusterIP");
}

#[test]
fn a_load_balancer_has_its_annotations_with_the_number_in_them() {
    let exposure =
        "{loadBalancer: {hostTemplate: 's-{replica}.example.com', annotations: {dns: 's-{replica}.example.com'}}}";
    let fleet = fleet(&format!("replicas: 2\n  exposure: {{via: {exposure}}}"));
    let objects = build(&fleet, &Secrets::default(), 0, now()).unwrap();
    let service = serde_json::to_value(&objects.replica_services[1]).unwrap();
    assert_eq!(
        (&service["spec"]["type"], &service["metadata"]["annotations"]["dns"]),
        (&json!("LoadBalancer"), &json!("s-1.example.com"))
    );
    assert_eq!(endpoints(&fleet)[1].url(), "grpc+tls://s-1.example.com:17001");
    let pod = template(&objects).to_string();
    assert!(pod.contains("s-$(REPLICA).example.com") && pod.contains("apps.kubernetes.io/pod-index"));
}

#[test]
fn pods_meet_the_restricted_profile_and_mount_no_key_of_the_ca() {
    let objects = build(&fleet("replicas: 1"), &Secrets::default(), 0, now()).unwrap();
    let pod = template(&objects)["spec"].clone();
    let container = &pod["containers"][0];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["terminationGracePeriodSeconds"], 330);
    let text = pod.to_string();
    assert!(!text.contains("sales-ca") && !text.contains("ca.key"));
    assert_eq!(container["env"][1]["value"], "$(POD_NAME).ns.svc");
    assert_eq!(container["env"][2]["name"], "RUST_LOG");
}

#[test]
fn no_debug_text_holds_a_key() {
    let objects = build(&fleet("replicas: 1"), &Secrets::default(), 0, now()).unwrap();
    let token = text_of(objects.secrets.token.as_ref().unwrap(), "token")
        .unwrap()
        .to_owned();
    let text = format!("{objects:?} {:?}", objects.credentials());
    assert!(!text.contains(&token) && !text.contains("PRIVATE KEY"));
    assert!(!format!("{:?}", kept(objects)).contains(&token));
}
