//! Whether what differs between two runs looks like the time at which each took place. It is a guess, and said to be one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use spectramind::difference::Place;

use super::run::Interval;

/// Runs that took longer are told nothing by minutes and seconds.
const MAX_SECONDS: i64 = 600;

/// One of the two runs: its file, and when it took place.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub file: &'a Path,
    pub time: Interval,
}

/// Whether the two texts, or what is there of them, hold the times of their runs.
pub fn texts(expected: Option<&str>, got: Option<&str>, times: (Interval, Interval)) -> bool {
    let there = expected.is_some() || got.is_some();
    there && expected.is_none_or(|text| in_text(text, times.0)) && got.is_none_or(|text| in_text(text, times.1))
}

/// Whether the place of a difference does.
pub fn place(place: &Place, expected: Side<'_>, got: Side<'_>) -> bool {
    let times = (expected.time, got.time);
    let both = |left: &Option<String>, right: &Option<String>| texts(left.as_deref(), right.as_deref(), times);
    match place {
        Place::Line { expected, got, .. }
        | Place::Cell { expected, got, .. }
        | Place::Json { expected, got, .. }
        | Place::Element { expected, got, .. }
        | Place::Header { expected, got, .. } => both(expected, got),
        Place::Member { place, .. } => self::place(place, expected, got),
        Place::Byte { offset, .. } => [expected, got].into_iter().all(|side| in_bytes(side, *offset)),
    }
}

/// Numbers of seconds since 1970, or of a thousandth, millionth or billionth; octal ones, as in tar archives; hours, minutes
/// and seconds in any time zone.
fn in_text(text: &str, time: Interval) -> bool {
    let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() >= 6);
    for digits in digits {
        let octal = i64::from_str_radix(digits, 8).ok().filter(|_| digits.len() == 11);
        let decimal = digits.parse::<i128>().ok().filter(|_| (10..=19).contains(&digits.len()));
        let decimals =
            decimal.into_iter().flat_map(|number| [1, 1000, 1_000_000, 1_000_000_000].map(|unit| number / unit));
        let mut seconds = decimals.filter_map(|number| i64::try_from(number).ok()).chain(octal);
        if seconds.any(|second| is_within(second, time)) {
            return true;
        }
        if matches!(digits.len(), 6 | 14) && is_clock(&digits[digits.len() - 6..], time) {
            return true;
        }
    }
    text.as_bytes().windows(8).any(|window| match window {
        [a, b, b':', c, d, b':', e, f] => {
            std::str::from_utf8(&[*a, *b, *c, *d, *e, *f]).is_ok_and(|it| is_clock(it, time))
        }
        _ => false,
    })
}

fn is_within(second: i64, time: Interval) -> bool {
    (time.begin - 1..=time.end + 1).contains(&second)
}

/// Whether `HHMMSS` is a time of the run. Of time zones no more is known than that they are quarters of an hour apart.
fn is_clock(text: &str, time: Interval) -> bool {
    let part = |at: usize| text.get(at..at + 2).and_then(|part| part.parse::<i64>().ok());
    let (Some(hour), Some(minute), Some(second)) = (part(0), part(2), part(4)) else { return false };
    hour < 24 && minute < 60 && second < 60 && is_minute(minute, second, 0, time)
}

fn is_minute(minute: i64, second: i64, tolerance: i64, time: Interval) -> bool {
    const QUARTER: i64 = 15 * 60;
    let wanted = (minute * 60 + second) % QUARTER;
    time.end - time.begin <= MAX_SECONDS
        && (time.begin - 1 - tolerance..=time.end + 1 + tolerance).any(|moment| moment.rem_euclid(QUARTER) == wanted)
}

/// Text around the offset that holds a time; or seconds since 1970 in four bytes, as in gzip; or the time of a member of a zip
/// archive in two.
fn in_bytes(side: Side<'_>, offset: u64) -> bool {
    const AROUND: u64 = 20;
    let begin = offset.saturating_sub(AROUND);
    let mut around = Vec::new();
    let read = File::open(side.file).and_then(|mut file| {
        file.seek(SeekFrom::Start(begin))?;
        file.take(2 * AROUND).read_to_end(&mut around)
    });
    let text: String =
        around.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { ' ' }).collect();
    let (start, middle) = (offset.saturating_sub(3), (offset - begin) as usize);
    let bytes = &around[(start - begin) as usize..around.len().min(middle + 4)];
    let at = (offset - start) as usize;
    let numbers = bytes.windows(4).flat_map(|four| {
        let four: [u8; 4] = four.try_into().expect("a window of four");
        [u32::from_le_bytes(four), u32::from_be_bytes(four)]
    });
    let mut pairs = bytes.windows(2).enumerate().filter(|(index, _)| *index == at || index + 1 == at);
    let is_zip_time = |two: &[u8]| {
        let time = i64::from(two[0]) | i64::from(two[1]) << 8;
        let (hour, minute, second) = (time >> 11, (time >> 5) & 63, (time & 31) * 2);
        hour < 24 && minute < 60 && second < 60 && is_minute(minute, second, 2, side.time)
    };
    read.is_ok()
        && (in_text(&text, side.time)
            || numbers.into_iter().any(|number| is_within(number.into(), side.time))
            || pairs.any(|(_, two)| is_zip_time(two)))
}
