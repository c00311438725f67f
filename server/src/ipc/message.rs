//! IPC messages: a flatbuffer that describes, and the Arrow buffers as they lie in memory.

use std::sync::Arc;

use arrow_flight::FlightData;
use bytes::{Bytes, BytesMut};

/// One message of a Flight stream. Cloning shares its bytes.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The bare `Message` flatbuffer, without the length before it that files and pipes need. Empty for a message that
    /// only carries `app_metadata`.
    pub header: Bytes,
    /// The buffers, each padded to 64 bytes; empty for a schema.
    pub body: Body,
    /// What a service tells its clients beside the data. FlexConnect does not use it.
    pub app_metadata: Bytes,
}

impl Message {
    /// Bytes of the message as it is sent, framing aside.
    #[must_use]
    pub fn len(&self) -> usize {
        self.header.len() + self.body.len() + self.app_metadata.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of a record batch, as its header says; none in all other messages.
    #[must_use]
    pub fn rows(&self) -> usize {
        let message = arrow_ipc::root_as_message(&self.header).ok();
        let batch = message.and_then(|message| message.header_as_record_batch());
        batch.map_or(0, |batch| usize::try_from(batch.length()).unwrap_or(0))
    }
}

/// Shares the bytes. The descriptor that `FlightData` may carry is dropped: what clients read has none.
impl From<FlightData> for Message {
    fn from(data: FlightData) -> Self {
        Self {
            header: data.data_header,
            body: data.data_body.into(),
            app_metadata: data.app_metadata,
        }
    }
}

/// Shares the bytes, unless the body lies in several places: then it is copied together.
impl From<Message> for FlightData {
    fn from(message: Message) -> Self {
        Self {
            data_header: message.header,
            data_body: message.body.into_contiguous(),
            app_metadata: message.app_metadata,
            ..Self::default()
        }
    }
}

/// The body of a message: segments that are sent one after the other. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Body(Segments);

#[derive(Clone, Debug, Default)]
enum Segments {
    #[default]
    None,
    One(Bytes),
    Many {
        segments: Arc<[Bytes]>,
        len: usize,
    },
}

impl Body {
    /// Bytes in all segments.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Segments::None => 0,
            Segments::One(segment) => segment.len(),
            Segments::Many { len, .. } => *len,
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The segments, none of them empty.
    #[must_use]
    pub fn segments(&self) -> &[Bytes] {
        match &self.0 {
            Segments::None => &[],
            Segments::One(segment) => std::slice::from_ref(segment),
            Segments::Many { segments, .. } => segments,
        }
    }

    /// All bytes in one place. Copies when there are several segments.
    #[must_use]
    pub fn into_contiguous(self) -> Bytes {
        match self.0 {
            Segments::None => Bytes::new(),
            Segments::One(segment) => segment,
            Segments::Many { segments, len } => {
                let mut bytes = BytesMut::with_capacity(len);
                for segment in segments.iter() {
                    bytes.extend_from_slice(segment);
                }
                bytes.freeze()
            }
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self(Segments::None)
        } else {
            Self(Segments::One(bytes))
        }
    }
}

impl FromIterator<Bytes> for Body {
    fn from_iter<I: IntoIterator<Item = Bytes>>(segments: I) -> Self {
        let mut segments = segments.into_iter().filter(|segment| !segment.is_empty());
        let Some(first) = segments.next() else {
            return Self(Segments::None);
        };
        let Some(second) = segments.next() else {
            return Self(Segments::One(first));
        };
        let segments: Arc<[Bytes]> = [first, second].into_iter().chain(segments).collect();
        let len = segments.iter().map(Bytes::len).sum();
        Self(Segments::Many { segments, len })
    }
}

/// The same bytes, however they are cut into segments.
impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        fn bytes(body: &Body) -> impl Iterator<Item = &u8> {
            body.segments().iter().flatten()
        }
        self.len() == other.len() && bytes(self).eq(bytes(other))
    }
}

impl Eq for Body {}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            header,
            body,
            app_metadata,
        } = self;
        *header == other.header && *body == other.body && *app_metadata == other.app_metadata
    }
}

impl Eq for Message {}
