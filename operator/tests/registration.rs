//! Registration against a stand-in for GoodData: what is written, how often, and what each fault over there becomes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests, too")]

use std::collections::BTreeSet;
use std::time::Duration;

use flexconnect_operator::registration::{
    Adoption, CacheStrategy, Class, Client, Connection, Desired, LoadBalancing, Reason, Record, Refusal, Registered,
    RegistrationError, Removed, TestOutcome, Timeouts, Traffic, notify, reconcile, remove, test,
};
use flexconnect_sandbox::{ConnectionTest, DEFAULT_TOKEN, Dataset, Fault, FaultKind, Options, Sandbox, Variant};
use reqwest::Method;
use rstest::rstest;
use secrecy::ExposeSecret as _;

const SOURCES: &str = "/api/v1/entities/dataSources";

/// A stand-in whose connection test does not dial: no fleet runs here.
fn options() -> Options {
    Options {
        connection_test: ConnectionTest::AssumeSuccess,
        ..Options::default()
    }
}

async fn start() -> Sandbox {
    Sandbox::start(options()).await.unwrap()
}

fn connection(endpoint: String) -> Connection {
    Connection {
        endpoint,
        host_header: None,
        ca_pem: None,
        token: DEFAULT_TOKEN.into(),
        insecure_http: true,
    }
}

fn client(sandbox: &Sandbox) -> Client {
    Client::new(&connection(sandbox.endpoint()), &Traffic::default()).unwrap()
}

fn impatient(sandbox: &Sandbox) -> Client {
    let short = Duration::from_millis(300);
    client(sandbox).with_timeouts(Timeouts {
        request: short,
        test: short,
    })
}

fn desired() -> Desired {
    Desired {
        id: "sales".into(),
        name: "Sales functions".into(),
        urls: vec![
            "grpc+tls://sales-0.ns.svc:17001".into(),
            "grpc+tls://sales-1.ns.svc:17001".into(),
        ],
        own_hosts: BTreeSet::new(),
        token: Some("flight-token".into()),
        tls_root_certificate_pem: Some("-----BEGIN CERTIFICATE-----\n".into()),
        load_balancing: LoadBalancing::RoundRobin,
        cache_strategy: CacheStrategy::Never,
        adoption: Adoption::IfOwned,
    }
}

fn strangers() -> Desired {
    Desired {
        name: "Somebody else's".into(),
        urls: vec!["grpc://elsewhere:17001".into()],
        ..desired()
    }
}

async fn register(client: &Client) -> Registered {
    reconcile(client, &desired(), None).await.unwrap()
}

/// The requests as `METHOD last/two/segments`, in order.
fn requests(sandbox: &Sandbox) -> Vec<String> {
    let short = |path: &str| path.trim_start_matches("/api/v1/").to_owned();
    sandbox
        .requests()
        .iter()
        .map(|request| format!("{} {}", request.method, short(&request.path)))
        .collect()
}

/// The stored attributes as clients see them, and the token that they do not see.
fn stored(sandbox: &Sandbox) -> serde_json::Value {
    let source = sandbox.data_source("sales").unwrap();
    let mut attributes = source.attributes();
    let token = source.token().map(|token| token.expose_secret().to_owned());
    attributes.insert("token".to_owned(), token.into());
    attributes.into()
}

#[tokio::test]
async fn a_new_data_source_is_created_tested_and_left_alone_from_then_on() {
    let sandbox = start().await;
    let client = client(&sandbox);

    let first = register(&client).await;
    assert_eq!((first.writes, first.tested), (1, TestOutcome::Succeeded));
    assert_eq!(first.record.organization, "sandbox");
    assert_eq!(
        first.record.url,
        "grpc+tls://sales-0.ns.svc:17001;grpc+tls://sales-1.ns.svc:17001"
    );
    assert_eq!(
        requests(&sandbox),
        [
            "GET profile",
            "GET entities/dataSources/sales",
            "POST entities/dataSources",
            "POST actions/dataSources/sales/test",
        ]
    );

    sandbox.forget_requests();
    let second = reconcile(&client, &desired(), Some(&first.record)).await.unwrap();
    assert_eq!(
        (second.writes, second.tested, second.record),
        (0, TestOutcome::NotTested, first.record)
    );
    assert_eq!(requests(&sandbox), ["GET profile", "GET entities/dataSources/sales"]);
}

#[tokio::test]
async fn what_arrives_is_what_was_wanted() {
    let sandbox = start().await;
    register(&client(&sandbox)).await;
    assert_eq!(
        stored(&sandbox),
        serde_json::json!({
            "name": "Sales functions",
            "type": "FLEXCONNECT",
            "schema": "",
            "url": "grpc+tls://sales-0.ns.svc:17001;grpc+tls://sales-1.ns.svc:17001",
            "token": "flight-token",
            "authenticationType": "TOKEN",
            "cacheStrategy": "NEVER",
            "parameters": [
                {"name": "loadBalancing", "value": "round-robin"},
                {"name": "tlsRootCertificate", "value": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="},
            ],
        })
    );
}

#[tokio::test]
async fn a_server_without_a_token_is_registered_with_a_word() {
    let sandbox = start().await;
    let open = Desired {
        token: None,
        tls_root_certificate_pem: None,
        ..desired()
    };
    let first = reconcile(&client(&sandbox), &open, None).await.unwrap();
    let again = reconcile(&client(&sandbox), &open, Some(&first.record)).await.unwrap();
    assert_eq!((first.writes, again.writes), (1, 0));
}

#[tokio::test]
async fn drift_is_repaired_with_one_write_of_what_differs() {
    let sandbox = start().await;
    let client = client(&sandbox);
    let record = register(&client).await.record;
    edit(&sandbox, serde_json::json!({"name": "Renamed"})).await;
    let repaired = reconcile(&client, &desired(), Some(&record)).await.unwrap();
    assert_eq!((repaired.writes, repaired.tested), (1, TestOutcome::Succeeded));
    assert_eq!(stored(&sandbox)["name"], "Sales functions");

    edit(
        &sandbox,
        serde_json::json!({"type": "FLEXCONNECT", "url": "grpc://nowhere:1"}),
    )
    .await;
    let repaired = reconcile(&client, &desired(), Some(&repaired.record)).await.unwrap();
    assert_eq!(repaired.writes, 1);
    assert_eq!(stored(&sandbox)["url"], desired().urls.join(";"));
    assert_eq!(
        reconcile(&client, &desired(), Some(&repaired.record))
            .await
            .unwrap()
            .writes,
        0
    );
}

/// Changes the data source as another client would.
async fn edit(sandbox: &Sandbox, attributes: serde_json::Value) {
    let document = serde_json::json!({"data": {"id": "sales", "type": "dataSource", "attributes": attributes}});
    let answer = reqwest::Client::new()
        .patch(format!("{}{SOURCES}/sales", sandbox.endpoint()))
        .bearer_auth(DEFAULT_TOKEN)
        .header("content-type", "application/json")
        .body(document.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn a_deleted_data_source_comes_back() {
    let sandbox = start().await;
    let client = client(&sandbox);
    let record = register(&client).await.record;
    remove(&client, "sales", Some(&record), &BTreeSet::new()).await.unwrap();
    let again = reconcile(&client, &desired(), Some(&record)).await.unwrap();
    assert_eq!((again.writes, again.record), (1, record));
}

#[tokio::test]
async fn scaling_and_a_new_token_cost_one_write_each() {
    let sandbox = start().await;
    let client = client(&sandbox);
    let record = register(&client).await.record;
    let mut grown = desired();
    grown.urls.push("grpc+tls://sales-2.ns.svc:17001".into());
    let scaled = reconcile(&client, &grown, Some(&record)).await.unwrap();
    assert_eq!(scaled.writes, 1);
    let rotated = Desired {
        token: Some("new-flight-token".into()),
        ..grown
    };
    let rotated = reconcile(&client, &rotated, Some(&scaled.record)).await.unwrap();
    assert_eq!(rotated.writes, 1);
    assert_eq!(stored(&sandbox)["token"], "new-flight-token");
}

#[tokio::test]
async fn another_spelling_of_the_url_is_not_fought() {
    let sandbox = start().await;
    sandbox.inject([Fault::new(FaultKind::CanonicalUrl)]);
    let client = client(&sandbox);
    let first = register(&client).await;
    assert_eq!(
        first.record.url,
        "grpc+tls://sales-0.ns.svc:17001/;grpc+tls://sales-1.ns.svc:17001/"
    );
    for _ in 0..3 {
        assert_eq!(
            reconcile(&client, &desired(), Some(&first.record))
                .await
                .unwrap()
                .writes,
            0
        );
    }
    assert_eq!(sandbox.writes(), 1);
}

#[rstest]
#[case::created(None, 2)]
#[case::created_under_never(Some(Adoption::Never), 2)]
#[tokio::test]
async fn a_create_whose_answer_was_lost_is_recognised(#[case] adoption: Option<Adoption>, #[case] writes: u32) {
    let sandbox = start().await;
    sandbox.inject([Fault::new(FaultKind::ResetAfterWrite).times(1)]);
    let wanted = Desired {
        adoption: adoption.unwrap_or(Adoption::IfOwned),
        ..desired()
    };
    let first = reconcile(&client(&sandbox), &wanted, None).await.unwrap();
    // The token cannot be read back, so it is sent once more.
    assert_eq!(first.writes, writes);
    assert_eq!(
        reconcile(&client(&sandbox), &wanted, Some(&first.record))
            .await
            .unwrap()
            .writes,
        0
    );
    assert_eq!(sandbox.data_source_ids(), ["sales"]);
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_sent_again_by_the_next_pass() {
    let sandbox = start().await;
    let client = client(&sandbox);
    let record = register(&client).await.record;
    let renamed = Desired {
        name: "Renamed".into(),
        ..desired()
    };
    sandbox.inject([Fault::new(FaultKind::ResetAfterWrite).times(1)]);
    let error = reconcile(&client, &renamed, Some(&record)).await.unwrap_err();
    assert_eq!((error.reason(), error.class()), (Reason::Unreachable, Class::Transient));
    let next = reconcile(&client, &renamed, Some(&record)).await.unwrap();
    assert_eq!(
        reconcile(&client, &renamed, Some(&next.record)).await.unwrap().writes,
        0
    );
}

#[rstest]
#[case::down(
    Fault::down(),
    Reason::Unavailable,
    Class::Transient,
    "Can't connect to upstream service"
)]
#[case::fault(Fault::new(FaultKind::ServerError), Reason::Unavailable, Class::Transient, "traceId")]
#[case::gateway(
    Fault::new(FaultKind::GatewayError),
    Reason::Unavailable,
    Class::Transient,
    "HTTP 500"
)]
#[case::slow(
    Fault::slow(Duration::from_secs(30)),
    Reason::Unreachable,
    Class::Transient,
    "timed out"
)]
#[case::unauthorized(
    Fault::new(FaultKind::Unauthorized),
    Reason::Unauthorized,
    Class::Blocked,
    "API token"
)]
#[case::garbage(
    Fault::new(FaultKind::Garbage),
    Reason::UnexpectedAnswer,
    Class::Transient,
    "not the JSON"
)]
#[case::limited(
    Fault::new(FaultKind::RateLimited(7)),
    Reason::RateLimited,
    Class::Transient,
    "Rate limit exceeded"
)]
#[tokio::test]
async fn each_fault_has_its_reason_and_heals(
    #[case] fault: Fault,
    #[case] reason: Reason,
    #[case] class: Class,
    #[case] text: &str,
    #[values("/api/v1/profile", SOURCES)] path: &str,
) {
    let sandbox = start().await;
    let client = impatient(&sandbox);
    let record = register(&client).await.record;
    sandbox.inject([fault.at(path)]);

    let error = reconcile(&client, &desired(), Some(&record)).await.unwrap_err();
    assert_eq!((error.reason(), error.class()), (reason, class), "{}", error.message());
    assert!(error.message().contains(text), "{}", error.message());
    assert!(error.message().lines().count() == 1 && !error.message().contains(DEFAULT_TOKEN));
    if reason == Reason::RateLimited {
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }
    let error = remove(&client, "sales", Some(&record), &BTreeSet::new())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), reason);

    sandbox.heal();
    // A pause that was asked for holds for all clients that share their traffic; this one has its own.
    let client = impatient(&sandbox);
    assert_eq!(reconcile(&client, &desired(), Some(&record)).await.unwrap().writes, 0);
}

#[tokio::test]
async fn a_pause_is_kept_without_another_request() {
    let sandbox = start().await;
    let traffic = Traffic::default();
    let one = Client::new(&connection(sandbox.endpoint()), &traffic).unwrap();
    let record = register(&one).await.record;
    sandbox.inject([Fault::new(FaultKind::RateLimited(70))]);
    reconcile(&one, &desired(), Some(&record)).await.unwrap_err();
    sandbox.heal();

    let requests = sandbox.counters().requests;
    let other = Client::new(&connection(sandbox.endpoint()), &traffic).unwrap();
    let error = reconcile(&other, &desired(), Some(&record)).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RateLimited);
    assert!(
        error.message().contains("asked for a pause of 70 s more"),
        "{}",
        error.message()
    );
    assert_eq!(sandbox.counters().requests, requests, "nothing was sent");
}

#[rstest]
#[case::table(Some("Weather"))]
#[case::sql(None)]
#[tokio::test]
async fn what_a_data_set_names_is_not_deleted(#[case] table: Option<&str>) {
    let sandbox = start().await;
    let client = client(&sandbox);
    let record = register(&client).await.record;
    let data_set = |data_source: &str| Dataset {
        id: "weather".to_owned(),
        data_source_id: data_source.to_owned(),
        table_id: table.map(str::to_owned),
    };
    let others = (0..3).map(|number| (format!("a{number}"), vec![data_set("another")]));
    sandbox.set_workspaces(others.chain([("z".to_owned(), vec![data_set("sales")])]).collect());
    let nothing = BTreeSet::new();
    let error = remove(&client, "sales", Some(&record), &nothing).await.unwrap_err();
    assert_eq!((error.reason(), error.class()), (Reason::InUse, Class::Blocked));
    assert_eq!(
        error.message(),
        "data source \"sales\" is not deleted: the data set \"weather\" of the workspace \"z\" names it"
    );
    assert_eq!(sandbox.data_source_ids(), ["sales"]);

    sandbox.set_workspaces(std::collections::BTreeMap::default());
    let removed = remove(&client, "sales", Some(&record), &nothing).await.unwrap();
    assert_eq!(removed, Removed::Deleted);
}

#[tokio::test]
async fn a_notification_reaches_the_data_source() {
    let sandbox = start().await;
    let client = client(&sandbox);
    register(&client).await;
    notify(&client, "sales").await.unwrap();
    assert_eq!(sandbox.counters().upload_notifications.get("sales"), Some(&1));
    let error = notify(&client, "other").await.unwrap_err();
    assert_eq!(error.reason(), Reason::Rejected);
}

#[tokio::test]
async fn nobody_listening_is_unreachable_with_the_cause() {
    let sandbox = start().await;
    let endpoint = sandbox.endpoint();
    sandbox.stop().await;
    let client = Client::new(&connection(endpoint.clone()), &Traffic::default()).unwrap();
    let error = reconcile(&client, &desired(), None).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Unreachable);
    assert!(
        error
            .message()
            .starts_with(&format!("cannot reach GoodData at {endpoint}: ")),
        "{}",
        error.message()
    );
    assert!(
        error.message().to_lowercase().contains("refused"),
        "{}",
        error.message()
    );
}

#[tokio::test]
async fn a_create_that_failed_before_it_was_applied_is_an_error_and_no_registration() {
    let sandbox = start().await;
    sandbox.inject([Fault::down().on(Method::POST).at(SOURCES)]);
    let error = reconcile(&client(&sandbox), &desired(), None).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Unavailable);
    assert!(sandbox.data_source_ids().is_empty());
}

#[tokio::test]
async fn a_wrong_token_and_a_weak_one_are_told_apart() {
    let sandbox = Sandbox::start(Options {
        viewer_token: Some("viewer".into()),
        ..options()
    })
    .await
    .unwrap();
    let with = |token: &str| {
        let connection = Connection {
            token: token.to_owned().into(),
            ..connection(sandbox.endpoint())
        };
        Client::new(&connection, &Traffic::default()).unwrap()
    };
    let wrong = reconcile(&with("wrong"), &desired(), None).await.unwrap_err();
    assert_eq!((wrong.reason(), wrong.class()), (Reason::Unauthorized, Class::Blocked));
    let weak = reconcile(&with("viewer"), &desired(), None).await.unwrap_err();
    assert_eq!((weak.reason(), weak.class()), (Reason::NotAuthorized, Class::Blocked));
    assert!(weak.message().contains("MANAGE"), "{}", weak.message());
    assert_eq!(sandbox.writes(), 0);
}

#[tokio::test]
async fn the_host_selects_the_organization() {
    let sandbox = Sandbox::start(Options {
        host: Some("acme.example.com".into()),
        ..options()
    })
    .await
    .unwrap();
    let error = reconcile(&client(&sandbox), &desired(), None).await.unwrap_err();
    assert_eq!(
        (error.reason(), error.class()),
        (Reason::OrganizationNotFound, Class::Blocked)
    );
    assert!(error.message().contains("127.0.0.1"), "{}", error.message());

    let named = Connection {
        host_header: Some("acme.example.com".into()),
        ..connection(sandbox.endpoint())
    };
    let client = Client::new(&named, &Traffic::default()).unwrap();
    assert_eq!(register(&client).await.writes, 1);
}

#[tokio::test]
async fn another_organization_is_never_written_to() {
    let (first, second) = (
        start().await,
        Options {
            organization: "other".into(),
            ..options()
        },
    );
    let second = Sandbox::start(second).await.unwrap();
    let record = register(&client(&first)).await.record;
    for error in [
        reconcile(&client(&second), &desired(), Some(&record))
            .await
            .unwrap_err(),
        remove(&client(&second), "sales", Some(&record), &BTreeSet::new())
            .await
            .unwrap_err(),
    ] {
        assert!(
            matches!(&error, RegistrationError::OrganizationChanged { recorded, answered, .. }
                if recorded == "sandbox" && answered == "other"),
            "{error:?}"
        );
        assert_eq!(error.class(), Class::Blocked);
    }
    assert_eq!(second.writes(), 0);
}

#[rstest]
#[case::if_owned(Adoption::IfOwned, false)]
#[case::never(Adoption::Never, false)]
#[case::always(Adoption::Always, true)]
#[tokio::test]
async fn somebody_elses_data_source_is_taken_only_when_told_so(#[case] adoption: Adoption, #[case] taken: bool) {
    let sandbox = start().await;
    let client = client(&sandbox);
    reconcile(&client, &strangers(), None).await.unwrap();
    let before = stored(&sandbox);
    match reconcile(&client, &Desired { adoption, ..desired() }, None).await {
        Ok(registered) => assert!(taken && registered.writes == 1),
        Err(error) => {
            assert_eq!(
                (error.reason(), error.class(), taken),
                (Reason::ForeignDataSource, Class::Blocked, false)
            );
            assert_eq!(stored(&sandbox), before);
        }
    }
}

#[tokio::test]
async fn a_lost_status_is_no_obstacle_where_the_hosts_are_ours() {
    let sandbox = start().await;
    let client = client(&sandbox);
    let record = register(&client).await.record;
    let adopted = reconcile(&client, &desired(), None).await.unwrap();
    assert_eq!((adopted.writes, adopted.record), (1, record));
}

#[tokio::test]
async fn what_gooddata_refuses_is_said_in_its_words() {
    let sandbox = start().await;
    let long = Desired {
        name: "n".repeat(300),
        ..desired()
    };
    let error = reconcile(&client(&sandbox), &long, None).await.unwrap_err();
    assert_eq!((error.reason(), error.class()), (Reason::Rejected, Class::Terminal));
    assert!(
        error
            .message()
            .starts_with(r#"GoodData refuses to create data source "sales": "#),
        "{}",
        error.message()
    );
    assert!(error.message().contains("traceId"), "{}", error.message());
}

#[tokio::test]
async fn nothing_to_register_is_asked_of_nobody() {
    let sandbox = start().await;
    let empty = Desired {
        urls: vec![],
        ..desired()
    };
    let error = reconcile(&client(&sandbox), &empty, None).await.unwrap_err();
    assert_eq!(error.reason(), Reason::NoReplicas);
    assert!(requests(&sandbox).is_empty());
}

#[tokio::test]
async fn a_failed_test_is_an_outcome_and_a_stuck_one_says_nothing() {
    let dialling = Sandbox::start(Options::default()).await.unwrap();
    let unreachable = Desired {
        urls: vec!["grpc://127.0.0.1:1".into()],
        ..desired()
    };
    let registered = reconcile(&impatient_test(&dialling), &unreachable, None).await.unwrap();
    assert_eq!(registered.writes, 1);
    assert!(
        matches!(registered.tested, TestOutcome::Failed { .. }),
        "{:?}",
        registered.tested
    );

    let sandbox = start().await;
    sandbox.inject([Fault::slow(Duration::from_secs(30)).at("/api/v1/actions")]);
    let registered = register(&impatient(&sandbox)).await;
    assert!(
        matches!(registered.tested, TestOutcome::Unknown { .. }),
        "{:?}",
        registered.tested
    );
    sandbox.heal();
    assert_eq!(test(&client(&sandbox), "sales").await, TestOutcome::Succeeded);
}

fn impatient_test(sandbox: &Sandbox) -> Client {
    client(sandbox).with_timeouts(Timeouts {
        test: Duration::from_secs(10),
        ..Timeouts::default()
    })
}

#[rstest]
#[case::plain(&[])]
#[case::missing_is_deleted(&[Variant::DeleteMissingSucceeds])]
#[tokio::test]
async fn removal_is_idempotent(#[case] variants: &[Variant]) {
    let sandbox = Sandbox::start(Options {
        variants: variants.iter().copied().collect(),
        ..options()
    })
    .await
    .unwrap();
    let client = client(&sandbox);
    let record = register(&client).await.record;
    let nothing = BTreeSet::new();
    assert_eq!(
        remove(&client, "sales", Some(&record), &nothing).await.unwrap(),
        Removed::Deleted
    );
    assert_eq!(
        remove(&client, "sales", Some(&record), &nothing).await.unwrap(),
        Removed::Gone
    );
    assert!(sandbox.data_source_ids().is_empty());
}

#[tokio::test]
async fn removal_without_a_record_takes_only_what_our_hosts_show_to_be_ours() {
    let sandbox = start().await;
    let client = client(&sandbox);
    let hosts = BTreeSet::from(["sales-0.ns.svc".to_owned(), "sales-1.ns.svc".to_owned()]);
    reconcile(&client, &strangers(), None).await.unwrap();
    let alone = Removed::LeftAlone {
        refusal: Refusal::Foreign,
    };
    assert_eq!(remove(&client, "sales", None, &hosts).await.unwrap(), alone);
    assert_eq!(sandbox.data_source_ids(), ["sales"]);

    let take = Desired {
        adoption: Adoption::Always,
        ..desired()
    };
    reconcile(&client, &take, None).await.unwrap();
    assert_eq!(remove(&client, "sales", None, &hosts).await.unwrap(), Removed::Deleted);
}

#[tokio::test]
async fn a_404_of_an_unknown_host_is_not_gone() {
    let sandbox = Sandbox::start(Options {
        host: Some("acme.example.com".into()),
        ..options()
    })
    .await
    .unwrap();
    let record = Record {
        organization: "sandbox".into(),
        hash: String::new(),
        url: String::new(),
    };
    let error = remove(&client(&sandbox), "sales", Some(&record), &BTreeSet::new())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::OrganizationNotFound);
}
