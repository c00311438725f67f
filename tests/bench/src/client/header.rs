//! The row count in the head of a `FlightData`, read in place: protobuf around a flatbuffer, neither of them decoded.

const DATA_HEADER: u64 = 2;
const LENGTH_DELIMITED: u64 = 2;
const RECORD_BATCH: u8 = 3;

/// The rows of a batch, 0 for a schema or a dictionary; `None` when these are not the first bytes of a `FlightData`.
pub(super) fn rows(head: &[u8]) -> Option<u64> {
    let mut rest = head;
    loop {
        let tag = varint(&mut rest)?;
        if tag & 7 != LENGTH_DELIMITED {
            return None;
        }
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let field = rest.get(..length)?;
        if tag >> 3 == DATA_HEADER {
            return rows_of_message(field);
        }
        rest = rest.get(length..)?;
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The second and third field of a `Message` are the kind of its header and the header, the first of a `RecordBatch` its
/// rows.
fn rows_of_message(message: &[u8]) -> Option<u64> {
    let table = u32_at(message, 0)?;
    let kind = *message.get(field(message, table, 1)?)?;
    if kind != RECORD_BATCH {
        return Some(0);
    }
    let header = field(message, table, 2)?;
    let batch = header + u32_at(message, header)?;
    // A field that has its default is absent: no rows.
    field(message, batch, 0).map_or(Some(0), |at| {
        let bytes = message.get(at..at + 8)?;
        u64::try_from(i64::from_le_bytes(bytes.try_into().ok()?)).ok()
    })
}

/// Where the field of this index is, if the table has it.
fn field(buffer: &[u8], table: usize, index: usize) -> Option<usize> {
    let back = i32::from_le_bytes(buffer.get(table..table + 4)?.try_into().ok()?);
    let vtable = table.checked_add_signed(isize::try_from(back).ok()?.checked_neg()?)?;
    let size = usize::from(u16_at(buffer, vtable)?);
    let entry = 4 + 2 * index;
    if entry + 2 > size {
        return None;
    }
    let offset = usize::from(u16_at(buffer, vtable + entry)?);
    (offset != 0).then_some(table + offset)
}

fn u16_at(buffer: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(buffer.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(buffer: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(buffer.get(at..at + 4)?.try_into().ok()?)).ok()
}
