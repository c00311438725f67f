//! What every request passes, in this order: host, faults, token; and what every answer gets on its way out.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HeaderName, PRAGMA, REFERRER_POLICY, RETRY_AFTER, VARY};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::fault::{Effects, WrongAnswer, take_effects};
use crate::journal::Recorded;
use crate::serve::ResetHandle;
use crate::state::{Shared, lock};

use super::auth::{Caller, Stranger, identify, is_known_host};
use super::problem::Problem;

/// Marks an answer that comes from the gateway in front of GoodData and has no trace id.
#[derive(Clone, Copy)]
struct FromGateway;

/// The gate of GoodData's API.
pub(crate) async fn guard(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().map(str::to_owned);
    let connection = request.extensions().get::<ResetHandle>().cloned();
    let effects = take_effects(&mut lock(&state.faults), &method, &path);
    tokio::time::sleep(effects.delay).await;
    let response = dress(answer(&state, effects, request, next).await);
    let status = response.status().as_u16();
    tracing::debug!(%method, path, status, reset = effects.reset, "answered");
    state.journal.record(Recorded {
        method: method.to_string(),
        path,
        query,
        status,
        reset: effects.reset,
    });
    match connection {
        Some(connection) if effects.reset => {
            connection.reset();
            // The connection's task is about to drop this one.
            std::future::pending().await
        }
        Some(_) | None => response,
    }
}

async fn answer(state: &Shared, effects: Effects, mut request: Request, next: Next) -> Response {
    if !is_known_host(&state.options, request.headers()) {
        return Problem::not_found().into_response();
    }
    if let Some(fault) = effects.answer {
        return answer_wrongly(fault, &request);
    }
    match identify(&state.options, request.headers()) {
        Ok(caller) => request.extensions_mut().insert(caller),
        Err(stranger) => return stranger.answer(request.headers()),
    };
    request.extensions_mut().insert(effects);
    next.run(request).await
}

/// The gate of the sandbox's own endpoints: the manager's token, under any host name; not recorded, no faults.
pub(crate) async fn guard_own(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let response = match identify(&state.options, request.headers()) {
        Ok(Caller::Manager) => next.run(request).await,
        Ok(Caller::Viewer) => Problem::forbidden().into_response(),
        Err(_) => Stranger::InvalidToken.answer(request.headers()),
    };
    dress(response)
}

fn answer_wrongly(fault: WrongAnswer, request: &Request) -> Response {
    let from_gateway = |status: StatusCode, text: &'static str| {
        let media = HeaderValue::from_static("text/plain; charset=UTF-8");
        let mut response = (status, [(CONTENT_TYPE, media)], text).into_response();
        response.extensions_mut().insert(FromGateway);
        response
    };
    match fault {
        WrongAnswer::Down => from_gateway(StatusCode::SERVICE_UNAVAILABLE, "Can't connect to upstream service"),
        WrongAnswer::GatewayError => from_gateway(StatusCode::INTERNAL_SERVER_ERROR, "Unknown error"),
        WrongAnswer::ServerError => Problem::server_error().into_response(),
        WrongAnswer::Unauthorized => Stranger::InvalidToken.answer(request.headers()),
        WrongAnswer::RateLimited(seconds) => rate_limited(seconds),
        WrongAnswer::Garbage => {
            let media = HeaderValue::from_static("text/html");
            (
                StatusCode::OK,
                [(CONTENT_TYPE, media)],
                "<html><body>Please stand by{{</body>",
            )
                .into_response()
        }
    }
}

fn rate_limited(seconds: u64) -> Response {
    let body = json!({
        "error": "Too Many Requests",
        "message": "Rate limit exceeded. Please retry after the specified time.",
    });
    let seconds = HeaderValue::from(seconds);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (RETRY_AFTER, seconds.clone()),
        (HeaderName::from_static("x-ratelimit-limit"), HeaderValue::from(100)),
        (HeaderName::from_static("x-ratelimit-remaining"), HeaderValue::from(0)),
        (HeaderName::from_static("x-ratelimit-reset"), seconds),
    ];
    let mut response = (StatusCode::TOO_MANY_REQUESTS, headers, body.to_string()).into_response();
    response.extensions_mut().insert(FromGateway);
    response
}

/// Writes out a problem, and adds the headers that GoodData sends with everything. There is never an `ETag`,
/// `Last-Modified` or, on success, `Location`.
fn dress(mut response: Response) -> Response {
    let trace = Uuid::new_v4().simple().to_string();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(&trace);
    }
    let untraced = response.extensions().get::<FromGateway>().is_some();
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-cache, no-store, max-age=0, must-revalidate"),
        (PRAGMA, "no-cache"),
        (EXPIRES, "0"),
        (
            VARY,
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        ),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("x-xss-protection"), "0"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !untraced
        && response.status() != StatusCode::UNAUTHORIZED
        && let Ok(trace) = HeaderValue::from_str(&trace)
    {
        response.headers_mut().insert("X-GDC-TRACE-ID", trace);
    }
    response
}
