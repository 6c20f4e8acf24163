//! A row as a line of PostgreSQL's `COPY … (FORMAT text)`.
//!
//! We write it exactly as PostgreSQL does, so that the lines of both databases can be compared: ours of what SQLite
//! holds, and PostgreSQL's of what it stored.

use uuid::Uuid;

/// A column's type in PostgreSQL, as far as our schema uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Integer,
    Boolean,
    Text,
    Uuid,
    Bytes,
}

impl Type {
    /// From its name in the information schema; `None` for types that our schema does not use.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "smallint" | "integer" | "bigint" => Self::Integer,
            "boolean" => Self::Boolean,
            "text" | "character varying" => Self::Text,
            "uuid" => Self::Uuid,
            "bytea" => Self::Bytes,
            _ => return None,
        })
    }
}

/// A value in SQLite, whatever the column's type.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Null,
    Integer(i64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

/// The value does not fit its column's type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit;

/// Appends a value to its line.
pub(super) fn write(line: &mut Vec<u8>, column: Type, cell: Cell<'_>) -> Result<(), Unfit> {
    match (column, cell) {
        (_, Cell::Null) => line.extend(br"\N"),
        (Type::Integer, Cell::Integer(number)) => line.extend(number.to_string().as_bytes()),
        (Type::Boolean, Cell::Integer(0)) => line.push(b'f'),
        (Type::Boolean, Cell::Integer(1)) => line.push(b't'),
        (Type::Text, Cell::Text(text)) => escape(line, text),
        (Type::Uuid, Cell::Blob(bytes)) => write_uuid(line, Uuid::from_slice(bytes))?,
        (Type::Uuid, Cell::Text(text)) => write_uuid(line, Uuid::try_parse_ascii(text))?,
        (Type::Bytes, Cell::Blob(bytes)) => {
            line.extend(br"\\x");
            line.extend(hex::encode(bytes).as_bytes());
        }
        _ => return Err(Unfit),
    }
    Ok(())
}

fn write_uuid(line: &mut Vec<u8>, uuid: Result<Uuid, uuid::Error>) -> Result<(), Unfit> {
    let uuid = uuid.map_err(|_| Unfit)?;
    line.extend(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    Ok(())
}

/// Escapes as PostgreSQL does: what would end the value or the line, and the few control characters that have a letter.
fn escape(line: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some((place, letter)) = rest.iter().enumerate().find_map(|(place, byte)| Some((place, letter(*byte)?))) {
        let (before, after) = rest.split_at(place);
        line.extend(before);
        line.extend([b'\\', letter]);
        rest = after.get(1..).unwrap_or_default();
    }
    line.extend(rest);
}

fn letter(byte: u8) -> Option<u8> {
    Some(match byte {
        b'\\' => b'\\',
        8 => b'b',
        9 => b't',
        10 => b'n',
        11 => b'v',
        12 => b'f',
        13 => b'r',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Cell, Type, Unfit, write};

    fn line(column: Type, cell: Cell<'_>) -> Result<String, Unfit> {
        let mut line = Vec::new();
        write(&mut line, column, cell).map(|()| String::from_utf8(line).unwrap())
    }

    #[test]
    fn values_are_written_as_postgresql_writes_them() {
        let uuid = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 0xff];
        let written = "01234567-89ab-cdef-0000-0000000000ff";
        for (column, cell, expected) in [
            (Type::Text, Cell::Null, r"\N"),
            (Type::Text, Cell::Text(b""), ""),
            (Type::Text, Cell::Text(br"\N"), r"\\N"),
            (Type::Text, Cell::Text(b"a\tb\nc\rd\\e\x08\x0b\x0c\x01\x7f"), "a\\tb\\nc\\rd\\\\e\\b\\v\\f\x01\x7f"),
            (Type::Text, Cell::Text("Zoë 🎓".as_bytes()), "Zoë 🎓"),
            (Type::Integer, Cell::Integer(i64::MIN), "-9223372036854775808"),
            (Type::Boolean, Cell::Integer(1), "t"),
            (Type::Boolean, Cell::Integer(0), "f"),
            (Type::Uuid, Cell::Blob(&uuid), written),
            (Type::Uuid, Cell::Text(b"01234567-89AB-CDEF-0000-0000000000FF"), written),
            (Type::Bytes, Cell::Blob(&[0, 0xff]), r"\\x00ff"),
        ] {
            assert_eq!(line(column, cell).as_deref(), Ok(expected), "{column:?} {cell:?}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        for (column, cell) in [
            (Type::Boolean, Cell::Integer(2)),
            (Type::Integer, Cell::Text(b"1")),
            (Type::Text, Cell::Integer(1)),
            (Type::Text, Cell::Blob(b"a")),
            (Type::Uuid, Cell::Blob(&[1, 2])),
        ] {
            assert_eq!(line(column, cell), Err(Unfit), "{column:?} {cell:?}");
        }
    }
}
