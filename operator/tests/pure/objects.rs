//! Random objects: most of them nearly right, as those of people are.

use base64::Engine as _;
use flexconnect_crds::FlexConnectServer;
use flexconnect_operator::dereference::References;
use k8s_openapi::api::core::v1::Secret;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What is in every Secret of the user, and must be nowhere else.
pub(crate) const HIDDEN: &str = "hunter2-hunter2";

/// The Secrets that the random objects may name.
pub(crate) fn references() -> References {
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": "gooddata"}, "data": {"token": encode(HIDDEN), "bad": "//8="}
    }))
    .unwrap();
    let settings: Secret = serde_json::from_value(json!({
        "metadata": {"name": "settings"}, "data": {"sales.toml": encode(&format!("sales.password = '{HIDDEN}'"))}
    }))
    .unwrap();
    [secret, settings].into_iter().collect()
}

fn encode(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Objects that decode, right or wrong.
pub(crate) fn objects() -> impl Strategy<Value = FlexConnectServer> {
    let name = prop_oneof![12 => "[a-z][a-z0-9-]{0,20}[a-z0-9]", 1 => ".{0,60}"];
    let replicas = prop_oneof![12 => 0..6_i32, 1 => -5..1100_i32, 1 => any::<i32>()];
    let sources = prop::collection::vec(source(), 0..3);
    let parts = (
        name,
        replicas,
        settings(),
        tls(),
        auth(),
        exposure(),
        sources,
        server(),
        functions(),
        (settings_from(), operations(), pod_template()),
    );
    parts.prop_map(|parts| {
        let (
            name,
            replicas,
            settings,
            tls,
            auth,
            exposure,
            sources,
            server,
            functions,
            (settings_from, operations, pod_template),
        ) = parts;
        let mut spec = json!({
            "replicas": replicas, "server": server, "functions": functions, "settings": settings,
            "settingsFrom": settings_from, "tls": tls,
            "auth": auth, "exposure": exposure, "dataSources": sources
        });
        spec["podTemplate"] = pod_template;
        spec.as_object_mut()
            .unwrap()
            .extend(operations.as_object().unwrap().clone());
        let metadata = json!({"name": name, "namespace": "ns", "uid": "u1", "generation": 1});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    })
}

fn server() -> impl Strategy<Value = Value> {
    let image = prop_oneof![8 => image().prop_map(Value::from), 1 => Just(Value::Null)];
    let upgrade = prop_oneof![Just("Manual"), Just("WithOperator")];
    (image, env(), resources(), env_from(), upgrade).prop_map(|(image, env, resources, env_from, upgrade)| {
        json!({"image": image, "env": env, "resources": resources, "envFrom": env_from, "upgrade": upgrade})
    })
}

fn functions() -> impl Strategy<Value = Value> {
    let module = prop_oneof![24 => "[a-z_]{1,6}(\\.[a-z]{1,6})?", 1 => ".{0,6}"];
    let config = prop_oneof![24 => "/[a-z]{1,6}", 1 => ".{0,6}"];
    let workers = prop_oneof![4 => Just(Value::Null), 8 => (1..4_u16).prop_map(Value::from), 1 => Just(json!(0))];
    let parts = (
        image(),
        prop::collection::vec(module, 0..3),
        code(),
        prop::collection::vec(config, 0..2),
        workers,
        env(),
        env_from(),
        resources(),
    );
    let functions = parts.prop_map(|(image, modules, code, config, workers, env, env_from, resources)| {
        json!({
            "image": image, "modules": modules, "code": code, "config": config, "workers": workers, "env": env,
            "envFrom": env_from, "resources": resources
        })
    });
    prop_oneof![1 => Just(Value::Null), 1 => functions]
}

fn operations() -> impl Strategy<Value = Value> {
    let amount = prop_oneof![4 => (0..3).prop_map(Value::from), 4 => "[1-9][0-9]?%".prop_map(Value::from), 1 => Just(json!("much"))];
    let budget = prop_oneof![
        4 => Just(Value::Null),
        2 => amount.clone().prop_map(|amount| json!({"maxUnavailable": amount})),
        2 => amount.prop_map(|amount| json!({"minAvailable": amount})),
        1 => Just(json!({})),
    ];
    let scaling = (1..4_u16, 3..6_u16, any::<bool>()).prop_map(|(least, most, queue)| {
        let queue = if queue { json!(5) } else { Value::Null };
        json!({"minReplicas": least, "maxReplicas": most, "queueLength": queue})
    });
    let scaling = prop_oneof![3 => Just(Value::Null), 1 => scaling];
    let network = prop_oneof![Just(Value::Null), Just(json!({"from": [{"podSelector": {}}]}))];
    (budget, scaling, network).prop_map(|(budget, scaling, network)| {
        json!({"disruptionBudget": budget, "autoscaling": scaling, "networkPolicy": network})
    })
}

fn pod_template() -> impl Strategy<Value = Value> {
    let label = prop_oneof![24 => "[a-z]{1,6}", 1 => Just("app.kubernetes.io/instance".to_owned())];
    let container = prop_oneof![
        8 => Just(json!({"name": "server", "tty": true})),
        8 => Just(json!({"name": "proxy", "image": "proxy:1"})),
        1 => Just(json!({"image": "nameless:1"})),
        1 => Just(json!({"name": "server", "image": "other:1"})),
        1 => Just(json!({"name": "server", "$patch": "delete"})),
        1 => Just(json!({"name": "proxy", "imgae": "typo:1"})),
    ];
    let template =
        (label, prop::collection::vec(container, 0..2), any::<bool>()).prop_map(|(label, containers, class)| {
            let class = if class { json!("high") } else { Value::Null };
            json!({
                "metadata": {"labels": {label: "x"}, "annotations": {"a/b": "c"}},
                "spec": {"containers": containers, "priorityClassName": class, "tolerations": null}
            })
        });
    prop_oneof![2 => Just(Value::Null), 2 => template, 1 => Just(json!({}))]
}

fn code() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => Just(Value::Null),
        6 => Just(json!({"configMap": {"name": "code"}})),
        6 => Just(json!({"persistentVolumeClaim": {"claimName": "code"}})),
        6 => Just(json!({"image": {"reference": "code:1"}})),
        1 => Just(json!({})),
    ]
}

fn resources() -> impl Strategy<Value = Value> {
    let memory = prop_oneof![8 => "[1-9]Gi", 1 => "[0-9]{2,3}Mi", 1 => "[0-9a-zA-Z]{0,4}"];
    prop_oneof![1 => Just(Value::Null), 2 => memory.prop_map(|memory| json!({"limits": {"memory": memory}}))]
}

fn env_from() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => Just(json!([])),
        6 => Just(json!([{"secretRef": {"name": "gooddata"}}, {"configMapRef": {"name": "b"}, "prefix": "B_"}])),
        1 => Just(json!([{}])),
    ]
}

fn settings_from() -> impl Strategy<Value = Value> {
    let name = prop_oneof![12 => Just("settings"), 1 => Just("gooddata"), 1 => Just("missing"), 1 => Just("Wrong")];
    prop::collection::vec(name, 0..2).prop_map(|names| {
        names
            .into_iter()
            .map(|name| json!({"secret": {"name": name}}))
            .collect()
    })
}

fn image() -> impl Strategy<Value = String> {
    prop_oneof![16 => Just("sales:1".to_owned()), 1 => ".{0,10}"]
}

fn env() -> impl Strategy<Value = Value> {
    let name = prop_oneof![16 => "[A-Z]{1,8}", 1 => Just("GOODDATA_FLIGHT_SERVER__USE_TLS".to_owned()), 1 => ".{0,5}"];
    prop::collection::vec((name, ".{0,8}"), 0..3).prop_map(|env| {
        env.into_iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect()
    })
}

fn settings() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!([1, "two"])),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    let key = prop_oneof![
        24 => "[a-z_]{1,12}",
        1 => Just("drain_timeout_sec".to_owned()),
        1 => Just("call_deadline_ms".to_owned()),
        1 => Just("listen_port".to_owned()),
    ];
    let table = prop::collection::btree_map(key, value, 0..4).prop_map(|map| json!(map));
    let name = prop_oneof![3 => "[a-z]{1,8}", 1 => Just("server".to_owned()), 1 => Just("flexconnect".to_owned())];
    prop::collection::btree_map(name, table, 0..3).prop_map(|map| json!(map))
}

fn tls() -> impl Strategy<Value = Value> {
    prop_oneof![6 => Just(Value::Null), 6 => Just(json!({"selfSigned": {}})), 4 => Just(json!({"disabled": {}})), 1 => Just(json!({}))]
}

fn auth() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => Just(Value::Null),
        6 => Just(json!({"generated": {}})),
        2 => Just(json!({"none": {}})),
        2 => Just(json!({"secret": {"name": "gooddata", "key": "token"}})),
        1 => Just(json!({"secret": {"name": "gooddata", "key": "bad"}})),
        1 => Just(json!({"none": {}, "generated": {}})),
    ]
}

fn exposure() -> impl Strategy<Value = Value> {
    let template = prop_oneof![
        16 => "[a-z]{1,8}-\\{replica\\}(\\.[a-z]{1,20}){0,4}",
        1 => "10\\.0\\.0\\.\\{replica\\}",
        1 => ".{0,20}",
    ];
    prop_oneof![
        3 => Just(Value::Null),
        1 => Just(json!({"via": {"clusterIP": {}}})),
        3 => template.prop_map(|template| json!({"via": {"loadBalancer": {
            "hostTemplate": template, "annotations": {"dns": template}
        }}})),
        1 => Just(json!({"via": {}})),
    ]
}

fn source() -> impl Strategy<Value = Value> {
    let id = prop_oneof![16 => "[a-z]{1,8}", 1 => ".{0,8}"];
    let endpoint = prop_oneof![16 => Just("https://acme.example.com".to_owned()), 1 => ".{0,20}"];
    let secret = prop_oneof![4 => Just("gooddata"), 1 => Just("missing")];
    (id, endpoint, secret).prop_map(|(id, endpoint, secret)| {
        json!({"id": id, "endpoint": endpoint, "tokenSecret": {"name": secret, "key": "token"}})
    })
}
