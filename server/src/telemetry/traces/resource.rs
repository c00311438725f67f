//! What is said of the process that spans come from.

use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;
use rustix::system::uname;

use crate::config::TraceSettings;

/// What the settings and the system know. It wins over `OTEL_RESOURCE_ATTRIBUTES`, except where nothing is known better.
pub(super) fn of(settings: &TraceSettings) -> Resource {
    let system = uname();
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let or_else = |setting: &Option<String>, other: String| setting.clone().unwrap_or(other);
    let instance = or_else(&settings.service_instance_id, text(system.nodename()));
    let namespace = or_else(&settings.service_namespace, String::new());
    let attributes = [
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance),
        KeyValue::new("service.namespace", namespace),
        KeyValue::new("os.type", std::env::consts::OS),
        KeyValue::new("os.version", text(system.release())),
        KeyValue::new(
            "os.description",
            format!(
                "{} {} {}",
                text(system.sysname()),
                text(system.release()),
                text(system.machine())
            ),
        ),
        KeyValue::new("process.pid", i64::from(std::process::id())),
        KeyValue::new("process.parent_pid", i64::from(std::os::unix::process::parent_id())),
        KeyValue::new("process.runtime.name", "rust"),
        KeyValue::new("process.runtime.version", env!("CARGO_PKG_RUST_VERSION")),
        KeyValue::new("process.runtime.description", "native code"),
    ];
    let resource = Resource::builder().with_attributes(attributes);
    match &settings.service_name {
        Some(name) => resource.with_service_name(name.clone()).build(),
        None => named(resource.build()),
    }
}

/// Names a service that neither the settings nor the standard variables name after its program.
fn named(resource: Resource) -> Resource {
    let unknown = match resource.get(&Key::from_static_str("service.name")) {
        Some(Value::String(name)) => name.as_str().starts_with("unknown_service"),
        Some(_) | None => true,
    };
    let program = std::env::current_exe().ok();
    match program.as_deref().and_then(|path| path.file_name()) {
        Some(program) if unknown => Resource::builder_empty()
            .with_attributes(
                resource
                    .iter()
                    .map(|(key, value)| KeyValue::new(key.clone(), value.clone())),
            )
            .with_service_name(program.to_string_lossy().into_owned())
            .build(),
        Some(_) | None => resource,
    }
}
