//! GoodData's REST contract, as clients see it: statuses, envelopes, media types, headers and texts.

use flexconnect_sandbox::{Dataset, Options, Variant};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::rest::{NOT_FOUND, Reply, SOURCES, assert_problem, document, flexconnect, started, with_sales};

const VENDOR: &str = "application/vnd.gooddata.api+json";

fn with(variant: Variant) -> Options {
    Options {
        variants: [variant].into(),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_created_data_source_is_shown_without_its_secret() {
    let (sandbox, rest) = started(Options::default()).await;
    let created = rest.post(SOURCES, &document("sales", &flexconnect())).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("content-type"), Some(VENDOR));
    for absent in ["location", "etag", "last-modified"] {
        assert_eq!(created.header(absent), None);
    }
    assert_eq!(
        created.header("cache-control"),
        Some("no-cache, no-store, max-age=0, must-revalidate")
    );
    let expected = json!({
        "data": {
            "attributes": {
                "authenticationType": "TOKEN",
                "cacheStrategy": "NEVER",
                "name": "Sales",
                "parameters": [{ "name": "loadBalancing", "value": "round-robin" }],
                "schema": "",
                "type": "FLEXCONNECT",
                "url": "grpc+tls://a:17001;grpc+tls://b:17001",
            },
            "id": "sales",
            "type": "dataSource",
        },
        "links": { "self": format!("{}{SOURCES}/sales", sandbox.endpoint()) },
    });
    assert_eq!(
        created.text,
        expected.to_string(),
        "compact, keys in alphabetical order"
    );
    assert_eq!(rest.get(&format!("{SOURCES}/sales")).await.body, expected);
}

#[tokio::test]
async fn the_content_type_mirrors_accept() {
    let (_sandbox, rest) = with_sales(Options::default()).await;
    let path = format!("{SOURCES}/sales");
    for (accept, expected) in [
        ("application/json", "application/json"),
        (VENDOR, VENDOR),
        ("*/*", VENDOR),
    ] {
        let reply = rest.request(Method::GET, &path).accepting(accept).send().await;
        assert_eq!(reply.header("content-type"), Some(expected), "{accept}");
    }
    let reply = rest
        .request(Method::GET, &format!("{SOURCES}/missing"))
        .accepting("application/json")
        .send()
        .await;
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let reply = rest.request(Method::GET, &path).accepting("text/html").send().await;
    assert_problem(&reply, StatusCode::NOT_ACCEPTABLE, "Not Acceptable");
}

#[tokio::test]
async fn bodies_come_in_a_media_type_that_is_spoken() {
    let (_sandbox, rest) = started(Options::default()).await;
    let body = document("sales", &flexconnect()).to_string();
    let reply = rest
        .request(Method::POST, SOURCES)
        .body("text/plain", &body)
        .send()
        .await;
    assert_problem(&reply, StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type");
    let reply = rest
        .request(Method::POST, SOURCES)
        .body("application/json; charset=utf-8", &body)
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let reply = rest
        .request(Method::POST, "/api/v1/actions/dataSource/test")
        .body(VENDOR, "{}")
        .send()
        .await;
    assert_problem(&reply, StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type");
    let reply = rest.request(Method::PATCH, "/api/v1/profile").send().await;
    assert_problem(&reply, StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_its_name() {
    let (sandbox, rest) = started(Options::default()).await;
    let mut no_schema = flexconnect();
    no_schema.as_object_mut().unwrap().remove("schema");
    let changed = |name: &str, value: Value| {
        let mut attributes = flexconnect();
        attributes[name] = value;
        attributes
    };
    for (body, named) in [
        (document("sales", &no_schema), "'schema'"),
        (
            document("sales", &changed("url", json!("u".repeat(256)))),
            "'url' has 256 characters",
        ),
        (document("sales", &changed("type", json!("FLIGHTRPC"))), "'type'"),
        (
            document("sales", &changed("username", json!("u"))),
            "Invalid combination of auth properties.",
        ),
        (
            document("sales", &changed("parameters", json!([{ "name": "loadBalancing" }]))),
            "'parameters'",
        ),
        (document(".sales", &flexconnect()), "data.id"),
        (
            json!({ "data": { "id": "sales", "type": "workspace", "attributes": flexconnect() } }),
            "data.type",
        ),
        (json!([]), "'data'"),
    ] {
        let reply = rest.post(SOURCES, &body).await;
        assert_problem(&reply, StatusCode::BAD_REQUEST, "Bad Request");
        assert!(reply.detail().contains(named), "{reply:?}");
    }
    let reply = rest.request(Method::POST, SOURCES).body(VENDOR, "{").send().await;
    assert_problem(&reply, StatusCode::BAD_REQUEST, "Bad Request");
    assert_eq!((sandbox.data_source_ids().len(), sandbox.writes()), (0, 0));
}

#[tokio::test]
async fn a_url_of_255_characters_still_fits() {
    let (_sandbox, rest) = started(Options::default()).await;
    let mut attributes = flexconnect();
    attributes["url"] = json!(format!("grpc://{}:17001", "h".repeat(255 - 13)));
    assert_eq!(
        rest.post(SOURCES, &document("sales", &attributes)).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_duplicate_is_a_conflict() {
    let (_sandbox, rest) = with_sales(Options::default()).await;
    let reply = rest.post(SOURCES, &document("sales", &flexconnect())).await;
    assert_problem(&reply, StatusCode::CONFLICT, "Conflict");
}

#[tokio::test]
async fn put_replaces_and_patch_merges() {
    let (sandbox, rest) = with_sales(Options::default()).await;
    let path = format!("{SOURCES}/sales");
    let reply = rest
        .patch(&path, &document("sales", &json!({ "name": "Renamed" })))
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.body["data"]["attributes"]["cacheStrategy"], "NEVER");
    assert!(sandbox.data_source("sales").unwrap().token().is_some());

    let whole = json!({ "name": "Sales", "type": "FLEXCONNECT", "schema": "" });
    let reply = rest.put(&path, &document("sales", &whole)).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(
        reply.body["data"]["attributes"], whole,
        "unset attributes are absent, not null"
    );
    assert!(sandbox.data_source("sales").unwrap().token().is_none());
    assert_eq!(sandbox.writes(), 3);
}

#[tokio::test]
async fn type_and_url_are_patched_together_or_not_at_all() {
    let url = document("sales", &json!({ "url": "grpc://c:1" }));
    let path = format!("{SOURCES}/sales");
    let (sandbox, rest) = with_sales(Options::default()).await;
    assert_problem(&rest.patch(&path, &url).await, StatusCode::BAD_REQUEST, "Bad Request");
    let both = document("sales", &json!({ "url": "grpc://c:1", "type": "FLEXCONNECT" }));
    assert_eq!(rest.patch(&path, &both).await.status, StatusCode::OK);
    assert_eq!(sandbox.data_source("sales").unwrap().url(), Some("grpc://c:1"));
    let (_sandbox, rest) = with_sales(with(Variant::TypeWithoutUrlAccepted)).await;
    assert_eq!(rest.patch(&path, &url).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_id_in_the_body_is_that_in_the_path() {
    let other = document("other", &json!({ "name": "n" }));
    let path = format!("{SOURCES}/sales");
    let (_sandbox, rest) = with_sales(Options::default()).await;
    assert_problem(&rest.patch(&path, &other).await, StatusCode::BAD_REQUEST, "Bad Request");
    let (sandbox, rest) = with_sales(with(Variant::IdMismatchAccepted)).await;
    assert_eq!(rest.patch(&path, &other).await.status, StatusCode::OK);
    assert_eq!(sandbox.data_source_ids(), ["sales"]);
}

#[tokio::test]
async fn a_deleted_data_source_is_gone() {
    let (_sandbox, rest) = with_sales(Options::default()).await;
    let path = format!("{SOURCES}/sales");
    let reply = rest.delete(&path).await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(reply.header("content-type"), Some(VENDOR));
    for reply in [
        rest.get(&path).await,
        rest.delete(&path).await,
        rest.put(&path, &document("sales", &flexconnect())).await,
    ] {
        assert_problem(&reply, StatusCode::NOT_FOUND, "Not Found");
        assert_eq!(reply.detail(), NOT_FOUND);
    }
    let (_sandbox, rest) = started(with(Variant::DeleteMissingSucceeds)).await;
    assert_eq!(rest.delete(&path).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn lists_are_paged_and_next_is_always_there() {
    let (sandbox, rest) = started(Options::default()).await;
    for id in ["a", "b", "c"] {
        rest.post(SOURCES, &document(id, &flexconnect())).await;
    }
    let ids = |reply: &Reply| {
        reply.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|data| data["id"].as_str().unwrap().to_owned())
            .collect::<String>()
    };
    let reply = rest.get(&format!("{SOURCES}?size=2&page=1&metaInclude=page")).await;
    assert_eq!(ids(&reply), "c");
    assert_eq!(
        reply.body["links"]["next"],
        format!("{}{SOURCES}?page=2&size=2&metaInclude=page", sandbox.endpoint())
    );
    assert_eq!(
        reply.body["meta"]["page"],
        json!({ "number": 1, "size": 2, "totalElements": 3, "totalPages": 2 })
    );
    let reply = rest.get(&format!("{SOURCES}?page=9")).await;
    assert_eq!(
        (ids(&reply).as_str(), reply.body["links"]["next"].is_string()),
        ("", true)
    );
    assert!(reply.body.get("meta").is_none());
    let reply = rest
        .get(&format!("{SOURCES}?sort=id,desc&filter=id=out=(b)&metaInclude=all"))
        .await;
    assert_eq!(ids(&reply), "ca");
    assert_eq!(reply.body["data"][0]["meta"]["permissions"], json!(["MANAGE", "USE"]));
    assert_eq!(
        reply.body["data"][0]["links"]["self"],
        format!("{}{SOURCES}/c", sandbox.endpoint())
    );
    for wrong in ["page=x", "size=0", "sort=id,up", "filter=id"] {
        assert_problem(
            &rest.get(&format!("{SOURCES}?{wrong}")).await,
            StatusCode::BAD_REQUEST,
            "Bad Request",
        );
    }
}

#[tokio::test]
async fn tests_are_always_200_and_need_a_json_body() {
    let (_sandbox, rest) = with_sales(Options::default()).await;
    let path = "/api/v1/actions/dataSources/sales/test";
    assert_eq!(rest.post(path, &json!({})).await.body, json!({ "successful": true }));
    assert_problem(
        &rest
            .request(Method::POST, path)
            .body("application/json", "")
            .send()
            .await,
        StatusCode::BAD_REQUEST,
        "Bad Request",
    );
    let missing = rest.post("/api/v1/actions/dataSources/missing/test", &json!({})).await;
    assert_problem(&missing, StatusCode::NOT_FOUND, "Not Found");
    let definition = "/api/v1/actions/dataSource/test";
    assert_eq!(
        rest.post(definition, &json!({ "type": "FLEXCONNECT" })).await.status,
        StatusCode::OK
    );
    assert_problem(
        &rest.post(definition, &json!({})).await,
        StatusCode::BAD_REQUEST,
        "Bad Request",
    );
}

#[tokio::test]
async fn upload_notifications_are_counted() {
    let (sandbox, rest) = with_sales(Options::default()).await;
    let reply = rest
        .request(Method::POST, "/api/v1/actions/dataSources/sales/uploadNotification")
        .send()
        .await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::NO_CONTENT, ""));
    let missing = rest
        .request(Method::POST, "/api/v1/actions/dataSources/x/uploadNotification")
        .send()
        .await;
    assert_problem(&missing, StatusCode::NOT_FOUND, "Not Found");
    assert_eq!(
        sandbox.counters().upload_notifications,
        [("sales".to_owned(), 1)].into()
    );
}

#[tokio::test]
async fn datasets_tell_which_data_source_they_read() {
    let (sandbox, rest) = started(Options::default()).await;
    let dataset = |id: &str, table: Option<&str>| Dataset {
        id: id.to_owned(),
        data_source_id: "sales".to_owned(),
        table_id: table.map(str::to_owned),
    };
    let datasets = vec![dataset("orders", Some("Orders")), dataset("query", None)];
    sandbox.set_workspaces([("demo".to_owned(), datasets)].into());
    assert_eq!(
        rest.get("/api/v1/entities/workspaces").await.body["data"][0]["id"],
        "demo"
    );
    let reply = rest
        .get("/api/v1/entities/workspaces/demo/datasets?origin=NATIVE&size=500")
        .await;
    let [table, sql] = [0, 1].map(|at| &reply.body["data"][at]["attributes"]);
    assert_eq!(table["dataSourceTableId"], "sales:Orders");
    assert_eq!(sql["sql"]["dataSourceId"], "sales");
    let missing = rest.get("/api/v1/entities/workspaces/other/datasets").await;
    assert_problem(&missing, StatusCode::NOT_FOUND, "Not Found");
}
