//! `/entities/dataSources` and the view of it that needs no rights.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::data_source::{Changes, Completeness, DataSource, Refusal, parse_document};
use crate::fault::{Effects, canonical_url};
use crate::options::Variant;
use crate::state::{Shared, State as Sandbox, lock};

use super::auth::Caller;
use super::listing::Listing;
use super::media::{Body, Media};
use super::problem::Problem;
use super::resource::Resource;

const COLLECTION: &str = "/api/v1/entities/dataSources";

pub(crate) async fn list(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    media: Media,
    listing: Listing,
) -> Response {
    let visible: Vec<_> = match caller {
        Caller::Manager => lock(&state.store).iter().map(resource).collect(),
        Caller::Viewer => Vec::new(),
    };
    media.answer(StatusCode::OK, &listing.page_of(visible))
}

pub(crate) async fn read(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    media: Media,
    listing: Listing,
) -> Result<Response, Problem> {
    let source = visible(&state, caller, &id)?;
    Ok(media.answer(
        StatusCode::OK,
        &resource(&source).document(listing.base(), listing.with_permissions),
    ))
}

pub(crate) async fn create(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Extension(effects): Extension<Effects>,
    media: Media,
    listing: Listing,
    Body(body): Body,
) -> Result<Response, Problem> {
    if caller == Caller::Viewer {
        let hidden = state.has(Variant::CreateWithoutRightsIsNotFound);
        return Err(if hidden {
            Problem::not_found()
        } else {
            Problem::forbidden()
        });
    }
    let (id, changes) = parse_document(&body, Completeness::Whole)?;
    let created = stored(lock(&state.store).create(&id, changes), effects);
    let created = created.map_err(|refusal| Problem::refused(refusal, &id))?;
    Ok(media.answer(
        StatusCode::CREATED,
        &created.document(listing.base(), listing.with_permissions),
    ))
}

pub(crate) async fn replace(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Extension(effects): Extension<Effects>,
    Path(id): Path<String>,
    media: Media,
    listing: Listing,
    Body(body): Body,
) -> Result<Response, Problem> {
    visible(&state, caller, &id)?;
    let changes = changes_of(&state, &id, &body, Completeness::Whole)?;
    let replaced = stored(lock(&state.store).replace(&id, changes, state.rules()), effects);
    written(replaced, &id, media, &listing)
}

pub(crate) async fn patch(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Extension(effects): Extension<Effects>,
    Path(id): Path<String>,
    media: Media,
    listing: Listing,
    Body(body): Body,
) -> Result<Response, Problem> {
    visible(&state, caller, &id)?;
    let changes = changes_of(&state, &id, &body, Completeness::Part)?;
    let patched = stored(lock(&state.store).patch(&id, changes, state.rules()), effects);
    written(patched, &id, media, &listing)
}

pub(crate) async fn delete(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let deleted = match caller {
        Caller::Manager => lock(&state.store).delete(&id),
        Caller::Viewer => Err(Refusal::Missing),
    };
    match deleted {
        Ok(()) => {}
        Err(Refusal::Missing) if caller == Caller::Manager && state.has(Variant::DeleteMissingSucceeds) => {}
        Err(refusal) => return Err(Problem::refused(refusal, &id)),
    }
    state.engine.forget(&id);
    Ok((StatusCode::NO_CONTENT, [(CONTENT_TYPE, Media::Vendor.header())]).into_response())
}

pub(crate) async fn list_identifiers(State(state): State<Shared>, media: Media, listing: Listing) -> Response {
    let identifiers = lock(&state.store).iter().map(identifier).collect();
    media.answer(StatusCode::OK, &listing.page_of(identifiers))
}

pub(crate) async fn read_identifier(
    State(state): State<Shared>,
    Path(id): Path<String>,
    media: Media,
    listing: Listing,
) -> Result<Response, Problem> {
    let identifier = lock(&state.store)
        .get(&id)
        .map(identifier)
        .ok_or_else(Problem::not_found)?;
    Ok(media.answer(
        StatusCode::OK,
        &identifier.document(listing.base(), listing.with_permissions),
    ))
}

/// The data source if there is one that the caller may see; the two failures look the same.
pub(crate) fn visible(state: &Sandbox, caller: Caller, id: &str) -> Result<DataSource, Problem> {
    match caller {
        Caller::Manager => lock(&state.store).get(id).cloned().ok_or_else(Problem::not_found),
        Caller::Viewer => Err(Problem::not_found()),
    }
}

/// What a successful write shows, after the fault that stores another spelling of the URL had its turn.
fn stored(written: Result<&mut DataSource, Refusal>, effects: Effects) -> Result<Resource, Refusal> {
    written.map(|source| {
        if effects.canonical_url {
            source.respell_url(canonical_url);
        }
        resource(source)
    })
}

/// What a body wants of the data source of this id.
fn changes_of(state: &Sandbox, id: &str, body: &Value, completeness: Completeness) -> Result<Changes, Problem> {
    let (named, changes) = parse_document(body, completeness)?;
    if named == id || state.has(Variant::IdMismatchAccepted) {
        return Ok(changes);
    }
    Err(Problem::bad_request(format!(
        "The id '{named}' in the body differs from '{id}' in the path."
    )))
}

/// The answer to a write of what was there before.
fn written(stored: Result<Resource, Refusal>, id: &str, media: Media, listing: &Listing) -> Result<Response, Problem> {
    let resource = stored.map_err(|refusal| Problem::refused(refusal, id))?;
    Ok(media.answer(StatusCode::OK, &resource.document(listing.base(), false)))
}

fn resource(source: &DataSource) -> Resource {
    Resource {
        kind: "dataSource",
        id: source.id().to_owned(),
        attributes: source.attributes(),
        permissions: &["MANAGE", "USE"],
        collection: COLLECTION.to_owned(),
    }
}

fn identifier(source: &DataSource) -> Resource {
    let mut attributes = source.attributes();
    attributes.retain(|name, _| matches!(name.as_str(), "name" | "schema" | "type"));
    Resource {
        kind: "dataSourceIdentifier",
        attributes,
        permissions: &["USE"],
        collection: "/api/v1/entities/dataSourceIdentifiers".to_owned(),
        ..resource(source)
    }
}
