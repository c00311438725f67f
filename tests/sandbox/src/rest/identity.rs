//! Who and where: the organization, the user's profile and the options.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::state::Shared;

use super::auth::{Caller, host};
use super::listing::Listing;
use super::media::Media;
use super::problem::Problem;
use super::resource::{Resource, base};

const ORGANIZATIONS: &str = "/api/v1/entities/admin/organizations";

/// The redirect that tells a client the id of its organization.
pub(crate) async fn organization(State(state): State<Shared>) -> Response {
    let location = format!("{ORGANIZATIONS}/{}", state.options.organization);
    (StatusCode::FOUND, [(LOCATION, location)]).into_response()
}

pub(crate) async fn read_organization(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    media: Media,
    listing: Listing,
) -> Result<Response, Problem> {
    if caller == Caller::Viewer || id != state.options.organization {
        return Err(Problem::not_found());
    }
    let host = host(&headers);
    let hostname = state
        .options
        .host
        .as_deref()
        .unwrap_or(host.rsplit_once(':').map_or(host, |(name, _)| name));
    let organization = Resource {
        kind: "organization",
        id,
        attributes: [("hostname", hostname), ("name", "Sandbox")]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into_iter()
            .collect(),
        permissions: &["MANAGE", "SELF_CREATE_TOKEN", "BASE_UI_ACCESS"],
        collection: ORGANIZATIONS.to_owned(),
    };
    Ok(media.answer(
        StatusCode::OK,
        &organization.document(listing.base(), listing.with_permissions),
    ))
}

pub(crate) async fn profile(
    State(state): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    media: Media,
) -> Response {
    let (user, permissions): (_, &[&str]) = match caller {
        Caller::Manager => ("admin", &["MANAGE", "SELF_CREATE_TOKEN", "BASE_UI_ACCESS"]),
        Caller::Viewer => ("viewer", &["BASE_UI_ACCESS"]),
    };
    let organization = &state.options.organization;
    let base = base(&headers);
    let profile = json!({
        "entitlements": [],
        "features": { "context": { "earlyAccess": "", "earlyAccessValues": [] }, "items": {} },
        "links": {
            "organization": format!("{base}/api/v1/entities/admin/organizations/{organization}"),
            "self": format!("{base}/api/v1/profile"),
            "user": format!("{base}/api/v1/entities/users/{user}"),
        },
        "name": user,
        "organizationId": organization,
        "organizationName": "Sandbox",
        "permissions": permissions,
        "telemetryConfig": {
            "context": { "deploymentId": "sandbox", "organizationHash": organization, "userHash": user },
            "services": {},
        },
        "userId": user,
    });
    media.answer(StatusCode::OK, &profile)
}

pub(crate) async fn options(media: Media) -> Response {
    let options = json!({ "options": {
        "description": "Options resources",
        "links": { "availableDrivers": "/api/v1/options/availableDrivers" },
    }});
    media.answer(StatusCode::OK, &options)
}

/// JDBC drivers by type; FLEXCONNECT needs none.
pub(crate) async fn available_drivers(media: Media) -> Response {
    media.answer(StatusCode::OK, &json!({ "POSTGRESQL": "org.postgresql.Driver" }))
}
