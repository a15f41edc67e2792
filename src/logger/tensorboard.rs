//! TensorBoard's event file: records of `Event` messages (`tensorboard/compat/proto/event.proto`), framed as TFRecord does.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use prost::Message;

use super::{About, End, Point, Sink, emptied, named};

/// What every event file begins with.
const FILE_VERSION: &str = "brain.Event:2";
/// The type of a tensor of texts.
const DT_STRING: i32 = 7;
/// The class of a summary that is a tensor.
const DATA_CLASS_TENSOR: i32 = 2;
/// Where the config is shown, among the texts.
const CONFIG_TAG: &str = "config/text_summary";

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "8")]
    tensor: Option<Tensor>,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
}

/// A tensor without axes.
#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    string_val: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin_data: Option<PluginData>,
    #[prost(int32, tag = "4")]
    data_class: i32,
}

#[derive(Clone, PartialEq, Message)]
struct PluginData {
    #[prost(string, tag = "1")]
    plugin_name: String,
}

/// An event file, open to be appended to.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
    began_seconds: f64,
}

impl EventFile {
    /// Begins one, with the config as a text.
    pub fn begin(folder: &Path, about: &About) -> io::Result<Self> {
        emptied(folder)?;
        let began_seconds = about.began.as_duration().as_secs_f64();
        let path = folder.join(format!("events.out.tfevents.{:010}.spectramind", about.began.as_second().max(0)));
        let file = File::create_new(&path).map_err(|error| named(&path, error))?;
        let mut events = Self { path, file, began_seconds };
        events.write(0.0, 0, |event| event.file_version = Some(FILE_VERSION.into()))?;
        let metadata =
            Metadata { plugin_data: Some(PluginData { plugin_name: "text".into() }), data_class: DATA_CLASS_TENSOR };
        let text = table(about).into_bytes();
        let value = SummaryValue {
            tag: CONFIG_TAG.into(),
            tensor: Some(Tensor { dtype: DT_STRING, shape: Some(Shape {}), string_val: vec![text] }),
            metadata: Some(metadata),
            ..Default::default()
        };
        events.write(0.0, 0, |event| event.summary = Some(Summary { value: vec![value] }))?;
        Ok(events)
    }

    fn write(&mut self, elapsed_seconds: f64, step: u64, say: impl FnOnce(&mut Event)) -> io::Result<()> {
        let wall_time = self.began_seconds + elapsed_seconds;
        let mut event = Event { wall_time, step: i64::try_from(step).unwrap_or(i64::MAX), ..Default::default() };
        say(&mut event);
        // One write call: what a crash leaves is whole records and at most one cut one, at which TensorBoard stops.
        self.file.write_all(&record(&event.encode_to_vec())).map_err(|error| named(&self.path, error))
    }
}

impl Sink for EventFile {
    fn log(&mut self, point: &Point<'_>) -> io::Result<()> {
        let value = |figure: &crate::event_log::Figure| SummaryValue {
            tag: figure.name.clone(),
            // The scalars of TensorBoard have 32 bits.
            simple_value: Some(figure.value as f32),
            ..Default::default()
        };
        let summary = Summary { value: point.figures.iter().map(value).collect() };
        self.write(point.elapsed_seconds, point.step, |event| event.summary = Some(summary))
    }

    fn end(&mut self, _: &End) -> io::Result<()> {
        self.file.sync_all().map_err(|error| named(&self.path, error))
    }
}

/// The config as a table in Markdown.
fn table(about: &About) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ");
    let rows = about
        .params
        .iter()
        .map(|param| format!("| {} | {} |\n", escaped(&param.key), escaped(&param.value.to_string())));
    format!("| key | value |\n|---|---|\n{}", rows.collect::<String>())
}

/// A record: length, its checksum, data, theirs.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), data, &masked_crc(data)].concat()
}

/// CRC-32C as TFRecord stores it: a checksum of data that hold checksums would be weak.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_is_that_of_every_event_file() {
        // Length and its checksum as TensorBoard 2.21 writes them before 24 bytes.
        let event = Event { wall_time: 1.0, file_version: Some(FILE_VERSION.into()), ..Default::default() };
        let bytes = record(&event.encode_to_vec());
        assert_eq!(&bytes[..12], &[24, 0, 0, 0, 0, 0, 0, 0, 163, 127, 75, 34]);
        assert_eq!(&bytes[12..21], &[9, 0, 0, 0, 0, 0, 0, 240, 63]);
        assert_eq!(bytes.len(), 12 + 24 + 4);
    }
}
