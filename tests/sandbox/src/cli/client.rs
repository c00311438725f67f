//! The sandbox's own API from outside.

use flexconnect_sandbox::{Answer, Query};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::Failure;

/// A running sandbox.
pub(crate) struct Client {
    endpoint: Url,
    token: SecretString,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(endpoint: Url, token: SecretString) -> Result<Self, Failure> {
        // The sandbox is always near: a proxy from the environment would only be in the way.
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(|error| Failure::of(&error))?;
        Ok(Self { endpoint, token, http })
    }

    /// Runs one query through a data source.
    pub(crate) async fn query(&self, data_source: &str, query: &Query) -> Result<Answer, Failure> {
        #[derive(Deserialize)]
        struct Problem {
            detail: String,
        }
        let endpoint = &self.endpoint;
        let no_sandbox = || Failure(format!("{endpoint} does not answer like a sandbox: check --endpoint"));
        let mut url = endpoint.clone();
        url.path_segments_mut()
            .map_err(|()| no_sandbox())?
            .pop_if_empty()
            .extend(["sandbox", "dataSources", data_source, "query"]);
        let request = self.http.post(url).bearer_auth(self.token.expose_secret()).json(query);
        let response = request.send().await.map_err(|error| {
            let advice = "start one with `flexconnect-sandbox serve`, or name another with --endpoint";
            Failure(format!(
                "no sandbox can be reached at {endpoint} ({}): {advice}",
                Failure::of(&error)
            ))
        })?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(|_| no_sandbox()),
            StatusCode::UNAUTHORIZED => Err(Failure(format!(
                "the sandbox at {endpoint} does not know this token: give its own with --token"
            ))),
            _ => {
                let problem: Problem = response.json().await.map_err(|_| no_sandbox())?;
                Err(Failure(problem.detail))
            }
        }
    }
}
