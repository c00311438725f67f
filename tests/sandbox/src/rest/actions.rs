//! `/actions/dataSources`: connection tests, scans and cache invalidation.

use std::time::Instant;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use crate::data_source::{DataSource, parse_test_definition};
use crate::flight::{Route, list_functions, probe};
use crate::options::{ConnectionTest, Variant};
use crate::state::{Shared, State as Sandbox};

use super::auth::Caller;
use super::entities::visible;
use super::media::{Body, Media};
use super::problem::Problem;
use super::scan::{ScanRequest, scan_result};

/// Tests a definition that is not stored.
pub(crate) async fn test_definition(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    media: Media,
    Body(body): Body,
) -> Result<Response, Problem> {
    if caller == Caller::Viewer {
        return Err(Problem::forbidden());
    }
    let tested = parse_test_definition(&body, None)?;
    Ok(media.answer(StatusCode::OK, &test(&state, &tested).await))
}

/// Tests a stored data source, the fields of the body over its own.
pub(crate) async fn test_stored(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    media: Media,
    Body(body): Body,
) -> Result<Response, Problem> {
    let tested = parse_test_definition(&body, Some(visible(&state, caller, &id)?))?;
    Ok(media.answer(StatusCode::OK, &test(&state, &tested).await))
}

/// The names of schemas: a FlexConnect server has none.
pub(crate) async fn scan_schemata(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    media: Media,
) -> Result<Response, Problem> {
    let source = visible(&state, caller, &id)?;
    let names: Vec<_> = source
        .text("schema")
        .filter(|schema| !schema.is_empty())
        .into_iter()
        .collect();
    Ok(media.answer(StatusCode::OK, &json!({ "schemaNames": names })))
}

/// Counted by the journal; results are never cached here, so there is nothing else to do.
pub(crate) async fn upload_notification(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    visible(&state, caller, &id)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The functions of the servers as tables. Nothing is stored.
pub(crate) async fn scan(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    media: Media,
    Body(body): Body,
) -> Result<Response, Problem> {
    let source = visible(&state, caller, &id)?;
    let request: ScanRequest = serde_json::from_value(body)
        .map_err(|error| Problem::bad_request(format!("The body does not fit: {error}.")))?;
    let listed = async { list_functions(state.engine.pool(), &Route::of(&source)?).await };
    let listed = listed.await.map_err(|error| Problem::bad_request(error.to_string()))?;
    let as_views = state.has(Variant::FunctionsAreViews);
    Ok(media.answer(StatusCode::OK, &scan_result(&listed, &request, as_views)))
}

/// Always an answer: what went wrong is its content.
async fn test(state: &Sandbox, source: &DataSource) -> Value {
    match state.options.connection_test {
        ConnectionTest::AssumeSuccess => json!({ "successful": true }),
        ConnectionTest::Dial => {
            let started = Instant::now();
            let probed = async { probe(state.engine.pool(), &Route::of(source)?).await };
            match probed.await {
                Ok(()) => {
                    let millis = i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX);
                    json!({ "queryDurationMillis": { "simpleSelect": millis }, "successful": true })
                }
                Err(error) => json!({ "error": error.to_string(), "successful": false }),
            }
        }
    }
}
