//! IPC messages: a flatbuffer that describes, and the Arrow buffers as they lie in memory.

use std::io;
use std::sync::Arc;

use arrow_flight::FlightData;
use bytes::{Bytes, BytesMut};
use tokio::task::spawn_blocking;

use crate::memory::Region;

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
    /// Rows of the record batch, for the metrics; none in all other messages.
    pub rows: usize,
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

    /// Whether it is a record batch.
    pub(super) fn is_batch(&self) -> bool {
        let message = arrow_ipc::root_as_message(&self.header);
        message.is_ok_and(|message| message.header_type() == arrow_ipc::MessageHeader::RecordBatch)
    }

    /// The message as arrow-flight has it. Shares the bytes, unless the body lies in several places: then it is copied
    /// together.
    ///
    /// # Errors
    /// When the body is on disk and cannot be read.
    pub async fn into_flight_data(self) -> io::Result<FlightData> {
        Ok(FlightData {
            data_header: self.header,
            data_body: self.body.into_contiguous().await?,
            app_metadata: self.app_metadata,
            ..FlightData::default()
        })
    }
}

/// Shares the bytes. The descriptor that `FlightData` may carry is dropped: what clients read has none.
impl From<FlightData> for Message {
    fn from(data: FlightData) -> Self {
        Self {
            rows: rows(&data.data_header),
            header: data.data_header,
            body: data.data_body.into(),
            app_metadata: data.app_metadata,
        }
    }
}

/// Rows of a record batch, as its header says; none where it is the header of something else.
pub(crate) fn rows(header: &[u8]) -> usize {
    let message = arrow_ipc::root_as_message(header).ok();
    let batch = message.and_then(|message| message.header_as_record_batch());
    batch.map_or(0, |batch| usize::try_from(batch.length()).unwrap_or(0))
}

/// The body of a message: segments that are sent one after the other, or a piece of a file. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Body(Place);

#[derive(Clone, Debug, Default)]
enum Place {
    #[default]
    Nowhere,
    Memory(Bytes),
    Memories {
        segments: Arc<[Bytes]>,
        len: usize,
    },
    Disk(Region),
}

impl Body {
    /// Bytes in all segments.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Place::Nowhere => 0,
            Place::Memory(segment) => segment.len(),
            Place::Memories { len, .. } => *len,
            // What is on disk was in memory before.
            Place::Disk(region) => usize::try_from(region.len()).unwrap_or(usize::MAX),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The segments in memory, none of them empty.
    #[must_use]
    pub fn segments(&self) -> &[Bytes] {
        match &self.0 {
            Place::Nowhere | Place::Disk(_) => &[],
            Place::Memory(segment) => std::slice::from_ref(segment),
            Place::Memories { segments, .. } => segments,
        }
    }

    /// The piece of a file that is the body, if it is on disk.
    #[must_use]
    pub const fn region(&self) -> Option<&Region> {
        match &self.0 {
            Place::Disk(region) => Some(region),
            Place::Nowhere | Place::Memory(_) | Place::Memories { .. } => None,
        }
    }

    /// All bytes in one piece of memory. Copies when there are several segments.
    ///
    /// # Errors
    /// When the body is on disk and cannot be read.
    pub async fn into_contiguous(self) -> io::Result<Bytes> {
        match self.0 {
            Place::Nowhere => Ok(Bytes::new()),
            Place::Memory(segment) => Ok(segment),
            Place::Memories { segments, len } => {
                let mut bytes = BytesMut::with_capacity(len);
                for segment in segments.iter() {
                    bytes.extend_from_slice(segment);
                }
                Ok(bytes.freeze())
            }
            Place::Disk(region) => spawn_blocking(move || region.read()).await?,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self(Place::Nowhere)
        } else {
            Self(Place::Memory(bytes))
        }
    }
}

impl FromIterator<Bytes> for Body {
    fn from_iter<I: IntoIterator<Item = Bytes>>(segments: I) -> Self {
        let mut segments = segments.into_iter().filter(|segment| !segment.is_empty());
        let Some(first) = segments.next() else {
            return Self(Place::Nowhere);
        };
        let Some(second) = segments.next() else {
            return Self(Place::Memory(first));
        };
        let segments: Arc<[Bytes]> = [first, second].into_iter().chain(segments).collect();
        let len = segments.iter().map(Bytes::len).sum();
        Self(Place::Memories { segments, len })
    }
}

impl From<Region> for Body {
    fn from(region: Region) -> Self {
        if region.is_empty() {
            Self(Place::Nowhere)
        } else {
            Self(Place::Disk(region))
        }
    }
}

#[cfg(test)]
mod comparing {
    //! Tests compare what is sent: the bytes of messages in memory, however they are cut into segments.

    use super::{Body, Message};

    impl PartialEq for Body {
        fn eq(&self, other: &Self) -> bool {
            assert!(self.region().is_none() && other.region().is_none(), "on disk");
            self.segments().concat() == other.segments().concat()
        }
    }

    impl PartialEq for Message {
        fn eq(&self, other: &Self) -> bool {
            let same = |message: &Self| (message.header.clone(), message.app_metadata.clone(), message.rows);
            same(self) == same(other) && self.body == other.body
        }
    }
}
