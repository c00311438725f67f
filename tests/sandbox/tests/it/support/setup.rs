//! A data source over real servers, and what can be asked of it.

use flexconnect_sandbox::{Answer as Rows, Options, Profile, Query, Sandbox};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::flight::{Answer, Flight, Script};
use super::rest::{Reply, Rest, document};

/// A sandbox with the data source `sales` over some servers.
pub(crate) struct Setup {
    pub(crate) rest: Rest,
    _sandbox: Sandbox,
}

impl Setup {
    pub(crate) async fn of(profile: Profile, servers: &[&Flight], parameters: &[(&str, &str)]) -> Self {
        let urls: Vec<_> = servers.iter().map(|server| server.url()).collect();
        Self::with_url(profile, &urls.join(";"), parameters).await
    }

    pub(crate) async fn with_url(profile: Profile, url: &str, parameters: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(Options {
            profile,
            ..Options::default()
        })
        .await
        .unwrap();
        let rest = Rest::of(&sandbox);
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let attributes = json!({
            "name": "Sales", "type": "FLEXCONNECT", "schema": "", "url": url, "token": "secret",
            "parameters": parameters,
        });
        let created = rest
            .post("/api/v1/entities/dataSources", &document("sales", &attributes))
            .await;
        assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
        Self {
            rest,
            _sandbox: sandbox,
        }
    }

    pub(crate) async fn ask(&self, query: &Query) -> Reply {
        self.rest.post("/sandbox/dataSources/sales/query", &json!(query)).await
    }

    pub(crate) async fn rows(&self) -> Rows {
        let reply = self.ask(&Query::of("WhereAmI")).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        serde_json::from_value(reply.body).unwrap()
    }

    /// The sentence and the attempts of a query that fails.
    pub(crate) async fn failure(&self) -> (String, usize) {
        let reply = self
            .ask(&Query {
                timeout_seconds: 1,
                ..Query::of("WhereAmI")
            })
            .await;
        assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "{reply:?}");
        (
            reply.detail().to_owned(),
            reply.body["attempts"].as_array().unwrap().len(),
        )
    }

    pub(crate) async fn test(&self, body: &Value) -> Value {
        self.rest
            .post("/api/v1/actions/dataSources/sales/test", body)
            .await
            .body
    }
}

pub(crate) fn server(answer: Answer) -> Flight {
    Flight::start(Script {
        answer,
        ..Script::default()
    })
}

/// A server that was there and is not any more: its port refuses connections.
pub(crate) fn dead() -> Flight {
    let mut server = server(Answer::Rows);
    server.kill();
    server
}

pub(crate) const NONE: &[(&str, &str)] = &[];
pub(crate) const ROUND_ROBIN: &[(&str, &str)] = &[("loadBalancing", "round-robin")];
pub(crate) const RANDOM: &[(&str, &str)] = &[("loadBalancing", "random")];
