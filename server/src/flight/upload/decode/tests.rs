use arrow::array::{DictionaryArray, StringArray};
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema, UnionFields, UnionMode};
use arrow_flight::SchemaAsIpc;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use arrow_ipc::writer::IpcWriteOptions;
use arrow_ipc::{
    BodyCompression, BodyCompressionArgs, Buffer as Part, DictionaryBatch, DictionaryBatchArgs, FieldArgs, FieldNode,
    Message, MessageArgs, MetadataVersion, Null, NullArgs, RecordBatchArgs, SchemaArgs, Type,
};
use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};
use futures::{TryStreamExt as _, stream};
use rstest::rstest;

use super::*;
use crate::error::ErrorCode;
use crate::function::fixtures::{numbers, numbers_schema};

/// A batch as its header tells of it.
struct Batch {
    rows: i64,
    nodes: Vec<(i64, i64)>,
    buffers: Vec<(i64, i64)>,
    compressed: bool,
    body: usize,
}

/// Two numbers, as they should be.
fn good() -> Batch {
    Batch {
        rows: 2,
        nodes: vec![(2, 0)],
        buffers: vec![(0, 0), (0, 16)],
        compressed: false,
        body: 16,
    }
}

fn message(
    body: usize,
    kind: MessageHeader,
    header: impl FnOnce(&mut FlatBufferBuilder<'_>) -> WIPOffset<UnionWIPOffset>,
) -> FlightData {
    let mut builder = FlatBufferBuilder::new();
    let header = header(&mut builder);
    let args = MessageArgs {
        version: MetadataVersion::V5,
        header_type: kind,
        header: Some(header),
        ..MessageArgs::default()
    };
    let message = Message::create(&mut builder, &args);
    builder.finish(message, None);
    FlightData {
        data_header: builder.finished_data().to_vec().into(),
        data_body: vec![0; body].into(),
        ..FlightData::default()
    }
}

impl Batch {
    fn write<'b>(&self, builder: &mut FlatBufferBuilder<'b>) -> WIPOffset<arrow_ipc::RecordBatch<'b>> {
        let nodes: Vec<_> = self.nodes.iter().map(|node| FieldNode::new(node.0, node.1)).collect();
        let buffers: Vec<_> = self.buffers.iter().map(|part| Part::new(part.0, part.1)).collect();
        let nodes = Some(builder.create_vector(&nodes));
        let buffers = Some(builder.create_vector(&buffers));
        let compressed = self.compressed;
        let compression = compressed.then(|| BodyCompression::create(builder, &BodyCompressionArgs::default()));
        let args = RecordBatchArgs {
            length: self.rows,
            nodes,
            buffers,
            compression,
            ..RecordBatchArgs::default()
        };
        arrow_ipc::RecordBatch::create(builder, &args)
    }

    fn message(&self) -> FlightData {
        message(self.body, MessageHeader::RecordBatch, |builder| {
            self.write(builder).as_union_value()
        })
    }

    fn dictionary(&self, id: i64, delta: bool) -> FlightData {
        message(self.body, MessageHeader::DictionaryBatch, |builder| {
            let data = Some(self.write(builder));
            let args = DictionaryBatchArgs {
                id,
                data,
                isDelta: delta,
            };
            DictionaryBatch::create(builder, &args).as_union_value()
        })
    }
}

/// A decoder that knows the columns.
fn decoder(schema: &Schema) -> Decoder {
    let mut decoder = Decoder::default();
    let columns = FlightData::from(SchemaAsIpc::new(schema, &IpcWriteOptions::default()));
    assert_eq!(decoder.decode(&columns).expect("columns"), None);
    decoder
}

fn column(name: &str, data_type: DataType) -> Schema {
    Schema::new(vec![Field::new(name, data_type, true)])
}

fn refusal(decoder: &mut Decoder, message: &FlightData) -> String {
    let error = decoder.decode(message).expect_err("it is bad");
    assert_eq!(error.code(), Some(ErrorCode::BAD_ARGUMENT), "{error}");
    error.message().to_owned()
}

#[test]
fn what_is_true_is_read() {
    let mut decoder = decoder(&numbers_schema());
    let batch = decoder.decode(&good().message()).expect("two numbers");
    assert_eq!(batch, Some(numbers(&[0, 0])));
    let nothing = decoder.decode(&FlightData::default()).expect("no rows");
    assert_eq!(nothing, None);
}

#[rstest]
#[case::beyond_the_body(Batch { buffers: vec![(0, 0), (8, 16)], ..good() }, "buffers outside of its body")]
#[case::far_beyond(Batch { buffers: vec![(0, 0), (i64::MAX, i64::MAX)], ..good() }, "buffers outside of its body")]
#[case::before(Batch { buffers: vec![(0, 0), (-8, 16)], ..good() }, "buffers outside of its body")]
#[case::twice(Batch { buffers: vec![(0, 8), (0, 16)], ..good() }, "one in another")]
#[case::rows(Batch { rows: 1 << 40, ..good() }, "1099511627776 rows are not in 16 bytes")]
#[case::nodes(Batch { nodes: vec![(1 << 40, 0)], ..good() }, "1099511627776 rows are not in 16 bytes")]
#[case::less_than_none(Batch { nodes: vec![(-1, 0)], ..good() }, "-1 rows are not in 16 bytes")]
#[case::compressed(Batch { compressed: true, ..good() }, "compressed data are not supported")]
fn what_is_not_true_is_refused(#[case] batch: Batch, #[case] words: &str) {
    let text = refusal(&mut decoder(&numbers_schema()), &batch.message());
    assert!(text.starts_with("The data cannot be read: "), "{text}");
    assert!(text.contains(words), "{text}");
}

/// The reader of Arrow panics about a union whose types are missing.
#[test]
fn a_panic_of_the_reader_is_bad_input() {
    let members = UnionFields::from_fields(
        Fields::from(vec![Field::new("a", DataType::Null, true)])
            .iter()
            .cloned(),
    );
    let mut decoder = decoder(&column("u", DataType::Union(members, UnionMode::Sparse)));
    let batch = Batch {
        nodes: vec![(2, 0), (2, 2)],
        buffers: vec![(0, 0)],
        ..good()
    };
    let text = refusal(&mut decoder, &batch.message());
    assert!(text.contains("length=2 selflen=0"), "{text}");
}

#[test]
fn rows_come_after_their_columns_and_columns_once() {
    let text = refusal(&mut Decoder::default(), &good().message());
    assert!(text.contains("rows before their columns"), "{text}");
    let columns = FlightData::from(SchemaAsIpc::new(&numbers_schema(), &IpcWriteOptions::default()));
    let text = refusal(&mut decoder(&numbers_schema()), &columns);
    assert!(text.contains("columns twice"), "{text}");
}

#[tokio::test]
async fn dictionaries_are_read() {
    let values: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
    let batch = RecordBatch::try_from_iter([("d", Arc::new(values) as ArrayRef)]).unwrap();
    let sent = FlightDataEncoderBuilder::new()
        .with_dictionary_handling(DictionaryHandling::Resend)
        .build(stream::iter([Ok(batch.clone()), Ok(batch.clone())]));
    let sent: Vec<_> = sent.try_collect().await.expect("messages");
    let mut decoder = Decoder::default();
    let read: Vec<_> = sent
        .iter()
        .filter_map(|data| decoder.decode(data).expect("rows"))
        .collect();
    assert_eq!(read, [batch.clone(), batch]);
}

#[test]
fn dictionaries_do_not_pile_up() {
    let texts = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut decoder = decoder(&column("d", texts));
    let none = Batch {
        rows: 0,
        nodes: vec![(0, 0)],
        buffers: vec![(0, 0); 3],
        ..good()
    };
    for _ in 0..2 {
        assert_eq!(decoder.decode(&none.dictionary(0, false)).expect("values"), None);
    }
    assert_eq!(
        decoder.dictionaries[&0].as_ref(),
        &StringArray::from(Vec::<&str>::new())
    );
    assert_eq!(decoder.sizes[&0], none.body);
    let text = refusal(&mut decoder, &none.dictionary(0, true));
    assert!(text.contains("additions to dictionaries are not supported"), "{text}");
    decoder.sizes.insert(1, DICTIONARIES);
    let text = refusal(&mut decoder, &none.dictionary(0, false));
    assert!(text.contains("its dictionaries are too large"), "{text}");
}

/// One field in many places of a header takes memory in all of them.
#[test]
fn a_header_is_no_bomb() {
    let columns = message(0, MessageHeader::Schema, |builder| {
        let kind = Null::create(builder, &NullArgs::default()).as_union_value();
        let children = builder.create_vector::<WIPOffset<arrow_ipc::Field<'_>>>(&[]);
        let name = builder.create_string(&"x".repeat(1000));
        let args = FieldArgs {
            name: Some(name),
            type_type: Type::Null,
            type_: Some(kind),
            children: Some(children),
            ..FieldArgs::default()
        };
        let field = arrow_ipc::Field::create(builder, &args);
        let fields = Some(builder.create_vector(&vec![field; 10_000]));
        let args = SchemaArgs {
            fields,
            ..SchemaArgs::default()
        };
        arrow_ipc::Schema::create(builder, &args).as_union_value()
    });
    let text = refusal(&mut Decoder::default(), &columns);
    assert!(text.ends_with("Apparent size too large."), "{text}");
}
