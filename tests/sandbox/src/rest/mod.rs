//! GoodData's REST API, and the sandbox's own under `/sandbox`.

mod actions;
mod auth;
mod control;
mod entities;
mod filter;
mod gate;
mod identity;
mod listing;
mod media;
mod problem;
mod resource;
mod scan;
mod workspaces;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};

use crate::state::Shared;

use self::problem::Problem;

/// All routes behind their gates.
pub(crate) fn router(state: Shared) -> Router {
    let api = Router::new()
        .route(
            "/api/v1/entities/dataSources",
            get(entities::list).post(entities::create),
        )
        .route(
            "/api/v1/entities/dataSources/{id}",
            get(entities::read)
                .put(entities::replace)
                .patch(entities::patch)
                .delete(entities::delete),
        )
        .route(
            "/api/v1/entities/dataSourceIdentifiers",
            get(entities::list_identifiers),
        )
        .route(
            "/api/v1/entities/dataSourceIdentifiers/{id}",
            get(entities::read_identifier),
        )
        .route("/api/v1/actions/dataSource/test", post(actions::test_definition))
        .route("/api/v1/actions/dataSources/{id}/test", post(actions::test_stored))
        .route("/api/v1/actions/dataSources/{id}/scan", post(actions::scan))
        .route(
            "/api/v1/actions/dataSources/{id}/scanSchemata",
            get(actions::scan_schemata),
        )
        .route(
            "/api/v1/actions/dataSources/{id}/uploadNotification",
            post(actions::upload_notification),
        )
        .route("/api/v1/entities/workspaces", get(workspaces::list))
        .route(
            "/api/v1/entities/workspaces/{workspace}/datasets",
            get(workspaces::list_datasets),
        )
        .route("/api/v1/entities/organization", get(identity::organization))
        .route(
            "/api/v1/entities/admin/organizations/{id}",
            get(identity::read_organization),
        )
        .route("/api/v1/profile", get(identity::profile))
        .route("/api/v1/options", get(identity::options))
        .route("/api/v1/options/availableDrivers", get(identity::available_drivers))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn_with_state(state.clone(), gate::guard));
    let own = Router::new()
        .route("/requests", get(control::requests).delete(control::forget_requests))
        .route(
            "/faults",
            get(control::faults).put(control::set_faults).delete(control::heal),
        )
        .route("/workspaces", put(control::set_workspaces))
        .route("/dataSources/{id}/query", post(control::query))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn_with_state(state.clone(), gate::guard_own));
    Router::new()
        .nest("/sandbox", own)
        .fallback_service(api.with_state(state.clone()))
        .with_state(state)
}
