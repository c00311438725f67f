//! Makes ready what a server serves: functions are loaded, a service is made.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;

use super::StartError;
use super::builder::{Factory, Serves};
use crate::config::{FlexConnectSection, FunctionLimits};
use crate::flight::{FlexConnect, FlightMethods, ServerContext, Settings};
use crate::function::{FunctionError, LoadContext, Registry};

/// What a server serves, as far as it can be checked before anything is opened.
pub(super) enum Checked {
    Functions(Registry),
    Methods(Factory),
}

impl Checked {
    pub(super) fn new(serves: Serves) -> Result<Self, StartError> {
        Ok(match serves {
            Serves::Functions(functions) => Self::Functions(functions.build()?),
            Serves::Methods(make) => Self::Methods(make),
        })
    }

    /// The methods to serve. May take as long as functions take to load.
    pub(super) async fn load(
        self,
        load: &LoadContext,
        context: ServerContext,
        flexconnect: FlexConnectSection,
    ) -> Result<Arc<dyn FlightMethods>, StartError> {
        match self {
            Self::Functions(registry) => {
                for doubt in idle_limits(&flexconnect.limits, &registry) {
                    tracing::warn!(advice = doubt, "config_warning");
                }
                registry.load(load).await?;
                let functions = registry.iter().map(|function| function.name()).collect::<Vec<_>>();
                if functions.is_empty() {
                    tracing::warn!("no_functions_registered");
                }
                let json_functions = serde_json::Value::from(functions);
                tracing::info!(json.functions = %json_functions, "rpc_enabled");
                let settings = Settings {
                    polling_interval: flexconnect.polling_interval,
                };
                Ok(Arc::new(FlexConnect::new(registry, settings)))
            }
            Self::Methods(make) => {
                let making = AssertUnwindSafe(async move { make(context).await }).catch_unwind();
                let outcome = making
                    .await
                    .unwrap_or_else(|_| Err(FunctionError::failed("it panicked")));
                let methods = outcome.map_err(StartError::Service)?;
                tracing::info!("rpc_enabled");
                Ok(methods)
            }
        }
    }
}

/// Says of limits for functions that are not there that they have no effect.
pub(super) fn idle_limits(limits: &FunctionLimits, registry: &Registry) -> Vec<String> {
    let names: Vec<String> = registry.iter().map(|function| function.name().to_lowercase()).collect();
    let idle = limits.iter().filter(|(name, _)| !names.contains(&name.to_lowercase()));
    idle.map(|(name, _)| format!("flexconnect.limits.{name} has no effect: there is no such function"))
        .collect()
}
