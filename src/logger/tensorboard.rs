//! Event files of TensorBoard: records of a length, an `Event` and their masked CRC-32C.

use super::protobuf::Message;

/// How an event file begins: which version of the format it has.
pub fn beginning(wall_time: f64) -> Vec<u8> {
    record(&Message::new().double(1, wall_time).bytes(3, b"brain.Event:2").into_bytes())
}

/// Figures of a step. TensorBoard's scalars are `float`s: a value that is none is rounded to the nearest.
pub fn scalars<'a>(wall_time: f64, step: u64, figures: impl IntoIterator<Item = (&'a str, f64)>) -> Vec<u8> {
    let value = |(name, value): (&str, f64)| Message::new().bytes(1, name.as_bytes()).float(2, value as f32);
    let summary = figures.into_iter().map(value).fold(Message::new(), |summary, value| summary.message(1, value));
    record(&Message::new().double(1, wall_time).integer(2, step).message(5, summary).into_bytes())
}

fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(event.len() + 16);
    record.extend(length);
    record.extend(masked(crc32c::crc32c(&length)).to_le_bytes());
    record.extend(event);
    record.extend(masked(crc32c::crc32c(event)).to_le_bytes());
    record
}

/// A CRC as the format stores it, so that the CRC of data with a CRC in it stays a good one.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}
