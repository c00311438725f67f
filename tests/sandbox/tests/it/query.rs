//! Queries through a registered data source, against real Flight servers.

use std::collections::BTreeSet;

use flexconnect_sandbox::{Profile, Query};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tonic::Code;

use crate::support::flight::{Answer, Flight, Script};
use crate::support::refusing::{Refusal, Refusing};
use crate::support::setup::{NONE, RANDOM, ROUND_ROBIN, Setup, dead, server};

#[tokio::test]
async fn a_query_brings_the_rows_and_where_they_come_from() {
    let server = Flight::start(Script {
        token: Some("secret".to_owned()),
        ..Script::default()
    });
    let setup = Setup::of(Profile::Strict, &[&server], NONE).await;
    let rows = setup.rows().await;
    assert_eq!((rows.row_count, json!(rows.rows)), (1, json!([[server.url()]])));
    assert_eq!(
        (rows.columns[0].name.as_str(), rows.columns[0].data_type.as_str()),
        ("server", "Utf8")
    );
    assert_eq!((rows.called, rows.location), (server.url(), server.url()));
    assert!(rows.failed_attempts.is_empty());
}

#[tokio::test]
async fn the_server_gets_the_command_the_token_and_the_polling_header() {
    let server = server(Answer::Rows);
    let setup = Setup::of(Profile::Strict, &[&server], NONE).await;
    let query = json!({
        "function": "WhereAmI",
        "columns": ["server"],
        "filters": [{ "filterType": "absoluteDateFilter", "datasetIdentifier": "date", "from": "2025-01-01", "to": "2025-01-31" }],
        "parameters": { "extra": 1 },
        "timezone": "Europe/Prague",
    });
    let reply = setup.rest.post("/sandbox/dataSources/sales/query", &query).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let seen = server.seen();
    assert_eq!(seen[0].metadata.get("authorization").unwrap(), "Bearer secret");
    assert!(seen[0].metadata.contains_key("x-quiver-pollable"));
    let command: Value = serde_json::from_str(&seen[0].command).unwrap();
    assert_eq!(command["functionName"], "WhereAmI");
    assert_eq!(
        (&command["parameters"]["columns"], &command["parameters"]["extra"]),
        (&json!(["server"]), &json!(1))
    );
    let context = &command["parameters"]["executionContext"];
    assert_eq!(
        (&context["executionType"], &context["organizationId"]),
        (&json!("REPORT"), &json!("sandbox"))
    );
    assert_eq!(
        (&context["timezone"], &context["filters"]),
        (&json!("Europe/Prague"), &query["filters"])
    );
    let offset = &context["timestamp"].as_str().unwrap()["2025-01-31T08:00:00".len()..];
    assert!(["+01:00", "+02:00"].contains(&offset), "{offset}");
}

#[tokio::test]
async fn a_result_that_is_not_ready_is_asked_for_again() {
    let server = Flight::start(Script {
        polls: 3,
        ..Script::default()
    });
    let setup = Setup::of(Profile::Strict, &[&server], NONE).await;
    assert_eq!(setup.rows().await.row_count, 1);
    let commands: Vec<_> = server.seen().into_iter().map(|seen| seen.command).collect();
    assert_eq!(
        &commands[1..],
        ["again-1", "again-2", "again-3"],
        "descriptors are sent back as they came"
    );
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_given_up_and_cancelled() {
    let server = Flight::start(Script {
        polls: usize::MAX,
        ..Script::default()
    });
    let setup = Setup::of(Profile::Lenient, &[&server], NONE).await;
    let (failure, _) = setup.failure().await;
    assert!(
        failure.contains(&format!("{} did not answer within 1s", server.url())),
        "{failure}"
    );
    assert_eq!(server.seen().last().unwrap().command, "cancel");
}

#[tokio::test]
async fn rows_are_read_where_the_server_says() {
    let keeper = server(Answer::Rows);
    let asked = Flight::start(Script {
        location: Some(keeper.url()),
        ..Script::default()
    });
    let rows = Setup::of(Profile::Strict, &[&asked], NONE).await.rows().await;
    assert_eq!((rows.called, rows.location), (asked.url(), keeper.url()));
    assert_eq!(json!(rows.rows), json!([[keeper.url()]]));
    assert_eq!(asked.seen().len(), 1);

    let here = Flight::start(Script {
        location: Some("arrow-flight-reuse-connection://?".to_owned()),
        ..Script::default()
    });
    let rows = Setup::of(Profile::Strict, &[&here], NONE).await.rows().await;
    assert_eq!(rows.location, here.url());
}

#[tokio::test]
async fn a_location_that_cannot_be_reached_fails_the_query_in_strict() {
    let nowhere = dead();
    let asked = Flight::start(Script {
        location: Some(nowhere.url()),
        ..Script::default()
    });
    let good = server(Answer::Rows);
    let (failure, attempts) = Setup::of(Profile::Strict, &[&asked, &good], NONE).await.failure().await;
    assert!(failure.contains(&nowhere.url()) && attempts == 1, "{failure}");
    let rows = Setup::of(Profile::Lenient, &[&asked, &good], NONE).await.rows().await;
    assert_eq!(rows.location, good.url());
}

#[tokio::test]
async fn round_robin_takes_turns_and_none_stays_with_the_first() {
    let servers = [server(Answer::Rows), server(Answer::Rows), server(Answer::Rows)];
    let [a, b, c] = &servers;
    let setup = Setup::of(Profile::Strict, &[a, b, c], ROUND_ROBIN).await;
    for expected in [a, b, c, a] {
        assert_eq!(setup.rows().await.called, expected.url());
    }
    let setup = Setup::of(Profile::Strict, &[a, b, c], NONE).await;
    for _ in 0..3 {
        assert_eq!(setup.rows().await.called, a.url());
    }
    let setup = Setup::of(Profile::Strict, &[a, b], RANDOM).await;
    let mut called = BTreeSet::new();
    for _ in 0..64 {
        called.insert(setup.rows().await.called);
    }
    assert_eq!(called, BTreeSet::from([a.url(), b.url()]));
}

#[tokio::test]
async fn strict_falls_over_without_balancing_only() {
    let (gone, good) = (dead(), server(Answer::Rows));
    let rows = Setup::of(Profile::Strict, &[&gone, &good], NONE).await.rows().await;
    assert_eq!(
        (rows.called, rows.failed_attempts[0].url.clone()),
        (good.url(), gone.url())
    );
    let setup = Setup::of(Profile::Strict, &[&gone, &good], ROUND_ROBIN).await;
    let (failure, attempts) = setup.failure().await;
    assert!(
        failure.starts_with(&format!("cannot connect to {}: ", gone.url())) && attempts == 1,
        "{failure}"
    );
    assert!(failure.contains("refused"), "{failure}");
    assert_eq!(setup.rows().await.called, good.url(), "the next turn is the other's");
}

#[tokio::test]
async fn lenient_falls_over_whatever_the_balancing() {
    let (gone, good) = (dead(), server(Answer::Rows));
    for parameters in [NONE, ROUND_ROBIN, RANDOM] {
        let setup = Setup::of(Profile::Lenient, &[&gone, &good], parameters).await;
        for _ in 0..4 {
            assert_eq!(setup.rows().await.called, good.url());
        }
    }
    let other = dead();
    let (_, attempts) = Setup::of(Profile::Lenient, &[&gone, &other], ROUND_ROBIN)
        .await
        .failure()
        .await;
    assert_eq!(attempts, 2);
}

#[tokio::test]
async fn nobody_falls_over_on_an_error_code_or_a_hang() {
    let good = server(Answer::Rows);
    let refusing = server(Answer::Refuse(Code::Unavailable, 131_574, "Server is shutting down."));
    let hanging = server(Answer::Hang);
    for profile in [Profile::Strict, Profile::Lenient] {
        let setup = Setup::of(profile, &[&refusing, &good], NONE).await;
        let reply = setup.ask(&Query::of("WhereAmI")).await;
        assert_eq!(
            (reply.status, &reply.body["code"]),
            (StatusCode::BAD_GATEWAY, &json!(502)),
            "{reply:?}"
        );
        assert!(
            reply
                .detail()
                .contains("Server is shutting down; the server is starting or stopping"),
            "{reply:?}"
        );
        let (failure, attempts) = Setup::of(profile, &[&hanging, &good], NONE).await.failure().await;
        assert!(failure.contains("did not answer") && attempts == 1, "{failure}");
    }
    assert!(good.seen().is_empty());
}

#[tokio::test]
async fn a_pooled_connection_that_broke_is_noticed() {
    let mut first = server(Answer::Rows);
    let second = server(Answer::Rows);
    let strict = Setup::of(Profile::Strict, &[&first, &second], NONE).await;
    let lenient = Setup::of(Profile::Lenient, &[&first, &second], ROUND_ROBIN).await;
    assert_eq!(strict.rows().await.called, first.url());
    assert_eq!(lenient.rows().await.called, first.url());
    first.kill();
    for _ in 0..4 {
        assert_eq!(lenient.rows().await.called, second.url());
        assert_eq!(strict.rows().await.called, second.url());
    }
}

#[tokio::test]
async fn a_connection_that_breaks_under_way_is_retried_in_lenient_only() {
    for profile in [Profile::Strict, Profile::Lenient] {
        let mut hanging = server(Answer::Hang);
        let good = server(Answer::Rows);
        let setup = Setup::of(profile, &[&hanging, &good], NONE).await;
        let query = Query::of("WhereAmI");
        let (reply, ()) = tokio::join!(setup.ask(&query), async {
            while hanging.seen().is_empty() {
                tokio::task::yield_now().await;
            }
            hanging.kill();
        });
        match profile {
            Profile::Strict => assert!(reply.detail().contains("broke"), "{reply:?}"),
            Profile::Lenient => assert_eq!(reply.body["called"], good.url()),
        }
    }
}

#[tokio::test]
async fn a_call_that_the_server_did_not_look_at_is_repeated() {
    let keeper = server(Answer::Rows);
    for refusal in [Refusal::Stream, Refusal::GoAway] {
        let first = Refusing::start(refusal, &keeper.url()).await;
        let setup = Setup::with_url(Profile::Strict, first.url(), ROUND_ROBIN).await;
        let rows = setup.rows().await;
        assert_eq!(
            (rows.called.as_str(), rows.location, rows.failed_attempts.len()),
            (first.url(), keeper.url(), 0)
        );
    }
}

#[tokio::test]
async fn an_answer_that_leads_nowhere_is_named() {
    let server = server(Answer::NoEndpoint);
    let (failure, _) = Setup::of(Profile::Strict, &[&server], NONE).await.failure().await;
    assert!(failure.contains("no endpoint"), "{failure}");
    let elsewhere = Flight::start(Script {
        location: Some("s3://bucket".to_owned()),
        ..Script::default()
    });
    let (failure, _) = Setup::of(Profile::Strict, &[&elsewhere], NONE).await.failure().await;
    assert!(failure.contains("advertised location `s3://bucket`"), "{failure}");
}

#[tokio::test]
async fn bad_queries_are_refused() {
    let setup = Setup::with_url(Profile::Strict, "grpc://127.0.0.1:1", NONE).await;
    let ask = async |body: Value| setup.rest.post("/sandbox/dataSources/sales/query", &body).await;
    for (body, named) in [
        (json!({}), "`function`"),
        (json!({ "function": "F", "filter": [] }), "`filter`"),
        (
            json!({ "function": "F", "filters": [{ "filterType": "rankingFilter" }] }),
            "rankingFilter",
        ),
        (json!({ "function": "F", "timezone": "Nowhere" }), "`Nowhere`"),
        (json!({ "function": "F", "limit": 100_001 }), "`limit`"),
        (
            json!({ "function": "F", "timeoutSeconds": u64::MAX }),
            "`timeoutSeconds`",
        ),
    ] {
        let reply = ask(body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert!(reply.detail().contains(named), "{reply:?}");
    }
    let missing = setup
        .rest
        .post("/sandbox/dataSources/other/query", &json!({ "function": "F" }))
        .await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.detail().contains("`other`"), "{missing:?}");
}
