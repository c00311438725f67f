//! Connection tests and scans, which ask servers without a query.

use flexconnect_sandbox::Profile;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::flight::{Answer, Flight, Script};
use crate::support::setup::{NONE, ROUND_ROBIN, Setup, dead, server};

#[tokio::test]
async fn the_connection_test_tells_what_is_wrong() {
    let guarded = Flight::start(Script {
        token: Some("other".to_owned()),
        ..Script::default()
    });
    let setup = Setup::of(Profile::Strict, &[&guarded], NONE).await;
    let tested = setup.test(&json!({})).await;
    assert!(tested["error"].as_str().unwrap().contains("token"), "{tested}");
    let tested = setup.test(&json!({ "token": "other" })).await;
    assert_eq!(
        tested["successful"], true,
        "the body's fields go over the stored ones: {tested}"
    );
    assert!(tested["queryDurationMillis"]["simpleSelect"].is_u64());
    let tested = setup.test(&json!({ "url": "grpc://sandbox.invalid:1" })).await;
    assert!(
        tested["error"]
            .as_str()
            .unwrap()
            .starts_with("cannot connect to grpc://sandbox.invalid:1"),
        "{tested}"
    );
}

#[tokio::test]
async fn the_connection_test_asks_every_server_that_queries_go_to() {
    let (gone, good) = (dead(), server(Answer::Rows));
    let balanced = Setup::of(Profile::Strict, &[&good, &gone], ROUND_ROBIN)
        .await
        .test(&json!({}))
        .await;
    assert!(balanced["error"].as_str().unwrap().contains(&gone.url()), "{balanced}");
    let in_order = Setup::of(Profile::Strict, &[&gone, &good], NONE)
        .await
        .test(&json!({}))
        .await;
    assert_eq!(in_order["successful"], true, "{in_order}");
}

#[tokio::test]
async fn a_scan_lists_the_functions_as_tables() {
    let server = server(Answer::Rows);
    let setup = Setup::of(Profile::Strict, &[&server], NONE).await;
    let path = "/api/v1/actions/dataSources/sales/scan";
    let scanned = setup
        .rest
        .post(
            path,
            &json!({ "scanTables": true, "scanViews": false, "separator": "__" }),
        )
        .await;
    let column = json!({ "dataType": "STRING", "isNullable": true, "isPrimaryKey": false, "name": "server" });
    let table = json!({ "columns": [column], "id": "WhereAmI", "path": ["WhereAmI"], "type": "TABLE" });
    let mut shown = scanned.body["pdm"]["tables"][0].clone();
    shown["columns"][0]["isNullable"] = json!(true);
    assert_eq!((shown, &scanned.body["warnings"]), (table, &json!([])));
    assert_eq!(setup.rest.post(path, &json!({})).await.status, StatusCode::BAD_REQUEST);
}
