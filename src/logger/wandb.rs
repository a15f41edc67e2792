//! The offline run of Weights & Biases: `offline-run-TIME-ID/run-ID.wandb`, a log of blocks as LevelDB's, of `Record`
//! messages (`wandb/proto/wandb_internal.proto`). `wandb sync` sends it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use prost::Message;
use serde_json::Value as Json;

use super::params::ParamValue;
use super::{About, End, Point, Sink, emptied, named};

/// The first bytes of the file: name, magic number, version.
const FILE_HEADER: [u8; 7] = *b":W&B\xe1\xbe\x00";
/// Bytes of a block.
const BLOCK: usize = 32 << 10;
/// Bytes before each piece of a record: checksum, length, which piece it is.
const PIECE_HEADER: usize = 7;
/// The version of the `wandb` package that this format was read in.
const PRODUCER: &str = "0.31.0";
/// The oldest server that this version says can take it.
const MIN_CONSUMER: &str = "0.70.0";

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(int64, tag = "1")]
    num: i64,
    #[prost(message, optional, tag = "2")]
    history: Option<History>,
    #[prost(message, optional, tag = "3")]
    summary: Option<Update>,
    #[prost(message, optional, tag = "5")]
    config: Option<Update>,
    #[prost(message, optional, tag = "17")]
    run: Option<Run>,
    #[prost(message, optional, tag = "18")]
    exit: Option<Exit>,
    #[prost(message, optional, tag = "21")]
    header: Option<Header>,
}

#[derive(Clone, PartialEq, Message)]
struct History {
    #[prost(message, repeated, tag = "1")]
    item: Vec<Item>,
    #[prost(message, optional, tag = "2")]
    step: Option<Step>,
}

#[derive(Clone, PartialEq, Message)]
struct Step {
    #[prost(int64, tag = "1")]
    num: i64,
}

/// Of a config or a summary.
#[derive(Clone, PartialEq, Message)]
struct Update {
    #[prost(message, repeated, tag = "1")]
    update: Vec<Item>,
}

#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, repeated, tag = "2")]
    nested_key: Vec<String>,
    #[prost(string, tag = "16")]
    value_json: String,
}

#[derive(Clone, PartialEq, Message)]
struct Run {
    #[prost(string, tag = "1")]
    run_id: String,
    #[prost(string, tag = "3")]
    project: String,
    #[prost(message, optional, tag = "4")]
    config: Option<Update>,
    #[prost(string, tag = "8")]
    display_name: String,
    #[prost(message, optional, tag = "17")]
    start_time: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Exit {
    #[prost(int32, tag = "1")]
    exit_code: i32,
    #[prost(int32, tag = "2")]
    runtime: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(message, optional, tag = "1")]
    version_info: Option<VersionInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct VersionInfo {
    #[prost(string, tag = "1")]
    producer: String,
    #[prost(string, tag = "2")]
    min_consumer: String,
}

/// A row of the history: all figures of one step.
#[derive(Debug, Default)]
struct Row {
    step: u64,
    elapsed_seconds: f64,
    figures: BTreeMap<String, f64>,
}

/// An offline run, open to be appended to.
#[derive(Debug)]
pub(super) struct OfflineRun {
    path: PathBuf,
    file: File,
    /// Bytes written.
    length: usize,
    records: i64,
    began_seconds: f64,
    /// Not written yet, as more may come of its step.
    row: Row,
}

impl OfflineRun {
    /// Begins one, with the config.
    pub fn begin(folder: &Path, about: &About) -> io::Result<Self> {
        emptied(folder)?;
        // The package takes the identifier from the name of the folder, as letters and digits.
        let id: String = about.run.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let time = about.began.strftime("%Y%m%d_%H%M%S");
        let folder = folder.join(format!("offline-run-{time}-{id}"));
        std::fs::create_dir(&folder).map_err(|error| named(&folder, error))?;
        let path = folder.join(format!("run-{id}.wandb"));
        let mut file = File::create_new(&path).map_err(|error| named(&path, error))?;
        file.write_all(&FILE_HEADER).map_err(|error| named(&path, error))?;
        let mut run = Self {
            path,
            file,
            length: FILE_HEADER.len(),
            records: 0,
            began_seconds: about.began.as_duration().as_secs_f64(),
            row: Row::default(),
        };
        let version_info = VersionInfo { producer: PRODUCER.into(), min_consumer: MIN_CONSUMER.into() };
        run.write(Record { header: Some(Header { version_info: Some(version_info) }), ..Default::default() })?;
        let update = about.params.iter().map(|param| item(&param.key, json_of(&param.value))).collect();
        let config = Update { update };
        let start_time = Time { seconds: about.began.as_second(), nanos: about.began.subsec_nanosecond() };
        let record = Run {
            run_id: id,
            // What no name of a project may hold.
            project: about.experiment.replace(['/', '\\', '#', '?', '%', ':'], "-"),
            config: Some(config.clone()),
            display_name: about.run.clone(),
            start_time: Some(start_time),
        };
        run.write(Record { run: Some(record), ..Default::default() })?;
        run.write(Record { config: Some(config), ..Default::default() })?;
        Ok(run)
    }

    fn write(&mut self, record: Record) -> io::Result<()> {
        self.records += 1;
        let record = Record { num: self.records, ..record };
        let bytes = framed(self.length, &record.encode_to_vec());
        // One write call: what a crash leaves is whole records and at most one cut one.
        self.file.write_all(&bytes).map_err(|error| named(&self.path, error))?;
        self.length += bytes.len();
        Ok(())
    }

    /// Writes the row that was waiting.
    fn write_row(&mut self) -> io::Result<()> {
        let Row { step, elapsed_seconds, figures } = std::mem::take(&mut self.row);
        if figures.is_empty() {
            return Ok(());
        }
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let mut row = vec![
            ("_step".to_owned(), step.to_string()),
            ("_timestamp".to_owned(), number(self.began_seconds + elapsed_seconds)),
            ("_runtime".to_owned(), number(elapsed_seconds)),
        ];
        row.extend(figures.into_iter().map(|(name, value)| (name, number(value))));
        // The last values, which nobody derives from the history.
        let update = row.iter().map(|(key, value)| item(key, value.clone())).collect();
        self.write(Record { summary: Some(Update { update }), ..Default::default() })?;
        let item =
            row.into_iter().map(|(key, value_json)| Item { nested_key: vec![key], value_json, ..Default::default() });
        let history = History { item: item.collect(), step: Some(Step { num: step }) };
        self.write(Record { history: Some(history), ..Default::default() })
    }
}

impl Sink for OfflineRun {
    fn log(&mut self, point: &Point<'_>) -> io::Result<()> {
        if point.step != self.row.step {
            self.write_row()?;
        }
        self.row.step = point.step;
        self.row.elapsed_seconds = point.elapsed_seconds;
        self.row.figures.insert("epoch".into(), f64::from(point.epoch));
        self.row.figures.extend(point.figures.iter().map(|figure| (figure.name.clone(), figure.value)));
        Ok(())
    }

    fn end(&mut self, end: &End) -> io::Result<()> {
        self.write_row()?;
        let update = vec![
            item("_runtime", number(end.elapsed_seconds)),
            item("exit", Json::from(end.exit.as_str()).to_string()),
            item("step_root", Json::from(end.step_root.as_str()).to_string()),
        ];
        self.write(Record { summary: Some(Update { update }), ..Default::default() })?;
        let exit = Exit { exit_code: 0, runtime: end.elapsed_seconds as i32 };
        self.write(Record { exit: Some(exit), ..Default::default() })?;
        self.file.sync_all().map_err(|error| named(&self.path, error))
    }
}

fn item(key: &str, value_json: String) -> Item {
    Item { key: key.to_owned(), value_json, ..Default::default() }
}

fn json_of(value: &ParamValue) -> String {
    match value {
        ParamValue::Null => "null".into(),
        ParamValue::Bool(value) => value.to_string(),
        ParamValue::Int(value) => value.to_string(),
        ParamValue::Float(value) => number(*value),
        ParamValue::Text(value) => Json::from(value.as_str()).to_string(),
    }
}

/// A number as the package writes it: JSON, and the names of what is not finite.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        Json::from(value).to_string()
    }
}

/// A record in pieces that no end of a block goes through, in a file that is so long already.
fn framed(mut length: usize, mut data: &[u8]) -> Vec<u8> {
    const FULL: u8 = 1;
    const FIRST: u8 = 2;
    const MIDDLE: u8 = 3;
    const LAST: u8 = 4;
    let (mut bytes, mut is_first) = (Vec::new(), true);
    loop {
        let left = BLOCK - length % BLOCK;
        if left < PIECE_HEADER {
            bytes.resize(bytes.len() + left, 0);
            length += left;
            continue;
        }
        let (piece, rest) = data.split_at(data.len().min(left - PIECE_HEADER));
        let kind = match (is_first, rest.is_empty()) {
            (true, true) => FULL,
            (true, false) => FIRST,
            (false, false) => MIDDLE,
            (false, true) => LAST,
        };
        // CRC-32 as zlib has it, and not LevelDB's CRC-32C.
        let mut crc = crc32fast::Hasher::new();
        crc.update(&[kind]);
        crc.update(piece);
        bytes.extend(crc.finalize().to_le_bytes());
        bytes.extend(u16::try_from(piece.len()).expect("less than a block").to_le_bytes());
        bytes.push(kind);
        bytes.extend(piece);
        if rest.is_empty() {
            return bytes;
        }
        (data, is_first) = (rest, false);
        length += PIECE_HEADER + piece.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a file, by their pieces alone.
    fn records(file: &[u8]) -> Vec<Vec<u8>> {
        let (mut at, mut all) = (FILE_HEADER.len(), Vec::new());
        while at < file.len() {
            let left = BLOCK - at % BLOCK;
            if left < PIECE_HEADER {
                assert!(file[at..at + left].iter().all(|byte| *byte == 0));
                at += left;
                continue;
            }
            let size = usize::from(u16::from_le_bytes([file[at + 4], file[at + 5]]));
            assert!(PIECE_HEADER + size <= left, "a piece goes through the end of a block");
            let (kind, piece) = (file[at + 6], &file[at + PIECE_HEADER..at + PIECE_HEADER + size]);
            let crc = crc32fast::hash(&[&[kind], piece].concat());
            assert_eq!(crc.to_le_bytes(), file[at..at + 4]);
            match kind {
                1 | 2 => all.push(piece.to_vec()),
                _ => all.last_mut().expect("a first piece").extend(piece),
            }
            at += PIECE_HEADER + size;
        }
        all
    }

    #[test]
    fn records_of_any_length_keep_to_blocks() {
        let mut file = FILE_HEADER.to_vec();
        let lengths = [0, 1, BLOCK - 40, 5, 100, 3 * BLOCK, BLOCK - 7, 17];
        let written: Vec<Vec<u8>> = lengths.iter().zip(1..).map(|(length, byte)| vec![byte; *length]).collect();
        for data in &written {
            file.extend(framed(file.len(), data));
        }
        assert_eq!(records(&file), written);
    }

    #[test]
    fn a_number_that_is_not_finite_has_its_name() {
        assert_eq!(
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1].map(number),
            ["NaN", "Infinity", "-Infinity", "0.1"]
        );
    }
}
