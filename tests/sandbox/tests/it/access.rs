//! Who may see what: host names, tokens, and a user without rights.

use flexconnect_sandbox::{Options, Variant};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::rest::{NOT_FOUND, SOURCES, assert_problem, document, flexconnect, started, with_sales};

#[tokio::test]
async fn a_wrong_token_gets_an_empty_401() {
    let (_sandbox, rest) = with_sales(Options::default()).await;
    let reply = rest.clone().token("wrong").get(SOURCES).await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::UNAUTHORIZED, ""));
    assert_eq!(
        (reply.header("content-type"), reply.header("x-gdc-trace-id")),
        (None, None)
    );
    assert_eq!(
        reply.header("www-authenticate"),
        Some(
            "Bearer error=\"invalid_token\", error_description=\"Unable to lookup user details for provided Bearer \
             token\", error_uri=\"https://tools.ietf.org/html/rfc6750#section-3.1\""
        )
    );
}

#[tokio::test]
async fn no_token_is_a_redirect_for_browsers_and_401_for_scripts() {
    let (_sandbox, rest) = started(Options::default()).await;
    let reply = rest.clone().anonymous().get(SOURCES).await;
    assert_eq!(reply.status, StatusCode::FOUND);
    assert_eq!(reply.header("location"), Some("/oauth2/authorization/127.0.0.1"));
    let script = rest
        .anonymous()
        .request(Method::GET, SOURCES)
        .header("X-Requested-With", "XMLHttpRequest");
    let reply = script.send().await;
    assert_eq!(
        (reply.status, reply.text.as_str()),
        (StatusCode::UNAUTHORIZED, "/appLogin")
    );
}

#[tokio::test]
async fn the_host_name_picks_the_organization_before_the_token_counts() {
    let (_sandbox, rest) = started(Options {
        host: Some("acme.example.com".to_owned()),
        ..Options::default()
    })
    .await;
    assert_problem(
        &rest.clone().token("wrong").get(SOURCES).await,
        StatusCode::NOT_FOUND,
        "Not Found",
    );
    let reply = rest
        .request(Method::GET, SOURCES)
        .header("Host", "acme.example.com")
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(
        reply.body["links"]["self"],
        format!("http://acme.example.com{SOURCES}?page=0&size=20")
    );
}

#[tokio::test]
async fn identifiers_show_little_and_to_everybody() {
    let (_sandbox, rest) = with_sales(Options {
        viewer_token: Some("viewer".into()),
        ..Options::default()
    })
    .await;
    let path = "/api/v1/entities/dataSourceIdentifiers";
    let reply = rest.clone().token("viewer").get(&format!("{path}/sales")).await;
    assert_eq!(reply.body["data"]["type"], "dataSourceIdentifier");
    assert_eq!(
        reply.body["data"]["attributes"],
        json!({ "name": "Sales", "schema": "", "type": "FLEXCONNECT" })
    );
    assert_eq!(rest.get(path).await.body["data"][0]["id"], "sales");
    assert_problem(
        &rest.get(&format!("{path}/missing")).await,
        StatusCode::NOT_FOUND,
        "Not Found",
    );
}

#[tokio::test]
async fn without_rights_nothing_can_be_told_from_missing() {
    let options = Options {
        viewer_token: Some("viewer".into()),
        ..Options::default()
    };
    let (_sandbox, rest) = with_sales(options.clone()).await;
    let viewer = rest.token("viewer");
    let path = format!("{SOURCES}/sales");
    let body = document("sales", &flexconnect());
    for reply in [
        viewer.get(&path).await,
        viewer.patch(&path, &body).await,
        viewer.put(&path, &body).await,
        viewer.delete(&path).await,
        viewer
            .post(&format!("/api/v1/actions/dataSources/{}/test", "sales"), &json!({}))
            .await,
    ] {
        assert_problem(&reply, StatusCode::NOT_FOUND, "Not Found");
        assert_eq!(reply.detail(), NOT_FOUND);
    }
    assert_eq!(viewer.get(SOURCES).await.body["data"], json!([]));
    assert_problem(&viewer.post(SOURCES, &body).await, StatusCode::FORBIDDEN, "Forbidden");
    assert_eq!(
        viewer.get("/api/v1/profile").await.body["permissions"],
        json!(["BASE_UI_ACCESS"])
    );
    let variants = [Variant::CreateWithoutRightsIsNotFound].into();
    let (_sandbox, rest) = started(Options { variants, ..options }).await;
    assert_problem(
        &rest.token("viewer").post(SOURCES, &body).await,
        StatusCode::NOT_FOUND,
        "Not Found",
    );
}

#[tokio::test]
async fn the_organization_is_a_redirect() {
    let (_sandbox, rest) = started(Options {
        organization: "acme".to_owned(),
        ..Options::default()
    })
    .await;
    let reply = rest.get("/api/v1/entities/organization").await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::FOUND, ""));
    let location = reply.header("location").unwrap();
    assert_eq!(location, "/api/v1/entities/admin/organizations/acme");
    let reply = rest.get(&format!("{location}?metaInclude=permissions")).await;
    assert_eq!(reply.body["data"]["meta"]["permissions"][0], "MANAGE");
    assert_eq!(rest.get("/api/v1/profile").await.body["organizationId"], "acme");
    let other = rest.get("/api/v1/entities/admin/organizations/other").await;
    assert_problem(&other, StatusCode::NOT_FOUND, "Not Found");
}
