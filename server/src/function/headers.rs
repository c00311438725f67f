//! The metadata of a call as functions see it.

use std::collections::BTreeMap;

use bytes::Bytes;
use tonic::metadata::{KeyAndValueRef, MetadataMap};

/// One value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// An ordinary header.
    Text(String),
    /// A header whose name ends in `-bin`, decoded; or one that is not ASCII.
    Bytes(Bytes),
}

/// Header names in lower case, each with its values in the order they came.
///
/// What belongs to the transport is not there, and neither are the caller's credentials, unless
/// `server.pass_credentials` asks for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(BTreeMap<String, Vec<HeaderValue>>);

impl Headers {
    /// Takes over the metadata of a request, from which authentication has taken the credentials.
    pub(crate) fn from_metadata(metadata: &MetadataMap) -> Self {
        let mut headers = BTreeMap::<String, Vec<HeaderValue>>::new();
        for entry in metadata.iter() {
            let (name, value) = match entry {
                KeyAndValueRef::Ascii(name, value) => {
                    let value = match value.to_str() {
                        Ok(text) => HeaderValue::Text(text.to_owned()),
                        Err(_) => HeaderValue::Bytes(Bytes::copy_from_slice(value.as_encoded_bytes())),
                    };
                    (name.as_str(), Some(value))
                }
                KeyAndValueRef::Binary(name, value) => (name.as_str(), value.to_bytes().ok().map(HeaderValue::Bytes)),
            };
            if is_transport(name) {
                continue;
            }
            headers.entry(name.to_owned()).or_default().extend(value);
        }
        Self(headers)
    }

    /// All values of a header; empty when it was not sent.
    #[must_use]
    pub fn get(&self, name: &str) -> &[HeaderValue] {
        self.0.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// The first value of a header, when it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name).first() {
            Some(HeaderValue::Text(text)) => Some(text),
            Some(HeaderValue::Bytes(_)) | None => None,
        }
    }

    /// All headers, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[HeaderValue])> {
        self.0.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }
}

fn is_transport(name: &str) -> bool {
    matches!(name, "te" | "content-type") || name.starts_with("grpc-")
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataValue;

    use super::*;

    #[test]
    fn the_transport_stays_outside() {
        let mut metadata = MetadataMap::new();
        for name in ["te", "content-type", "grpc-timeout", "user-agent"] {
            metadata.insert(name, MetadataValue::from_static("v"));
        }
        let headers = Headers::from_metadata(&metadata);
        assert_eq!(headers.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["user-agent"]);
    }

    #[test]
    fn repeated_values_keep_their_order_and_binary_ones_are_decoded() {
        let mut metadata = MetadataMap::new();
        metadata.append("x-a", MetadataValue::from_static("1"));
        metadata.append("x-a", MetadataValue::from_static("2"));
        metadata.append_bin("x-b-bin", MetadataValue::from_bytes(b"\x00\xff"));
        let headers = Headers::from_metadata(&metadata);
        assert_eq!(
            headers.get("X-A"),
            [HeaderValue::Text("1".into()), HeaderValue::Text("2".into())]
        );
        assert_eq!(headers.text("x-a"), Some("1"));
        assert_eq!(
            headers.get("x-b-bin"),
            [HeaderValue::Bytes(Bytes::from_static(b"\x00\xff"))]
        );
        assert_eq!(headers.text("x-c"), None);
    }
}
