//! The functions that a server has, by name.

use std::any::type_name;
use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use futures::FutureExt as _;
use serde_json::Value;

use super::{FlexConnectFunction, FunctionError, LoadContext};
use crate::ipc::SchemaMessage;
use crate::worker::PythonFunction;

/// A function whose name, columns and metadata were found good.
pub struct RegisteredFunction {
    /// Its type, for messages.
    implementor: &'static str,
    name: String,
    schema: SchemaRef,
    schema_message: SchemaMessage,
    metadata: Option<Value>,
    blocking: bool,
    implementation: Arc<dyn FlexConnectFunction>,
}

impl RegisteredFunction {
    /// The name that callers use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The columns that clients are shown.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What else clients are shown: a JSON object.
    #[must_use]
    pub const fn metadata(&self) -> Option<&Value> {
        self.metadata.as_ref()
    }

    /// Whether calls run on threads of their own.
    #[must_use]
    pub const fn blocking(&self) -> bool {
        self.blocking
    }

    /// The user's function.
    #[must_use]
    pub fn implementation(&self) -> &dyn FlexConnectFunction {
        &*self.implementation
    }

    pub(crate) const fn schema_message(&self) -> &SchemaMessage {
        &self.schema_message
    }
}

impl fmt::Debug for RegisteredFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredFunction")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// All functions of a server, in the order they were added.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    functions: Vec<Arc<RegisteredFunction>>,
    by_name: HashMap<String, usize>,
}

/// A function that cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name is empty.
    #[error("the FlexConnect function implemented by {implementor} does not specify a name or specifies an empty one")]
    NoName {
        /// Its type.
        implementor: &'static str,
    },
    /// Two functions have one name.
    #[error(
        "the FlexConnect function '{name}' implemented by {implementor} specifies the same name as the function \
         already registered by {other}"
    )]
    DuplicateName {
        /// The name of both.
        name: String,
        /// The type of the second one.
        implementor: &'static str,
        /// The type of the first one.
        other: &'static str,
    },
    /// The metadata is JSON, but not an object.
    #[error(
        "the FlexConnect function '{name}' implemented by {implementor} has metadata that is not a JSON object: \
         return an object from `metadata`, or none"
    )]
    Metadata {
        /// The function.
        name: String,
        /// Its type.
        implementor: &'static str,
    },
    /// Arrow IPC has no form for the columns.
    #[error("the FlexConnect function '{name}' implemented by {implementor} has a schema that cannot be sent")]
    Schema {
        /// The function.
        name: String,
        /// Its type.
        implementor: &'static str,
        /// What Arrow says.
        source: ArrowError,
    },
}

/// A function that did not load. The server does not start then.
#[derive(Debug, thiserror::Error)]
#[error("FlexConnect function '{name}' failed to load: {reason}")]
pub struct LoadError {
    name: String,
    reason: FunctionError,
}

/// Collects functions for a [`Registry`].
#[derive(Default)]
pub struct RegistryBuilder {
    functions: Vec<(&'static str, Arc<dyn FlexConnectFunction>)>,
}

impl fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.functions.iter().map(|(implementor, _)| implementor))
            .finish()
    }
}

impl RegistryBuilder {
    /// Adds a function.
    #[must_use]
    pub fn function<F: FlexConnectFunction>(mut self, function: F) -> Self {
        self.functions.push((type_name::<F>(), Arc::new(function)));
        self
    }

    /// The registry, when every function has a name of its own and can be shown to clients.
    pub fn build(self) -> Result<Registry, RegistryError> {
        let mut registry = Registry::default();
        for (implementor, function) in self.functions {
            registry.add(register(implementor, function, None)?)?;
        }
        Ok(registry)
    }
}

fn register(
    implementor: &'static str,
    implementation: Arc<dyn FlexConnectFunction>,
    schema_message: Option<SchemaMessage>,
) -> Result<RegisteredFunction, RegistryError> {
    let name = implementation.name().to_owned();
    if name.is_empty() {
        return Err(RegistryError::NoName { implementor });
    }
    let metadata = implementation.metadata().filter(|metadata| !metadata.is_null());
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_object()) {
        return Err(RegistryError::Metadata { name, implementor });
    }
    let schema = implementation.schema();
    let schema_message = schema_message.map_or_else(|| SchemaMessage::encode(&schema), Ok);
    let schema_message = match schema_message {
        Ok(message) => message,
        Err(source) => {
            return Err(RegistryError::Schema {
                name,
                implementor,
                source,
            });
        }
    };
    let blocking = implementation.blocking();
    Ok(RegisteredFunction {
        implementor,
        name,
        schema,
        schema_message,
        metadata,
        blocking,
        implementation,
    })
}

impl Registry {
    /// An empty collection to add functions to.
    #[must_use]
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// The same functions and those of Python modules. Their schemas are shown as Python wrote them.
    ///
    /// # Errors
    /// When a function cannot be served, or two have one name.
    pub(crate) fn with_python(mut self, functions: Vec<PythonFunction>) -> Result<Self, RegistryError> {
        for function in functions {
            let schema = Some(function.schema_message().clone());
            self.add(register("a Python module", Arc::new(function), schema)?)?;
        }
        Ok(self)
    }

    fn add(&mut self, function: RegisteredFunction) -> Result<(), RegistryError> {
        let index = self.functions.len();
        if let Some(first) = self.by_name.insert(function.name.clone(), index) {
            return Err(RegistryError::DuplicateName {
                name: function.name,
                implementor: function.implementor,
                other: self.functions[first].implementor,
            });
        }
        self.functions.push(Arc::new(function));
        Ok(())
    }

    /// The function of exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<RegisteredFunction>> {
        self.by_name.get(name).map(|&index| &self.functions[index])
    }

    /// All functions, in the order they were added.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<RegisteredFunction>> {
        self.functions.iter()
    }

    /// Loads the functions one after the other, in their order; stops at the first that fails.
    pub async fn load(&self, context: &LoadContext) -> Result<(), LoadError> {
        for function in &self.functions {
            let loading = AssertUnwindSafe(function.implementation.on_load(context)).catch_unwind();
            let loaded = loading
                .await
                .unwrap_or_else(|_| Err(FunctionError::failed("it panicked")));
            loaded.map_err(|reason| LoadError {
                name: function.name.clone(),
                reason,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
