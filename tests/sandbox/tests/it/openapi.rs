//! The sandbox's answers against the vendor's own OpenAPI document: every member it declares has the declared shape,
//! and there is none that it does not declare.

use flexconnect_sandbox::{Dataset, Options, Sandbox};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::flight::{Flight, Script};
use crate::support::rest::{Reply, Rest, document, flexconnect};

/// Schemas of responses, strict about members that nobody declared.
struct Contract(Value);

impl Contract {
    fn read() -> Self {
        let mut document = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
        forbid_undeclared(&mut document);
        Self(document)
    }

    /// Checks an answer to `operation`, for instance `get /api/v1/profile`.
    fn check(&self, operation: &str, reply: &Reply) {
        let (method, path) = operation.split_once(' ').unwrap();
        let responses = &self.0["paths"][path][method]["responses"];
        let mut response = &responses[reply.status.as_str()];
        if let Some(reference) = response["$ref"].as_str() {
            response = self.0.pointer(reference.trim_start_matches('#')).unwrap();
        }
        assert!(response.is_object(), "{operation} does not declare {}", reply.status);
        let content = response["content"].as_object().filter(|content| !content.is_empty());
        let Some(content) = content else {
            assert_eq!(reply.text, "", "{operation} declares no body");
            return;
        };
        let media = reply.header("content-type").unwrap();
        let declared = content
            .get(media)
            .unwrap_or_else(|| panic!("{operation} does not declare {media}"));
        let mut schema = declared["schema"].clone();
        close(&mut schema);
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&reply.body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{operation}: {errors:#?}\n{:#}", reply.body);
    }
}

/// Closes every object where it is used, not where it is declared, since a declaration may also be one part of an
/// `allOf`.
fn forbid_undeclared(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match (name.as_str(), &mut *member) {
                    ("properties", Value::Object(properties)) => properties.values_mut().for_each(close),
                    ("items", items) => close(items),
                    _ => {}
                }
                forbid_undeclared(member);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(forbid_undeclared),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn close(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    let open = members.contains_key("additionalProperties");
    let composed = ["$ref", "allOf", "oneOf", "properties"]
        .iter()
        .any(|name| members.contains_key(*name));
    if composed && !open {
        members.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
}

#[test]
fn the_contract_is_strict() {
    let contract = Contract::read();
    let schema = &contract.0["components"]["schemas"]["JsonApiDataSourceOut"]["properties"]["attributes"];
    assert_eq!(schema["unevaluatedProperties"], false);
    let mut whole: Map<_, _> = schema.as_object().unwrap().clone();
    whole.insert("components".to_owned(), contract.0["components"].clone());
    let validator = jsonschema::draft202012::new(&Value::from(whole)).unwrap();
    let mut attributes = json!({ "name": "n", "type": "FLEXCONNECT", "schema": "" });
    assert!(validator.is_valid(&attributes));
    attributes["token"] = json!("shown");
    assert!(!validator.is_valid(&attributes), "a secret is nowhere declared");
}

#[tokio::test]
async fn every_answer_is_as_declared() {
    let contract = Contract::read();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let server = Flight::start(Script::default());
    let rest = Rest::of(&sandbox);
    let sources = "/api/v1/entities/dataSources";
    let one = format!("{sources}/sales");

    let mut attributes = flexconnect();
    attributes["url"] = json!(server.url());
    attributes["cacheRetention"] = json!({ "type": "VALIDITY_PERIOD", "validityPeriod": "P1D" });
    attributes["alternativeDataSourceId"] = json!("other");
    let body = document("sales", &attributes);
    contract.check("post /api/v1/entities/dataSources", &rest.post(sources, &body).await);
    contract.check("put /api/v1/entities/dataSources/{id}", &rest.put(&one, &body).await);
    let patch = document("sales", &json!({ "name": "Renamed" }));
    contract.check(
        "patch /api/v1/entities/dataSources/{id}",
        &rest.patch(&one, &patch).await,
    );
    for query in ["", "?metaInclude=all"] {
        contract.check(
            "get /api/v1/entities/dataSources/{id}",
            &rest.get(&format!("{one}{query}")).await,
        );
        contract.check(
            "get /api/v1/entities/dataSources",
            &rest.get(&format!("{sources}{query}")).await,
        );
        let identifiers = format!("/api/v1/entities/dataSourceIdentifiers{query}");
        contract.check(
            "get /api/v1/entities/dataSourceIdentifiers",
            &rest.get(&identifiers).await,
        );
    }
    let json = rest
        .request(Method::GET, sources)
        .accepting("application/json")
        .send()
        .await;
    contract.check("get /api/v1/entities/dataSources", &json);

    let stored = "/api/v1/actions/dataSources/sales";
    for body in [json!({}), json!({ "url": "grpc://127.0.0.1:1" })] {
        let tested = rest.post(&format!("{stored}/test"), &body).await;
        contract.check("post /api/v1/actions/dataSources/{dataSourceId}/test", &tested);
    }
    let tested = rest
        .post("/api/v1/actions/dataSource/test", &json!({ "type": "FLEXCONNECT" }))
        .await;
    contract.check("post /api/v1/actions/dataSource/test", &tested);
    let wanted = json!({ "scanTables": true, "scanViews": true, "separator": "__" });
    let scanned = rest.post(&format!("{stored}/scan"), &wanted).await;
    contract.check("post /api/v1/actions/dataSources/{dataSourceId}/scan", &scanned);
    let schemata = rest.get(&format!("{stored}/scanSchemata")).await;
    contract.check("get /api/v1/actions/dataSources/{dataSourceId}/scanSchemata", &schemata);
    let notified = rest
        .request(Method::POST, &format!("{stored}/uploadNotification"))
        .send()
        .await;
    contract.check(
        "post /api/v1/actions/dataSources/{dataSourceId}/uploadNotification",
        &notified,
    );

    let dataset = |id: &str, table_id| Dataset {
        id: id.to_owned(),
        data_source_id: "sales".to_owned(),
        table_id,
    };
    let datasets = vec![dataset("orders", Some("Orders".to_owned())), dataset("query", None)];
    sandbox.set_workspaces([("demo".to_owned(), datasets)].into());
    contract.check(
        "get /api/v1/entities/workspaces",
        &rest.get("/api/v1/entities/workspaces").await,
    );
    let datasets = rest.get("/api/v1/entities/workspaces/demo/datasets").await;
    contract.check("get /api/v1/entities/workspaces/{workspaceId}/datasets", &datasets);
    for path in [
        "/api/v1/profile",
        "/api/v1/options",
        "/api/v1/options/availableDrivers",
        "/api/v1/entities/organization",
    ] {
        contract.check(&format!("get {path}"), &rest.get(path).await);
    }
    let organization = rest
        .get("/api/v1/entities/admin/organizations/sandbox?metaInclude=permissions")
        .await;
    contract.check("get /api/v1/entities/admin/organizations/{id}", &organization);
    contract.check("delete /api/v1/entities/dataSources/{id}", &rest.delete(&one).await);
}
