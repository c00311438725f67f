//! The sandbox's own endpoints: what was asked, faults, workspaces.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::flight::{Failure, Query};
use crate::options::Options;
use crate::sandbox::Dataset;
use crate::state::{Shared, lock};

use super::media::{Body, Media};
use super::problem::Problem;

/// `GET /sandbox/requests`: `{"requests":[…],"counters":{…}}`, oldest first.
pub(crate) async fn requests(State(state): State<Shared>, media: Media) -> Response {
    let body = json!({ "requests": state.journal.requests(), "counters": state.journal.counters() });
    media.answer(StatusCode::OK, &body)
}

/// `DELETE /sandbox/requests`
pub(crate) async fn forget_requests(State(state): State<Shared>) -> Response {
    state.journal.clear();
    StatusCode::NO_CONTENT.into_response()
}

/// `GET /sandbox/faults`: `{"faults":["down:2"]}`, counts as they are now.
pub(crate) async fn faults(State(state): State<Shared>, media: Media) -> Response {
    let faults: Vec<_> = lock(&state.faults).iter().map(ToString::to_string).collect();
    media.answer(StatusCode::OK, &json!({ "faults": faults }))
}

/// `PUT /sandbox/faults` with the same body: replaces all faults.
pub(crate) async fn set_faults(State(state): State<Shared>, Body(body): Body) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        faults: Vec<String>,
    }
    let wanted: Wanted = parse(body)?;
    let parsed: Result<Vec<Fault>, _> = wanted.faults.iter().map(|text| text.parse()).collect();
    *lock(&state.faults) = parsed.map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /sandbox/faults`
pub(crate) async fn heal(State(state): State<Shared>) -> Response {
    lock(&state.faults).clear();
    StatusCode::NO_CONTENT.into_response()
}

/// `PUT /sandbox/workspaces` with `{"WORKSPACE":[{"id":…,"dataSourceId":…,"tableId":…}]}`: replaces all workspaces.
pub(crate) async fn set_workspaces(State(state): State<Shared>, Body(body): Body) -> Result<Response, Problem> {
    *lock(&state.workspaces) = parse::<BTreeMap<String, Vec<Dataset>>>(body)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /sandbox/dataSources/{id}/query` with a [`Query`]: 200 with an [`Answer`](crate::Answer), or 502 with the
/// sentence that says why in `detail`, all `attempts`, and the protocol's error `code` when the server sent one.
pub(crate) async fn query(
    State(state): State<Shared>,
    Path(id): Path<String>,
    media: Media,
    Body(body): Body,
) -> Result<Response, Problem> {
    let query: Query = parse(body)?;
    let source = lock(&state.store).get(&id).cloned();
    let source = source.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            format!("there is no data source `{id}`: register it first"),
        )
    })?;
    let Options {
        profile, organization, ..
    } = &state.options;
    match state.engine.query(&source, &query, *profile, organization).await {
        Ok(answer) => Ok(media.answer(StatusCode::OK, &json!(answer))),
        Err(Failure::Invalid(error)) => Err(Problem::bad_request(error.to_string())),
        Err(Failure::Unanswered(error, attempts)) => {
            let problem = Problem::new(StatusCode::BAD_GATEWAY, error.to_string()).with("attempts", json!(attempts));
            Err(match error.code() {
                Some(code) => problem.with("code", json!(code)),
                None => problem,
            })
        }
    }
}

fn parse<T: for<'a> Deserialize<'a>>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body).map_err(|error| Problem::bad_request(format!("The body does not fit: {error}.")))
}
