//! Each mistake is refused with its field, all of them at once.

use flexconnect_crds::{FlexConnectServer, Manifest};
use rstest::rstest;

use super::*;
use crate::fleet::Drain;

const BASE: &str = "
apiVersion: flexconnect.dev/v1alpha1
kind: FlexConnectServer
metadata: {name: sales, namespace: analytics, uid: u1}
spec:
  replicas: 3
  server: {image: 'sales:1'}
  dataSources:
    - {id: sales, endpoint: 'https://acme.example.com', tokenSecret: {name: gooddata, key: token}}
";

const SECRETS: &str = "
---
apiVersion: v1
kind: Secret
metadata: {name: gooddata}
stringData: {token: \"t1\\n\", empty: '', spaced: 'a b'}
";

fn object(changes: &[(&str, &str)]) -> (FlexConnectServer, References) {
    let mut text = BASE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in the object");
        text = text.replace(from, to);
    }
    let manifest = Manifest::read(&format!("{text}{SECRETS}")).unwrap();
    (manifest.server, manifest.secrets.into_iter().collect())
}

fn refusal(changes: &[(&str, &str)]) -> Invalid {
    let (object, references) = object(changes);
    validate(&object, &references).unwrap_err()
}

#[test]
fn a_good_object_becomes_a_fleet() {
    let (object, references) = object(&[]);
    let fleet = validate(&object, &references).unwrap();
    assert_eq!(
        (fleet.name.as_str(), fleet.namespace.as_str(), fleet.replicas),
        ("sales", "analytics", 3)
    );
    assert_eq!(
        fleet.drain,
        Drain {
            lame_duck: 60,
            propagation_delay: 5,
            timeout: 255
        }
    );
    assert_eq!(fleet.drain.grace_period(), 330);
    assert_eq!(fleet.data_sources[0].name, "sales");
    assert!(fleet.data_sources[0].connection.is_ok());
}

#[rstest]
#[case("replicas: 3", "replicas: -1", "spec.replicas: must be between 0 and 1000")]
#[case("replicas: 3", "replicas: 1001", "spec.replicas: must be between 0 and 1000")]
#[case("replicas: 3", "replicas: 9", "spec.replicas: the URLs of 9 replicas have")]
#[case("name: sales,", "name: Sales,", "metadata.name: must have at most 52 characters")]
#[case("'sales:1'", "''", "spec.server.image: must name an image")]
#[case("'sales:1'", "'sales: 1'", "spec.server.image: must name an image")]
#[case(
    "{image: 'sales:1'}",
    "{image: a, imagePullPolicy: Sometimes}",
    "spec.server.imagePullPolicy: must be"
)]
#[case(
    "{image: 'sales:1'}",
    "{image: a, env: [{name: POD_NAME}]}",
    "spec.server.env[0].name: POD_NAME is set by"
)]
#[case(
    "{image: 'sales:1'}",
    "{image: a, env: [{name: A}, {name: A}]}",
    "spec.server.env[1].name: A is given twice"
)]
#[case(
    "{image: 'sales:1'}",
    "{image: a, resources: {limits: {cpu: lots}}}",
    "resources.limits.cpu: \"lots\" is not"
)]
#[case(
    "{image: 'sales:1'}",
    "{image: a, resources: {limits: {cpu: 1}, requests: {cpu: 1001m}}}",
    "1001m is more than its limit of 1"
)]
#[case("replicas: 3", "tls: {selfSigned: {}, disabled: {}}", "spec.tls: set exactly one of")]
#[case("replicas: 3", "tls: {}", "spec.tls: set exactly one of")]
#[case("replicas: 3", "auth: {none: {}, generated: {}}", "spec.auth: set exactly one of")]
#[case(
    "replicas: 3",
    "auth: {generated: {rotateEvery: 59m}}",
    "spec.auth.generated.rotateEvery: must be a time of at least an hour, in days, hours or minutes (30d, 720h), not \"59m\""
)]
#[case(
    "replicas: 3",
    "auth: {generated: {rotateEvery: '1 month'}}",
    "spec.auth.generated.rotateEvery: must be"
)]
#[case(
    "replicas: 3",
    "exposure: {via: {clusterIP: {}, loadBalancer: {hostTemplate: 'a-{replica}'}}}",
    "spec.exposure.via: set"
)]
#[case(
    "replicas: 3",
    "exposure: {via: {loadBalancer: {hostTemplate: a.example.com}}}",
    "hostTemplate: must hold {replica}"
)]
#[case(
    "replicas: 3",
    "exposure: {via: {loadBalancer: {hostTemplate: 'a_{replica}'}}}",
    "\"a_999\" is none"
)]
#[case(
    "replicas: 3",
    "{exposure: {via: {loadBalancer: {hostTemplate: 'a-{replica}'}}}, auth: {none: {}}}",
    "spec.auth.none: lets"
)]
#[case(
    "replicas: 3",
    "settings: {server: {listen_port: 1}}",
    "spec.settings.server.listen_port: is set by the operator"
)]
#[case(
    "replicas: 3",
    "settings: {Server: {Listen_Port: 1}}",
    "spec.settings.Server.Listen_Port: is set by the operator"
)]
#[case(
    "replicas: 3",
    "settings: {enumerated_tokens: {tokens: [a]}}",
    "spec.settings.enumerated_tokens: is set by"
)]
#[case("replicas: 3", "settings: {a: 1}", "spec.settings.a: must be a table")]
#[case(
    "replicas: 3",
    "settings: {server__x: {a: 1}}",
    "spec.settings.server__x: a table's name"
)]
#[case("replicas: 3", "settings: {a: {b: [1, null]}}", "spec.settings.a.b[1]: has no value")]
#[case(
    "replicas: 3",
    "settings: {server: {drain_timeout_sec: 10}}",
    "drain_timeout_sec: must be at least 240"
)]
#[case(
    "replicas: 3",
    "settings: {server: {lame_duck_sec: soon}}",
    "lame_duck_sec: must be a whole number"
)]
#[case(
    "server: {image: 'sales:1'}",
    "server: {}",
    "spec.functions: set functions, for functions in Python, or server.image"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a b}",
    "spec.functions.image: must name an image"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a, modules: ['sales-report']}",
    "spec.functions.modules[0]: \"sales-report\" is not the name of a Python module"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a, config: [config.toml]}",
    "spec.functions.config[0]: \"config.toml\" is not an absolute path"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a, workers: 0}",
    "spec.functions.workers: must be"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a, code: {}}",
    "spec.functions.code: set exactly one of code.configMap"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a, code: {configMap: {name: A}}}",
    "spec.functions.code.configMap.name: \"A\" is not the name of a ConfigMap"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a, code: {image: {reference: a, pullPolicy: Now}}}",
    "spec.functions.code.image.pullPolicy: must be Always"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a, envFrom: [{}]}",
    "spec.functions.envFrom[0]: set exactly one of secretRef and configMapRef"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a, resources: {limits: {memory: 200Mi}}}",
    "spec.functions.resources.limits.memory: 200Mi is too little for what adds up to 274Mi"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a}\n  settings: {Python: {Path: [x]}}",
    "spec.settings.Python.Path: is not for functions in a container of their own"
)]
#[case(
    "server: {image: 'sales:1'}",
    "functions: {image: a, modules: [b]}\n  settings: {flexconnect: {functions: [c]}}",
    "spec.settings.flexconnect.functions: is said by spec.functions.modules already"
)]
#[case(
    "replicas: 3",
    "settings: {python: {socket: /a}}",
    "spec.settings.python.socket: is set by the operator"
)]
#[case(
    "replicas: 3",
    "settingsFrom: [{secret: {name: A}}]",
    "spec.settingsFrom[0].secret.name: \"A\" is not"
)]
#[case(
    "replicas: 3",
    "disruptionBudget: {}",
    "spec.disruptionBudget: set exactly one of disruptionBudget.maxUnavailable"
)]
#[case(
    "replicas: 3",
    "disruptionBudget: {minAvailable: most}",
    "spec.disruptionBudget.minAvailable: must be a number from 0 on, or a share"
)]
#[case(
    "replicas: 3",
    "autoscaling: {minReplicas: 3, maxReplicas: 2, queueLength: 1}",
    "spec.autoscaling.minReplicas: must not be more than maxReplicas, which is 2"
)]
#[case(
    "replicas: 3",
    "autoscaling: {maxReplicas: 1001, queueLength: 1}",
    "spec.autoscaling.maxReplicas: must be between 1 and 1000"
)]
#[case(
    "replicas: 3",
    "autoscaling: {maxReplicas: 9, queueLength: 1}",
    "spec.autoscaling.maxReplicas: the URLs of 9 replicas have"
)]
#[case(
    "replicas: 3",
    "autoscaling: {maxReplicas: 4}",
    "spec.server.resources.requests.cpu: is needed by spec.autoscaling"
)]
#[case(
    "replicas: 3",
    "podTemplate: {spec: {containers: [{name: server, imagePullPolcy: Never}]}}",
    "imagePullPolcy: is not a field of pods"
)]
#[case(
    "replicas: 3",
    "podTemplate: {spec: {hostNetwork: maybe}}",
    "spec.podTemplate.spec.hostNetwork: invalid type"
)]
#[case(
    "replicas: 3",
    "podTemplate: {spec: {containers: [{image: a}]}}",
    "spec.podTemplate.spec.containers[0]: needs name, which says which one is meant"
)]
#[case(
    "replicas: 3",
    "podTemplate: {metadata: {labels: {app.kubernetes.io/instance: other}}}",
    "app.kubernetes.io/instance is how the operator and the Services find the pods"
)]
#[case(
    "replicas: 3",
    "podTemplate: {metadata: {annotations: {flexconnect.dev/config: a}}}",
    "flexconnect.dev/config tells why the operator replaces pods"
)]
#[case(
    "replicas: 3",
    "podTemplate: {metadata: {name: a}}",
    "spec.podTemplate.metadata.name: cannot be set"
)]
#[case(
    "replicas: 3",
    "podTemplate: {spec: {terminationGracePeriodSeconds: 30}}",
    "terminationGracePeriodSeconds: must be at least 330"
)]
#[case(
    "replicas: 3",
    "podTemplate: {spec: {containers: [{name: server, image: a}]}}",
    "spec.podTemplate.spec.containers: the image of server is set by spec.server.image"
)]
#[case(
    "replicas: 3",
    "podTemplate: {spec: {containers: [{name: server, $patch: delete}]}}",
    "server cannot be deleted: see spec.server"
)]
#[case("id: sales", "id: .sales", "spec.dataSources[0].id: must consist of")]
#[case(
    "https://acme.example.com",
    "http://acme.example.com",
    "spec.dataSources[0].endpoint: must start with https://"
)]
#[case(
    "https://acme.example.com",
    "https://acme.example.com/",
    "spec.dataSources[0].endpoint: must be a scheme and a host"
)]
#[case("https://acme.example.com", "acme", "spec.dataSources[0].endpoint: must start with")]
#[case(
    "id: sales",
    "hostHeader: 'a b', id: sales",
    "spec.dataSources[0].hostHeader: \"a b\" is not a host"
)]
#[case(
    "name: gooddata",
    "name: Good",
    "spec.dataSources[0].tokenSecret.name: \"Good\" is not"
)]
fn a_mistake_is_refused_with_its_field(#[case] from: &str, #[case] to: &str, #[case] expected: &str) {
    let to = to
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .filter(|_| from.starts_with("replicas"))
        .unwrap_or(to);
    let to = to.replace("}}}, auth", "}}}\n  auth");
    let refusal = refusal(&[(from, &to)]).to_string();
    assert!(refusal.contains(expected), "{refusal}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let refusal = refusal(&[
        ("replicas: 3", "replicas: -1\n  tls: {}"),
        ("id: sales", "id: .sales"),
        ("'sales:1'", "''"),
    ]);
    let fields = refusal
        .fields
        .iter()
        .map(|error| error.field.as_str())
        .collect::<Vec<_>>();
    assert_eq!(
        fields,
        [
            "spec.replicas",
            "spec.server.image",
            "spec.tls",
            "spec.dataSources[0].id"
        ]
    );
}

#[test]
fn too_many_urls_are_refused_with_the_number_that_fits() {
    // grpc+tls://sales-0.analytics.svc:17001 has 38 characters.
    let refusal = refusal(&[("replicas: 3", "replicas: 7")]).to_string();
    assert!(
        refusal.contains("7 replicas have 272 characters") && refusal.contains("at most 6 "),
        "{refusal}"
    );
    let (object, references) = object(&[("replicas: 3", "replicas: 6")]);
    assert!(validate(&object, &references).is_ok());
}

#[test]
fn without_a_data_source_there_is_no_limit_of_a_url() {
    let (mut object, references) = object(&[("replicas: 3", "replicas: 1000")]);
    object.spec.data_sources.clear();
    assert_eq!(validate(&object, &references).unwrap().replicas, 1000);
}

#[test]
fn a_missing_secret_for_the_servers_may_still_appear() {
    let refusal = refusal(&[("replicas: 3", "auth: {secret: {name: mine, key: token}}")]);
    assert!(refusal.fields.is_empty());
    assert!(
        refusal
            .to_string()
            .contains("spec.auth.secret: there is no Secret \"mine\""),
        "{refusal}"
    );
}

#[rstest]
#[case("other", "there is no Secret \"other\" in the namespace")]
#[case(
    "gooddata",
    "the Secret \"gooddata\", key \"empty\": must end in .toml, .yaml or .json"
)]
fn a_secret_of_settings_may_still_become_right(#[case] name: &str, #[case] expected: &str) {
    let refusal = refusal(&[("replicas: 3", &format!("settingsFrom: [{{secret: {{name: {name}}}}}]"))]);
    assert!(refusal.fields.is_empty());
    assert!(refusal.to_string().contains(expected), "{refusal}");
}

#[test]
fn times_in_secret_settings_count_too() {
    let (object, _) = object(&[("replicas: 3", "settingsFrom: [{secret: {name: times}}]")]);
    let secret =
        serde_json::json!({"metadata": {"name": "times"}, "data": {"a.toml": "c2VydmVyLmxhbWVfZHVja19zZWMgPSA3"}});
    let references = std::iter::once(serde_json::from_value(secret).unwrap()).collect::<References>();
    assert_eq!(validate(&object, &references).unwrap().drain.lame_duck, 7);
}

#[rstest]
#[case("name: gooddata", "name: other", "there is no Secret \"other\"")]
#[case("key: token", "key: other", "has no key \"other\"")]
#[case("key: token", "key: empty", "has nothing under \"empty\"")]
#[case("key: token", "key: spaced", "that a token cannot have")]
fn the_fleet_runs_without_credentials_of_gooddata(#[case] from: &str, #[case] to: &str, #[case] expected: &str) {
    let (object, references) = object(&[(from, to)]);
    let fleet = validate(&object, &references).unwrap();
    let message = fleet.data_sources[0].connection.as_ref().unwrap_err();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn times_in_the_settings_decide_the_grace_period() {
    let settings =
        "settings: {flexconnect: {call_deadline_ms: 1500}, server: {task_result_ttl_sec: 8, lame_duck_sec: 5}}";
    let (object, references) = object(&[("replicas: 3", settings)]);
    let drain = validate(&object, &references).unwrap().drain;
    assert_eq!(
        drain,
        Drain {
            lame_duck: 5,
            propagation_delay: 5,
            timeout: 2 + 8 + 15
        }
    );
}

#[test]
fn the_longest_deadline_of_a_function_counts() {
    let settings = "settings: {flexconnect: {limits: {Sales: {call_deadline_ms: 300000}, Idle: {threads: 1}}}}";
    let (object, references) = object(&[("replicas: 3", settings)]);
    assert_eq!(validate(&object, &references).unwrap().drain.timeout, 300 + 60 + 15);
}

#[test]
fn no_debug_text_holds_a_token() {
    let (object, references) = object(&[("replicas: 3", "auth: {secret: {name: gooddata, key: token}}")]);
    let fleet = validate(&object, &references).unwrap();
    assert!(!format!("{fleet:?} {references:?}").contains("t1"));
}
