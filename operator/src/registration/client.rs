//! One HTTP client for one GoodData organization: headers, time-outs and bounds; it knows no data source.

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Certificate, Method, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Connection;
use super::answer::Answer;
use super::detail::Detail;
use super::error::RegistrationError;
use super::traffic::Traffic;

/// The media type of the entity API.
pub(super) const ENTITY: &str = "application/vnd.gooddata.api+json";
/// The media type of actions and of the profile.
pub(super) const JSON: &str = "application/json";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A data source document is a few kilobytes; more than this is not one.
const BODY_LIMIT: usize = 1024 * 1024;

const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// How long an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Any request but the next; 20 s.
    pub request: Duration,
    /// A connection test, during which GoodData dials the fleet from its own network; 90 s.
    pub test: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(20),
            test: Duration::from_secs(90),
        }
    }
}

/// Speaks with one GoodData organization as one user. Cheap to clone; connections are shared by the clones.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    endpoint: String,
    host_header: Option<HeaderValue>,
    token: SecretString,
    timeouts: Timeouts,
    traffic: Traffic,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client that has not connected yet. Proxies come from the environment (`HTTPS_PROXY`, `NO_PROXY`, …).
    ///
    /// # Errors
    /// [`RegistrationError::InvalidConnection`], which names the part that cannot be used.
    pub fn new(connection: &Connection, traffic: &Traffic) -> Result<Self, RegistrationError> {
        let base = parse_endpoint(&connection.endpoint, connection.insecure_http).map_err(invalid)?;
        let host_header = connection
            .host_header
            .as_deref()
            .map(header_value)
            .transpose()
            .map_err(|()| {
                invalid(format!(
                    "host header {:?} is not a host name",
                    connection.host_header.as_deref().unwrap_or_default()
                ))
            })?;
        let mut authorization =
            header_value(&format!("Bearer {}", connection.token.expose_secret())).map_err(|()| {
                invalid("the API token is empty or holds characters that a token cannot have; check the Secret")
            })?;
        authorization.set_sensitive(true);

        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, authorization),
            (
                USER_AGENT,
                HeaderValue::from_static(concat!("flexconnect-operator/", env!("CARGO_PKG_VERSION"))),
            ),
            // Without it GoodData answers a request that lacks credentials with a login page and not with 401.
            (REQUESTED_WITH, HeaderValue::from_static("XMLHttpRequest")),
        ]);
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT);
        if host_header.is_some() {
            // HTTP/2 takes the authority from the URL, so another host can be asked for by HTTP/1.1 only.
            builder = builder.http1_only();
        }
        if base.scheme() == "http" {
            // No TLS, so the system's certificates, which a small image may lack, are not needed.
            builder = builder.tls_certs_only([]);
        } else if let Some(pem) = &connection.ca_pem {
            builder = builder.tls_certs_merge(certificates(pem).map_err(invalid)?);
        }
        let http = builder.build().map_err(|error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            invalid(format!("its TLS cannot be set up: {cause}"))
        })?;
        let endpoint = connection.endpoint.trim_end_matches('/').to_owned();
        Ok(Self {
            http,
            base,
            endpoint,
            host_header,
            token: connection.token.clone(),
            timeouts: Timeouts::default(),
            traffic: traffic.clone(),
        })
    }

    /// The same client with another patience.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// The endpoint as the user wrote it.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The host name that selects the organization.
    pub(super) fn organization_host(&self) -> String {
        match &self.host_header {
            Some(host) => String::from_utf8_lossy(host.as_bytes()).into_owned(),
            None => self.base.host_str().unwrap_or_default().to_owned(),
        }
    }

    /// What no text may repeat, and what keys the hash of what was sent.
    pub(super) fn token(&self) -> &str {
        self.token.expose_secret()
    }

    /// How long answers may take.
    pub(super) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Sends one request when its turn has come, and reads its answer, whatever its status.
    ///
    /// # Errors
    /// [`RegistrationError::Unreachable`] without an answer, [`RegistrationError::UnexpectedAnswer`] when its body is
    /// larger than any of GoodData's; and when it may not be sent.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
        accept: &'static str,
        body: Option<&Value>,
    ) -> Result<Answer, RegistrationError> {
        self.send_within(self.timeouts.request, method, path, accept, body)
            .await
    }

    /// Reads one page of a list.
    pub(super) async fn page(&self, path: &[&str], page: usize, size: usize) -> Result<Answer, RegistrationError> {
        let mut url = self.url(path);
        url.set_query(Some(&format!("page={page}&size={size}")));
        self.send_to(self.timeouts.request, Method::GET, url, ENTITY, None)
            .await
    }

    /// The same with another time-out.
    pub(super) async fn send_within(
        &self,
        timeout: Duration,
        method: Method,
        path: &[&str],
        accept: &'static str,
        body: Option<&Value>,
    ) -> Result<Answer, RegistrationError> {
        self.send_to(timeout, method, self.url(path), accept, body).await
    }

    async fn send_to(
        &self,
        timeout: Duration,
        method: Method,
        url: Url,
        accept: &'static str,
        body: Option<&Value>,
    ) -> Result<Answer, RegistrationError> {
        let turn = self
            .traffic
            .turn(&self.organization_host(), self.endpoint(), &method)
            .await?;
        let outcome = self.exchange(timeout, method, url, accept, body).await;
        turn.ended(outcome.as_ref());
        outcome
    }

    async fn exchange(
        &self,
        timeout: Duration,
        method: Method,
        url: Url,
        accept: &'static str,
        body: Option<&Value>,
    ) -> Result<Answer, RegistrationError> {
        let mut request = self
            .http
            .request(method, url)
            .timeout(timeout)
            .header(ACCEPT, HeaderValue::from_static(accept));
        if let Some(host) = &self.host_header {
            request = request.header(HOST, host.clone());
        }
        if let Some(body) = body {
            request = request
                .header(reqwest::header::CONTENT_TYPE, accept)
                .body(body.to_string());
        }
        let mut response = request.send().await.map_err(|error| self.unreachable(error))?;
        let mut answer = Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if answer.body.len() + chunk.len() > BODY_LIMIT {
                let detail = Detail::finding(format!("its body has more than {BODY_LIMIT} bytes"));
                return Err(RegistrationError::UnexpectedAnswer {
                    endpoint: self.endpoint.clone(),
                    detail,
                });
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // An http(s) URL always has segments; each of ours is escaped, so that an id cannot change the path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(["api", "v1"]).extend(path);
        }
        url
    }

    fn unreachable(&self, source: reqwest::Error) -> RegistrationError {
        RegistrationError::Unreachable {
            endpoint: self.endpoint.clone(),
            source: source.without_url(),
        }
    }
}

fn invalid(text: impl Into<String>) -> RegistrationError {
    RegistrationError::InvalidConnection(text.into())
}

fn header_value(text: &str) -> Result<HeaderValue, ()> {
    let usable = !text.is_empty() && !text.ends_with(' ') && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if usable {
        HeaderValue::from_str(text).map_err(drop)
    } else {
        Err(())
    }
}

fn parse_endpoint(endpoint: &str, insecure_http: bool) -> Result<Url, String> {
    let url = Url::parse(endpoint).map_err(|error| format!("endpoint {endpoint:?} is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the endpoint must not hold a user or password; use tokenSecret".to_owned());
    }
    match url.scheme() {
        "https" => {}
        "http" if insecure_http => {}
        "http" => {
            return Err(format!(
                "endpoint {endpoint:?} would send the token in the clear; use https, or set insecureHttp to true"
            ));
        }
        _ => return Err(format!("endpoint {endpoint:?} must start with https://")),
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("endpoint {endpoint:?} must end after the host and port"));
    }
    Ok(url)
}

fn certificates(pem: &str) -> Result<Vec<Certificate>, String> {
    let certificates = Certificate::from_pem_bundle(pem.as_bytes())
        .map_err(|error| format!("the CA is not a PEM bundle of certificates: {error}"))?;
    if certificates.is_empty() {
        return Err("the CA holds no PEM certificate".to_owned());
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn connection(endpoint: &str) -> Connection {
        Connection {
            endpoint: endpoint.to_owned(),
            host_header: None,
            ca_pem: None,
            token: "api-token".into(),
            insecure_http: false,
        }
    }

    #[rstest]
    #[case::no_url("gooddata", "is not a URL")]
    #[case::plain("http://gd.example.com", "insecureHttp")]
    #[case::other_scheme("ftp://gd.example.com", "must start with https://")]
    #[case::path("https://gd.example.com/api", "must end after the host and port")]
    #[case::query("https://gd.example.com?x=1", "must end after the host and port")]
    #[case::user("https://me:secret@gd.example.com", "must not hold a user")]
    fn an_endpoint_that_cannot_work_is_refused(#[case] endpoint: &str, #[case] text: &str) {
        let error = Client::new(&connection(endpoint), &Traffic::default())
            .unwrap_err()
            .message();
        assert!(error.contains(text), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[rstest]
    #[case::token(Connection { token: "line\nbreak".into(), ..connection("https://gd") }, "API token")]
    #[case::empty_token(Connection { token: "".into(), ..connection("https://gd") }, "API token")]
    #[case::host(Connection { host_header: Some("a\r\nb".into()), ..connection("https://gd") }, "host header")]
    #[case::ca(Connection { ca_pem: Some("no certificate".into()), ..connection("https://gd") }, "the CA")]
    fn the_unusable_part_of_a_connection_is_named(#[case] connection: Connection, #[case] part: &str) {
        let error = Client::new(&connection, &Traffic::default()).unwrap_err().message();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("break"), "{error}");
    }

    #[test]
    fn an_id_cannot_change_the_path() {
        let client = Client::new(&connection("https://gd.example.com/"), &Traffic::default()).unwrap();
        let url = client.url(&["entities", "dataSources", "../a b?c"]);
        assert_eq!(
            url.as_str(),
            "https://gd.example.com/api/v1/entities/dataSources/..%2Fa%20b%3Fc"
        );
    }

    #[test]
    fn debug_shows_no_token() {
        let client = Client::new(&connection("https://gd.example.com"), &Traffic::default()).unwrap();
        assert!(!format!("{client:?} {:?}", connection("https://gd")).contains("api-token"));
    }
}
