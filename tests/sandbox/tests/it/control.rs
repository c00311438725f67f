//! What the sandbox does beyond GoodData's API: its journal, faults on purpose, and its end.

use flexconnect_sandbox::{Fault, FaultKind, Options, Sandbox};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::rest::{Reply, Rest, SOURCES, assert_problem, document, flexconnect};

async fn started() -> (Sandbox, Rest) {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let rest = Rest::of(&sandbox);
    (sandbox, rest)
}

#[tokio::test]
async fn the_journal_holds_what_was_asked() {
    let (sandbox, rest) = started().await;
    rest.post(SOURCES, &document("sales", &flexconnect())).await;
    rest.get(&format!("{SOURCES}/sales?metaInclude=permissions")).await;
    let requests = sandbox.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].status), ("POST", 201));
    assert_eq!(requests[1].query.as_deref(), Some("metaInclude=permissions"));
    let reply = rest.get("/sandbox/requests").await;
    assert_eq!(reply.body["requests"][1]["path"], format!("{SOURCES}/sales"));
    assert_eq!(reply.body["counters"]["writes"], 1);
    assert_eq!(rest.delete("/sandbox/requests").await.status, StatusCode::NO_CONTENT);
    assert!(sandbox.requests().is_empty());
    assert_eq!(
        rest.token("wrong").get("/sandbox/requests").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn faults_answer_in_place_of_the_api_and_end() {
    let (_sandbox, rest) = started().await;
    let faults = json!({ "faults": ["down:1", "gateway-error:1", "server-error:1", "unauthorized:1", "garbage:1", "rate-limited=7:1"] });
    assert_eq!(
        rest.put("/sandbox/faults", &faults).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(rest.get("/sandbox/faults").await.body, faults);
    let plain = |reply: &Reply, status, text| {
        assert_eq!((reply.status, reply.text.as_str()), (status, text));
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(reply.header("x-gdc-trace-id"), None);
    };
    plain(
        &rest.get(SOURCES).await,
        StatusCode::SERVICE_UNAVAILABLE,
        "Can't connect to upstream service",
    );
    plain(
        &rest.get(SOURCES).await,
        StatusCode::INTERNAL_SERVER_ERROR,
        "Unknown error",
    );
    let reply = rest.get(SOURCES).await;
    assert_problem(&reply, StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    assert_eq!(reply.detail(), "Server-side problem. Contact support.");
    assert_eq!(rest.get(SOURCES).await.status, StatusCode::UNAUTHORIZED);
    let garbage = rest.get(SOURCES).await;
    assert_eq!((garbage.status, &garbage.body), (StatusCode::OK, &Value::Null));
    let limited = rest.get(SOURCES).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        (limited.header("content-type"), limited.header("retry-after")),
        (Some("application/json"), Some("7"))
    );
    assert_eq!(limited.body["error"], "Too Many Requests");
    assert_eq!(rest.get(SOURCES).await.status, StatusCode::OK);
    assert_eq!(rest.get("/sandbox/faults").await.body, json!({ "faults": [] }));
    let wrong = rest.put("/sandbox/faults", &json!({ "faults": ["up"] })).await;
    assert_problem(&wrong, StatusCode::BAD_REQUEST, "Bad Request");
}

#[tokio::test]
async fn a_reset_comes_after_the_write_was_applied() {
    let (sandbox, rest) = started().await;
    sandbox.inject([Fault::new(FaultKind::ResetAfterWrite).times(1)]);
    let error = rest
        .request(Method::POST, SOURCES)
        .json(&document("sales", &flexconnect()))
        .try_send()
        .await
        .unwrap_err();
    assert!(crate::support::chain(&error).contains("reset"), "{error:?}");
    assert_eq!(sandbox.data_source_ids(), ["sales"]);
    assert_eq!((sandbox.writes(), sandbox.requests()[0].reset), (1, true));
    assert_eq!(rest.get(&format!("{SOURCES}/sales")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_canonical_url_differs_from_the_one_sent_for_good() {
    let (sandbox, rest) = started().await;
    sandbox.inject([Fault::new(FaultKind::CanonicalUrl)]);
    let created = rest.post(SOURCES, &document("sales", &flexconnect())).await;
    let shown = &created.body["data"]["attributes"]["url"];
    assert_eq!(shown, "grpc+tls://a:17001/;grpc+tls://b:17001/");
    sandbox.heal();
    assert_eq!(
        &rest.get(&format!("{SOURCES}/sales")).await.body["data"]["attributes"]["url"],
        shown
    );
}

#[tokio::test]
async fn a_dropped_sandbox_closes_its_port_and_its_connections() {
    let (sandbox, rest) = started().await;
    assert_eq!(rest.get(SOURCES).await.status, StatusCode::OK);
    sandbox.stop().await;
    assert!(rest.request(Method::GET, SOURCES).try_send().await.is_err());
}
