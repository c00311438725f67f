//! One entity in its envelope: alone in a document, or as an element of a list.

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::auth::host;

/// An entity as the API shows it.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// The literal of `type`.
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) attributes: Map<String, Value>,
    /// What `meta.permissions` says when it is asked for.
    pub(crate) permissions: &'static [&'static str],
    /// The path of the collection it is in.
    pub(crate) collection: String,
}

impl Resource {
    fn data(&self, with_permissions: bool) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("attributes".to_owned(), Value::from(self.attributes.clone()));
        data.insert("id".to_owned(), Value::from(self.id.as_str()));
        if with_permissions {
            data.insert("meta".to_owned(), json!({ "permissions": self.permissions }));
        }
        data.insert("type".to_owned(), Value::from(self.kind));
        data
    }

    fn links(&self, base: &str) -> Value {
        json!({ "self": format!("{base}{}/{}", self.collection, self.id) })
    }

    /// `{"data":{…},"links":{"self":…}}`
    pub(crate) fn document(&self, base: &str, with_permissions: bool) -> Value {
        json!({ "data": self.data(with_permissions), "links": self.links(base) })
    }

    /// The element of a list, with its own links.
    pub(crate) fn element(&self, base: &str, with_permissions: bool) -> Value {
        let mut element = self.data(with_permissions);
        element.insert("links".to_owned(), self.links(base));
        Value::from(element)
    }

    /// A property that can be filtered and sorted by.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        if name == "id" {
            Some(&self.id)
        } else {
            self.attributes.get(name)?.as_str()
        }
    }
}

/// The start of absolute links: the host that the client asked for.
pub(crate) fn base(headers: &HeaderMap) -> String {
    format!("http://{}", host(headers))
}
