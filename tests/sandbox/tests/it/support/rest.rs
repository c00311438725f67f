//! A bare HTTP client for the sandbox, and documents to send.

use std::sync::Arc;

use flexconnect_sandbox::{ConnectionTest, DEFAULT_TOKEN, Options, Sandbox};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// The collection of data sources.
pub(crate) const SOURCES: &str = "/api/v1/entities/dataSources";

/// What every missing or invisible thing is answered with.
pub(crate) const NOT_FOUND: &str = "The requested endpoint does not exist or you do not have permission to access it.";

/// Talks to one sandbox; follows no redirects.
#[derive(Clone)]
pub(crate) struct Rest {
    endpoint: Arc<str>,
    token: Option<String>,
    client: Client,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null when the text is no JSON.
    pub(crate) body: Value,
}

pub(crate) struct Call(RequestBuilder);

impl Rest {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            endpoint: sandbox.endpoint().into(),
            token: Some(DEFAULT_TOKEN.to_owned()),
            client,
        }
    }

    pub(crate) fn token(self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self
        }
    }

    pub(crate) fn anonymous(self) -> Self {
        Self { token: None, ..self }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Call {
        let request = self.client.request(method, format!("{}{path}", self.endpoint));
        Call(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::POST, path).json(body).send().await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::PUT, path).json(body).send().await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::PATCH, path).json(body).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path).send().await
    }
}

impl Call {
    pub(crate) fn accepting(self, media: &str) -> Self {
        self.header("Accept", media)
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) fn body(self, media: &str, body: &str) -> Self {
        Self(self.0.header("Content-Type", media).body(body.to_owned()))
    }

    /// A body in the media type that the path speaks.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", &body.to_string())
    }

    pub(crate) async fn try_send(self) -> reqwest::Result<Reply> {
        let response = self.0.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Reply {
            status,
            headers,
            text,
            body,
        })
    }

    pub(crate) async fn send(self) -> Reply {
        self.try_send().await.unwrap()
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap()
    }
}

/// The envelope of a write.
pub(crate) fn document(id: &str, attributes: &Value) -> Value {
    json!({ "data": { "id": id, "type": "dataSource", "attributes": attributes } })
}

/// The attributes of a FlexConnect data source.
pub(crate) fn flexconnect() -> Value {
    json!({
        "name": "Sales",
        "type": "FLEXCONNECT",
        "schema": "",
        "url": "grpc+tls://a:17001;grpc+tls://b:17001",
        "token": "flight-token",
        "cacheStrategy": "NEVER",
        "parameters": [{ "name": "loadBalancing", "value": "round-robin" }],
    })
}

/// The four members of every problem, the trace id among them and in the header.
pub(crate) fn assert_problem(reply: &Reply, status: StatusCode, title: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(
        (&reply.body["status"], &reply.body["title"]),
        (&json!(status.as_u16()), &json!(title))
    );
    let trace = reply.header("x-gdc-trace-id").unwrap();
    assert!(
        trace.len() == 32 && trace.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
        "{trace}"
    );
    assert_eq!(reply.body["traceId"], trace);
}

/// A sandbox that dials nobody, and a client for it.
pub(crate) async fn started(options: Options) -> (Sandbox, Rest) {
    let options = Options {
        connection_test: ConnectionTest::AssumeSuccess,
        ..options
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let rest = Rest::of(&sandbox);
    (sandbox, rest)
}

/// The same with the data source `sales`.
pub(crate) async fn with_sales(options: Options) -> (Sandbox, Rest) {
    let (sandbox, rest) = started(options).await;
    let created = rest.post(SOURCES, &document("sales", &flexconnect())).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    (sandbox, rest)
}
