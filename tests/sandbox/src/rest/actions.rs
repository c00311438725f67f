//! `/actions/dataSources`: connection tests, scans and cache invalidation.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use crate::data_source::{DataSource, parse_test_definition};
use crate::options::ConnectionTest;
use crate::state::{Shared, State as Sandbox};

use super::auth::Caller;
use super::entities::visible;
use super::media::{Body, Media};
use super::problem::Problem;

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

async fn test(state: &Sandbox, _source: &DataSource) -> Value {
    match state.options.connection_test {
        ConnectionTest::AssumeSuccess => json!({ "successful": true }),
        ConnectionTest::Dial => json!({ "successful": true }),
    }
}
