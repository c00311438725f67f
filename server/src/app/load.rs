//! Makes ready what a server serves: functions are loaded, a service is made.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;

use super::StartError;
use super::builder::{Factory, Serves};
use crate::config::{FlexConnectSection, FunctionLimits, Modules, Provider, PythonSection};
use crate::flight::{FlexConnect, ServerContext, Serving, Settings};
use crate::function::{FunctionError, LoadContext, Registry};
use crate::worker::{Python, Setting};

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

    /// The methods to serve, and the workers that functions in Python need. May take as long as functions take to load.
    pub(super) async fn load(
        self,
        load: &LoadContext,
        context: ServerContext,
        flexconnect: FlexConnectSection,
        python: Setting<'_>,
        max_request_bytes: usize,
    ) -> Result<(Serving, Option<Python>), StartError> {
        for advice in python.python.idle() {
            tracing::warn!(advice, "config_warning");
        }
        match self {
            Self::Functions(registry) if python.python.has_own_methods() => {
                if registry.iter().next().is_some() {
                    return Err(StartError::FunctionsAndProvider(
                        python.python.provider.module().to_owned(),
                    ));
                }
                let (python, _) = Python::start(python).await?;
                tracing::info!("rpc_enabled");
                let relay = python.relay(context, max_request_bytes);
                Ok((Serving::Relay(Arc::new(relay)), Some(python)))
            }
            Self::Functions(built_in) => {
                let (registry, mut python) = with_python(built_in.clone(), python).await?;
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
                let methods = Arc::new(FlexConnect::new(registry, settings));
                if let Some(python) = &mut python {
                    follow(python, built_in, &methods);
                }
                Ok((Serving::Methods(methods), python))
            }
            Self::Methods(make) => {
                if python.python.serves() {
                    let advice = "nothing is served from Python: this program has Flight methods of its own";
                    tracing::warn!(advice, "config_warning");
                }
                let workers = if python.verifier.is_some() {
                    let none = PythonSection {
                        named: Modules::default(),
                        provider: Provider::default(),
                        ..python.python.clone()
                    };
                    let (workers, _no_functions) = Python::start(Setting {
                        python: &none,
                        ..python
                    })
                    .await?;
                    Some(workers)
                } else {
                    None
                };
                let making = AssertUnwindSafe(async move { make(context).await }).catch_unwind();
                let outcome = making
                    .await
                    .unwrap_or_else(|_| Err(FunctionError::failed("it panicked")));
                let methods = outcome.map_err(StartError::Service)?;
                tracing::info!("rpc_enabled");
                Ok((Serving::Methods(methods), workers))
            }
        }
    }
}

/// Serves what changed modules have, beside the functions of this program.
fn follow(python: &mut Python, built_in: Registry, methods: &Arc<FlexConnect>) {
    let methods = Arc::clone(methods);
    python.on_change(move |functions| match built_in.clone().with_python(functions) {
        Ok(registry) => {
            let functions = registry.iter().map(|function| function.name()).collect::<Vec<_>>();
            let json_functions = serde_json::Value::from(functions);
            tracing::info!(json.functions = %json_functions, "functions_replaced");
            methods.replace(registry);
        }
        Err(error) => tracing::error!(reason = %error, "python_functions_not_loaded"),
    });
}

/// The functions of this program and those of Python modules, if there are any, with the workers that run them.
pub(crate) async fn with_python(
    registry: Registry,
    setting: Setting<'_>,
) -> Result<(Registry, Option<Python>), StartError> {
    if setting.python.has_own_methods() {
        return Err(StartError::NoFunctions);
    }
    if !setting.needs_workers() {
        return Ok((registry, None));
    }
    let (python, functions) = Python::start(setting).await?;
    match registry.with_python(functions) {
        Ok(registry) => Ok((registry, Some(python))),
        Err(error) => {
            python.stop().await;
            Err(error.into())
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
