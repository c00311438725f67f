use std::sync::Mutex;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use async_trait::async_trait;
use serde_json::{Map, json};

use super::*;
use crate::function::fixtures::{Scripted, numbers};
use crate::function::{Call, Output};

fn scripted(name: &'static str) -> Scripted {
    Scripted::new(name, |_| async { Ok(Output::from(numbers(&[]))) })
}

#[test]
fn functions_keep_their_order_and_are_found_by_exact_name() {
    let registry = Registry::builder()
        .function(scripted("b"))
        .function(scripted("a"))
        .build()
        .expect("good");
    assert_eq!(
        registry.iter().map(|function| function.name()).collect::<Vec<_>>(),
        ["b", "a"]
    );
    assert!(registry.get("a").is_some());
    assert!(registry.get("A").is_none());
    assert!(registry.get("a ").is_none());
}

#[test]
fn names_are_there_and_unique() {
    let error = Registry::builder().function(scripted("")).build().expect_err("no name");
    assert!(
        error
            .to_string()
            .ends_with("does not specify a name or specifies an empty one"),
        "{error}"
    );

    let error = Registry::builder()
        .function(scripted("a"))
        .function(scripted("a"))
        .build()
        .expect_err("twice");
    assert!(
        matches!(error, RegistryError::DuplicateName { ref name, .. } if name == "a"),
        "{error}"
    );
}

#[test]
fn metadata_is_an_object_or_nothing() {
    let list = Registry::builder()
        .function(scripted("a").with_metadata(json!([1])))
        .build();
    assert!(matches!(list, Err(RegistryError::Metadata { .. })));
    let null = Registry::builder()
        .function(scripted("a").with_metadata(Value::Null))
        .build()
        .expect("nothing");
    assert_eq!(null.get("a").expect("registered").metadata(), None);
    let object = Registry::builder()
        .function(scripted("a").with_metadata(json!({"z": 1, "a": 2})))
        .build();
    let object = object.expect("an object");
    assert_eq!(
        object.get("a").expect("registered").metadata(),
        Some(&json!({"z": 1, "a": 2}))
    );
}

/// Notes when it is loaded, and fails or panics if told to.
struct Loading {
    name: &'static str,
    log: Arc<Mutex<Vec<String>>>,
    schema: SchemaRef,
}

#[async_trait]
impl FlexConnectFunction for Loading {
    fn name(&self) -> &str {
        self.name
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        self.log.lock().expect("not poisoned").push(self.name.to_owned());
        match context.get::<String>("test.do")?.as_deref() {
            Some("fail") => Err(FunctionError::failed("no warehouse")),
            Some("panic") => panic!("no warehouse"),
            _ => Ok(()),
        }
    }

    async fn call(&self, _: Call) -> Result<Output, FunctionError> {
        Err(FunctionError::failed("not for calls"))
    }
}

fn loading(names: &[&'static str]) -> (Registry, Arc<Mutex<Vec<String>>>) {
    let log = Arc::default();
    let mut builder = Registry::builder();
    for name in names {
        builder = builder.function(Loading {
            name,
            log: Arc::clone(&log),
            schema: numbers(&[]).schema(),
        });
    }
    (builder.build().expect("good functions"), log)
}

fn told_to(act: &str) -> LoadContext {
    let mut settings = Map::new();
    settings.insert("test".into(), json!({"do": act}));
    LoadContext::new(settings, "grpc://localhost:1")
}

#[tokio::test]
async fn functions_load_one_after_the_other() {
    let (registry, log) = loading(&["b", "a"]);
    registry.load(&told_to("nothing")).await.expect("all load");
    assert_eq!(*log.lock().expect("not poisoned"), ["b", "a"]);
}

#[tokio::test]
async fn the_first_failure_stops_the_start_and_names_the_function() {
    let (registry, log) = loading(&["b", "a"]);
    let error = registry.load(&told_to("fail")).await.expect_err("told to fail");
    assert_eq!(
        error.to_string(),
        "FlexConnect function 'b' failed to load: no warehouse"
    );
    assert_eq!(*log.lock().expect("not poisoned"), ["b"]);

    let error = registry.load(&told_to("panic")).await.expect_err("told to panic");
    assert_eq!(
        error.to_string(),
        "FlexConnect function 'b' failed to load: it panicked"
    );
}

#[test]
fn columns_that_cannot_be_sent_are_found_at_once() {
    // A dictionary of dictionaries has no form in Arrow IPC.
    let inner = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let column = Field::new(
        "d",
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(inner)),
        true,
    );
    let schema = Arc::new(Schema::new(Fields::from(vec![column])));
    let function = Loading {
        name: "a",
        log: Arc::default(),
        schema,
    };
    let error = Registry::builder()
        .function(function)
        .build()
        .expect_err("cannot be sent");
    assert!(matches!(error, RegistryError::Schema { .. }), "{error}");
}
