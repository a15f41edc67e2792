//! The file of an offline run of Weights & Biases: a header, then a log of LevelDB's blocks with a `Record` in each entry.
//!
//! Unlike LevelDB's own, the CRC is the plain CRC-32 of zlib, and not masked.

use super::protobuf::Message;

/// Bytes of a block. An entry that does not fit goes on in the next one.
const BLOCK: usize = 32 * 1024;
/// Bytes before each piece of an entry: CRC, length, kind.
const PIECE_HEADER: usize = 7;
/// How the file begins: its name, a magic number and a version, which fill a header's seven bytes.
const BEGINNING: [u8; 7] = [b':', b'W', b'&', b'B', 0xE1, 0xBE, 0];

/// Where a file ends, so that what is added keeps to its blocks.
#[derive(Debug, Clone, Copy)]
pub struct End {
    length: usize,
}

impl End {
    /// A file's beginning, and where it ends.
    pub fn of_new() -> (Self, Vec<u8>) {
        (Self { length: BEGINNING.len() }, BEGINNING.to_vec())
    }

    /// The bytes that add a record to the file.
    pub fn append(&mut self, record: Message) -> Vec<u8> {
        let record = record.into_bytes();
        let (mut rest, mut bytes, mut is_first) = (&record[..], Vec::new(), true);
        loop {
            let mut room = BLOCK - (self.length + bytes.len()) % BLOCK;
            if room < PIECE_HEADER {
                bytes.extend(vec![0; room]);
                room = BLOCK;
            }
            let (piece, after) = rest.split_at(rest.len().min(room - PIECE_HEADER));
            let kind: u8 = match (is_first, after.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            let mut crc = crc32fast::Hasher::new();
            crc.update(&[kind]);
            crc.update(piece);
            bytes.extend(crc.finalize().to_le_bytes());
            bytes.extend((piece.len() as u16).to_le_bytes());
            bytes.push(kind);
            bytes.extend(piece);
            (rest, is_first) = (after, false);
            if rest.is_empty() {
                break;
            }
        }
        self.length += bytes.len();
        bytes
    }
}
