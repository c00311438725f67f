//! A Flight service of one's own: a shelf on which clients put tables, and that sums them up.
//!
//! The server gives it configuration, authentication, tasks, health, metrics, logs and the drain; here is only what the
//! service itself does.

mod methods;
mod settings;
mod shelf;
mod summary;
mod tenants;

use flexconnect_server::{FunctionError, Server, ServerContext};

use methods::ShelfMethods;
use settings::ShelfSettings;
use shelf::Shelf;
use tenants::Tenants;

/// The server, not yet started.
#[must_use]
pub fn server() -> Server {
    Server::service(shelf).verifier(Tenants::of_settings).build()
}

/// Makes the service while the server starts.
async fn shelf(server: ServerContext) -> Result<ShelfMethods, FunctionError> {
    let settings: ShelfSettings = server.section("shelf")?;
    let shelf = Shelf::new(settings);
    shelf.register(server.metrics())?;
    shelf.keep_house(server.health_module("shelf"));
    Ok(ShelfMethods::new(shelf))
}
