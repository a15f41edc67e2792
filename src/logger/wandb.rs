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

/// The first record: which program wrote the file, and the oldest that may read it.
pub fn header() -> Message {
    let versions = Message::new().bytes(1, b"0.31.0").bytes(2, b"0.31.0");
    numbered(0, 21, Message::new().message(1, versions))
}

/// Which run it is, when it began, and its config: keys, and values as JSON.
pub fn run(number: u64, id: &str, project: &str, began_seconds: u64, config: &[(&str, String)]) -> Message {
    let update = |(key, json): &(&str, String)| Message::new().bytes(1, key.as_bytes()).bytes(16, json.as_bytes());
    let config = config.iter().map(update).fold(Message::new(), |config, item| config.message(1, item));
    let began = Message::new().integer(1, began_seconds);
    let run = Message::new().bytes(1, id.as_bytes()).bytes(3, project.as_bytes()).message(4, config);
    numbered(number, 17, run.message(17, began))
}

/// Figures of a step, as JSON.
pub fn history(number: u64, step: u64, figures: &[(&str, String)]) -> Message {
    let history = items(figures).message(2, Message::new().integer(1, step));
    numbered(number, 2, history)
}

/// The last figures, as JSON. Nothing makes them from the history.
pub fn summary(number: u64, figures: &[(&str, String)]) -> Message {
    numbered(number, 3, items(figures))
}

/// How the run ended.
pub fn exit(number: u64, code: u64, seconds: u64) -> Message {
    numbered(number, 18, Message::new().integer(1, code).integer(2, seconds))
}

/// Items with a name, which is not taken apart at its dots and slashes, and JSON.
fn items(figures: &[(&str, String)]) -> Message {
    let item = |(name, json): &(&str, String)| Message::new().bytes(2, name.as_bytes()).bytes(16, json.as_bytes());
    figures.iter().map(item).fold(Message::new(), |all, item| all.message(1, item))
}

fn numbered(number: u64, field: u32, inner: Message) -> Message {
    Message::new().integer(1, number).message(field, inner)
}
