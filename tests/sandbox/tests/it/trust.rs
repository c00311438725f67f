//! Which certificates a connection trusts.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flexconnect_sandbox::Profile;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::flight::{Authority, Flight, Script};
use crate::support::rest::document;
use crate::support::setup::{NONE, Setup};

#[tokio::test]
async fn only_the_registered_certificate_is_trusted() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Flight::start(Script {
        tls: Some(ours.identity()),
        ..Script::default()
    });
    let root = |pem: &str| BASE64_STANDARD.encode(pem);
    let trusting = async |certificate: String| {
        Setup::of(Profile::Strict, &[&server], &[("tlsRootCertificate", &certificate)]).await
    };
    assert_eq!(trusting(root(ours.pem())).await.rows().await.location, server.url());
    let both = format!("{}{}", theirs.pem(), ours.pem());
    assert_eq!(
        trusting(root(&both)).await.rows().await.location,
        server.url(),
        "while a CA is being replaced"
    );

    let setup = trusting(root(theirs.pem())).await;
    let (failure, _) = setup.failure().await;
    assert!(failure.contains("invalid peer certificate"), "{failure}");
    let tested = setup.test(&json!({})).await;
    assert_eq!(tested["successful"], false);
    assert!(
        tested["error"].as_str().unwrap().contains("invalid peer certificate"),
        "{tested}"
    );
    let (failure, _) = Setup::of(Profile::Strict, &[&server], NONE).await.failure().await;
    assert!(failure.contains("no `tlsRootCertificate`"), "{failure}");
    let (failure, _) = trusting("no base64".to_owned()).await.failure().await;
    assert!(failure.contains("the data source `sales` cannot be used"), "{failure}");
}

#[tokio::test]
async fn a_withdrawn_certificate_ends_to_be_trusted() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Flight::start(Script {
        tls: Some(ours.identity()),
        ..Script::default()
    });
    let parameter = |pem: &str| json!([{ "name": "tlsRootCertificate", "value": BASE64_STANDARD.encode(pem) }]);
    let setup = Setup::of(
        Profile::Strict,
        &[&server],
        &[("tlsRootCertificate", &BASE64_STANDARD.encode(ours.pem()))],
    )
    .await;
    assert_eq!(setup.rows().await.row_count, 1);
    let patch = document("sales", &json!({ "parameters": parameter(theirs.pem()) }));
    assert_eq!(
        setup
            .rest
            .patch("/api/v1/entities/dataSources/sales", &patch)
            .await
            .status,
        StatusCode::OK
    );
    let (failure, _) = setup.failure().await;
    assert!(failure.contains("invalid peer certificate"), "{failure}");
}
