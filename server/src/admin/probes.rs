//! The health port: `/live` and `/ready` for probes, `/status` for operators, `/log-level` for people in need.

use ::http::{Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::endpoint::{Admin, Answer, Endpoint, content, empty};
use super::{Health, Status};
use crate::telemetry;

/// Far more than any filter of logs needs.
const MAX_LEVEL_BYTES: usize = 4096;

/// Answers on the health port.
struct Probes {
    status: Status,
}

/// Serves the health port from now on.
///
/// # Errors
/// When the listener cannot be served.
pub(super) fn serve(admin: &Admin, listener: TcpListener, status: Status) -> std::io::Result<()> {
    admin.serve(listener, Probes { status })
}

impl Endpoint for Probes {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path_and_query().map_or("", |path| path.as_str());
        match path {
            "/live" | "/ready" => probe(request.method(), path, self.status.health()),
            "/status" => match *request.method() {
                Method::GET | Method::HEAD => json(&self.status.json()),
                _ => empty(StatusCode::METHOD_NOT_ALLOWED),
            },
            "/log-level" => match *request.method() {
                Method::GET | Method::HEAD => plain(StatusCode::OK, telemetry::level().unwrap_or_default()),
                Method::PUT => match Limited::new(request.into_body(), MAX_LEVEL_BYTES).collect().await {
                    Ok(body) => set_level(&body.to_bytes()),
                    Err(_) => empty(StatusCode::PAYLOAD_TOO_LARGE),
                },
                _ => empty(StatusCode::METHOD_NOT_ALLOWED),
            },
            _ => empty(StatusCode::NOT_FOUND),
        }
    }
}

fn probe(method: &Method, path: &str, health: &Health) -> Answer {
    let healthy = if path == "/live" {
        if let Some(module) = health.ailing() {
            tracing::warn!(module, "unhealthy_module");
        }
        health.is_live()
    } else {
        health.is_ready()
    };
    match *method {
        Method::GET | Method::HEAD if healthy => empty(StatusCode::NO_CONTENT),
        Method::GET | Method::HEAD => empty(StatusCode::INTERNAL_SERVER_ERROR),
        _ => empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn set_level(text: &Bytes) -> Answer {
    match telemetry::set_level(&String::from_utf8_lossy(text)) {
        Ok(()) => {
            let level = telemetry::level();
            tracing::warn!(level, "log_level_changed");
            empty(StatusCode::NO_CONTENT)
        }
        Err(error) => plain(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

fn json(value: &serde_json::Value) -> Answer {
    content(StatusCode::OK, "application/json", format!("{value:#}\n"))
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    content(status, "text/plain; charset=utf-8", text)
}
