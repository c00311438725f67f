use arrow::array::{AsArray as _, DictionaryArray, Int32Array, StringArray, UnionArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema, UnionFields, UnionMode};
use arrow_ipc::{
    BodyCompression, BodyCompressionArgs, Buffer as Part, DictionaryBatch, DictionaryBatchArgs, Endianness, FieldArgs,
    FieldNode, MessageArgs, MetadataVersion, Null, NullArgs, RecordBatchArgs, SchemaArgs, Type,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};
use rstest::rstest;

use super::*;
use crate::function::fixtures::{numbers, numbers_schema};
use crate::ipc::{BatchEncoder, Message, SchemaMessage};

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
) -> Message {
    written(body, kind, MetadataVersion::V5, header)
}

fn written(
    body: usize,
    kind: MessageHeader,
    version: MetadataVersion,
    header: impl FnOnce(&mut FlatBufferBuilder<'_>) -> WIPOffset<UnionWIPOffset>,
) -> Message {
    let mut builder = FlatBufferBuilder::new();
    let header = header(&mut builder);
    let args = MessageArgs {
        version,
        header_type: kind,
        header: Some(header),
        ..MessageArgs::default()
    };
    let message = arrow_ipc::Message::create(&mut builder, &args);
    builder.finish(message, None);
    Message {
        header: builder.finished_data().to_vec().into(),
        body: Bytes::from(vec![0; body]).into(),
        ..Message::default()
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

    fn message(&self) -> Message {
        message(self.body, MessageHeader::RecordBatch, |builder| {
            self.write(builder).as_union_value()
        })
    }

    fn dictionary(&self, id: i64, delta: bool) -> Message {
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

fn columns(schema: &Schema) -> Message {
    SchemaMessage::encode(schema).expect("columns").message()
}

/// A decoder that was told the columns.
fn decoder(schema: &Schema) -> Decoder {
    let mut decoder = Decoder::new(Additions::Refused);
    assert_eq!(read(&mut decoder, &columns(schema)), None);
    decoder
}

fn column(name: &str, data_type: DataType) -> Schema {
    Schema::new(vec![Field::new(name, data_type, true)])
}

fn read(decoder: &mut Decoder, message: &Message) -> Option<RecordBatch> {
    decoder.decode(&message.header, &message.body).expect("it is good")
}

fn refusal(decoder: &mut Decoder, message: &Message) -> String {
    let error = decoder.decode(&message.header, &message.body);
    error.expect_err("it is bad").to_string()
}

#[test]
fn what_is_true_is_read() {
    let mut decoder = decoder(&numbers_schema());
    assert_eq!(read(&mut decoder, &good().message()), Some(numbers(&[0, 0])));
    assert_eq!(read(&mut decoder, &Message::default()), None);
}

#[rstest]
#[case::beyond_the_body(Batch { buffers: vec![(0, 0), (8, 16)], ..good() }, "buffers outside of its body")]
#[case::far_beyond(Batch { buffers: vec![(0, 0), (i64::MAX, i64::MAX)], ..good() }, "buffers outside of its body")]
#[case::before(Batch { buffers: vec![(0, 0), (-8, 16)], ..good() }, "buffers outside of its body")]
#[case::twice(Batch { buffers: vec![(0, 8), (0, 16)], ..good() }, "one in another")]
#[case::rows(Batch { rows: 1 << 40, ..good() }, "1099511627776 rows are not in 16 bytes")]
#[case::nodes(Batch { nodes: vec![(1 << 40, 0)], ..good() }, "1099511627776 rows are not in 16 bytes")]
#[case::less_than_none(Batch { nodes: vec![(-1, 0)], ..good() }, "-1 rows are not in 16 bytes")]
#[case::compressed(Batch { compressed: true, ..good() }, "compressed data are not supported: send them")]
fn what_is_not_true_is_refused(#[case] batch: Batch, #[case] words: &str) {
    let text = refusal(&mut decoder(&numbers_schema()), &batch.message());
    assert!(text.contains(words), "{text}");
}

/// The reader of Arrow panics about a union whose types are missing. What it says is for its programmers.
#[test]
fn a_panic_of_the_reader_is_bad_input() {
    let mut decoder = decoder(&column(
        "u",
        DataType::Union(members(DataType::Null), UnionMode::Sparse),
    ));
    let batch = Batch {
        nodes: vec![(2, 0), (2, 2)],
        buffers: vec![(0, 0)],
        ..good()
    };
    let text = refusal(&mut decoder, &batch.message());
    assert_eq!(text, "Ipc error: a message contradicts itself");
}

fn members(data_type: DataType) -> UnionFields {
    UnionFields::from_fields(Fields::from(vec![Field::new("a", data_type, true)]).iter().cloned())
}

#[test]
fn rows_come_after_their_columns_and_columns_once() {
    let text = refusal(&mut Decoder::new(Additions::Read), &good().message());
    assert!(text.contains("rows before their columns"), "{text}");
    let mut decoder = decoder(&numbers_schema());
    let text = refusal(&mut decoder, &columns(&numbers_schema()));
    assert!(text.contains("columns twice"), "{text}");
    let mut knowing = Decoder::after(numbers_schema(), Additions::Read);
    assert_eq!(read(&mut knowing, &good().message()), Some(numbers(&[0, 0])));
}

#[test]
fn a_message_that_is_neither_columns_nor_rows_is_refused() {
    let tensor = message(0, MessageHeader::Tensor, |builder| {
        let kind = Null::create(builder, &NullArgs::default()).as_union_value();
        let shape = builder.create_vector::<WIPOffset<arrow_ipc::TensorDim<'_>>>(&[]);
        let args = arrow_ipc::TensorArgs {
            type_type: Type::Null,
            type_: Some(kind),
            shape: Some(shape),
            data: Some(&Part::new(0, 0)),
            ..arrow_ipc::TensorArgs::default()
        };
        arrow_ipc::Tensor::create(builder, &args).as_union_value()
    });
    let text = refusal(&mut decoder(&numbers_schema()), &tensor);
    assert!(text.ends_with("there is a message that is no table: Tensor"), "{text}");
}

fn words(words: &[&str]) -> RecordBatch {
    let words: DictionaryArray<Int32Type> = words.iter().copied().collect();
    RecordBatch::try_from_iter([("d", Arc::new(words) as ArrayRef)]).expect("a column")
}

#[test]
fn dictionaries_are_read_and_replaced() {
    let batches = [words(&["a", "b", "a"]), words(&["a", "b", "a"]), words(&["c"])];
    let mut encoder = BatchEncoder::new(batches[0].schema()).expect("columns");
    let mut sent = vec![encoder.schema().message()];
    for batch in &batches {
        sent.extend(encoder.encode(batch).expect("messages"));
    }
    assert_eq!(sent.len(), 6, "the same dictionary is not sent again");
    let mut decoder = Decoder::new(Additions::Refused);
    let back: Vec<_> = sent.iter().filter_map(|message| read(&mut decoder, message)).collect();
    assert_eq!(back, batches);
}

/// No texts.
fn none() -> Batch {
    Batch {
        rows: 0,
        nodes: vec![(0, 0)],
        buffers: vec![(0, 0); 3],
        ..good()
    }
}

fn texts() -> Schema {
    column(
        "d",
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    )
}

#[test]
fn dictionaries_do_not_pile_up() {
    let mut decoder = decoder(&texts());
    for _ in 0..2 {
        assert_eq!(read(&mut decoder, &none().dictionary(0, false)), None);
    }
    assert_eq!(
        decoder.dictionaries[&0].as_ref(),
        &StringArray::from(Vec::<&str>::new())
    );
    assert_eq!(decoder.sizes[&0], none().body);
    decoder.sizes.insert(1, DICTIONARIES);
    let text = refusal(&mut decoder, &none().dictionary(0, false));
    assert!(text.contains("its dictionaries are too large"), "{text}");
}

#[test]
fn additions_to_dictionaries_are_read_from_those_that_were_chosen_and_count_as_well() {
    let text = refusal(&mut decoder(&texts()), &none().dictionary(0, true));
    assert!(text.contains("additions to dictionaries are not supported"), "{text}");

    // One text of no letters at a time.
    let one = Batch {
        rows: 1,
        nodes: vec![(1, 0)],
        buffers: vec![(0, 0), (0, 8), (8, 0)],
        ..good()
    };
    let mut decoder = Decoder::after(Arc::new(texts()), Additions::Read);
    assert_eq!(read(&mut decoder, &one.dictionary(0, false)), None);
    assert_eq!(read(&mut decoder, &one.dictionary(0, true)), None);
    assert_eq!(decoder.dictionaries[&0].as_ref(), &StringArray::from(vec!["", ""]));
    assert_eq!(decoder.sizes[&0], 2 * one.body);
    decoder.sizes.insert(0, DICTIONARIES);
    let text = refusal(&mut decoder, &one.dictionary(0, true));
    assert!(text.contains("its dictionaries are too large"), "{text}");
}

/// Where a body lies is the transport's business. Arrow's reader cannot read a dense union at an odd place.
#[test]
fn a_body_is_read_wherever_it_lies_and_not_copied_where_it_lies_well() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let (types, places) = (ScalarBuffer::from(vec![0_i8; 3]), ScalarBuffer::from(vec![0, 1, 2]));
    let union = UnionArray::try_new(members(DataType::Int32), types, Some(places), vec![values]).expect("a union");
    let numbers: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![7; 1000]));
    let batch = RecordBatch::try_from_iter([("u", Arc::new(union.slice(0, 3)) as ArrayRef)]).expect("a column");
    let plain = RecordBatch::try_from_iter([("n", numbers)]).expect("a column");
    for batch in [batch, plain] {
        let mut encoder = BatchEncoder::new(batch.schema()).expect("columns");
        let message = encoder.encode(&batch).expect("messages").next().expect("rows");
        for place in 0..16 {
            let mut bytes = BytesMut::zeroed(message.body.len() + 64);
            let aligned = bytes.as_ptr().align_offset(16) + place;
            bytes.truncate(aligned);
            for segment in message.body.segments() {
                bytes.put_slice(segment);
            }
            let body = bytes.freeze().slice(aligned..);
            let within = body.as_ptr_range();
            let mut decoder = Decoder::after(batch.schema(), Additions::Refused);
            let back = decoder.decode(&message.header, &body.clone().into());
            let back = back.expect("rows").expect("a batch");
            assert_eq!(back, batch, "at {place}");
            if let Some(numbers) = back.column(0).as_primitive_opt::<arrow::datatypes::Int64Type>() {
                let shared = within.contains(&numbers.values().inner().as_ptr());
                assert_eq!(shared, place.is_multiple_of(ALIGNMENT), "at {place}");
            }
        }
    }
}

#[test]
fn numbers_that_are_written_the_other_way_round_are_refused() {
    let columns = |endianness, version| {
        written(0, MessageHeader::Schema, version, |builder| {
            let fields = Some(builder.create_vector::<WIPOffset<arrow_ipc::Field<'_>>>(&[]));
            let args = SchemaArgs {
                endianness,
                fields,
                ..SchemaArgs::default()
            };
            arrow_ipc::Schema::create(builder, &args).as_union_value()
        })
    };
    let new = || Decoder::new(Additions::Read);
    assert_eq!(
        read(&mut new(), &columns(Endianness::Little, MetadataVersion::V4)),
        None
    );
    let text = refusal(&mut new(), &columns(Endianness::Big, MetadataVersion::V5));
    assert!(text.contains("big-endian data are not supported"), "{text}");
    let text = refusal(&mut new(), &columns(Endianness::Little, MetadataVersion::V3));
    assert!(text.contains("before version 0.8"), "{text}");
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
    let text = refusal(&mut Decoder::new(Additions::Read), &columns);
    assert!(text.ends_with("Apparent size too large."), "{text}");
}
