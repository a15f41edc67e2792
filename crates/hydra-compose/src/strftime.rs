//! `${now:PATTERN}`: what Python's `datetime.now().strftime(PATTERN)` gives on Linux.
//!
//! Python replaces `%f`, `%z` and `%Z` itself and leaves the rest to glibc's `strftime` in the C locale, flags (`_ - 0 ^ #`),
//! widths and the modifiers `E` and `O` included. The time is a naive one, as Hydra's: `%z` and `%Z` are empty.
//! An unknown directive is copied as it stands.

use std::fmt::Write;

use jiff::Zoned;
use jiff::civil::{DateTime, Weekday};

/// The text that a pattern makes of a moment, in the zone that the moment is given in.
pub(super) fn strftime(pattern: &str, now: &Zoned) -> String {
    let pattern = replace_pythons_own(pattern, now.datetime());
    let time = Time { civil: now.datetime(), unix_seconds: now.timestamp().as_second() };
    // Python gives strftime this much room, as a power of two times 1024, and returns nothing where it is too little: the
    // width of a field would take all memory otherwise.
    let room = 1024_usize.max(pattern.chars().count().saturating_mul(256)).next_power_of_two();
    let mut out = Bounded { text: String::new(), left: room - 1 };
    match format(&pattern, &time, &mut out) {
        Some(()) => out.text,
        None => String::new(),
    }
}

/// `%f` is six digits; a naive time has no zone. A doubled `%` hides what follows it.
fn replace_pythons_own(pattern: &str, civil: DateTime) -> String {
    let mut replaced = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(ch) = chars.next() {
        if ch != '%' {
            replaced.push(ch);
            continue;
        }
        match chars.next() {
            Some('f') => write!(replaced, "{:06}", civil.subsec_nanosecond() / 1000).expect("a text takes all"),
            Some('z' | 'Z') => {}
            Some(':') if chars.as_str().starts_with('z') => _ = chars.next(),
            Some(other) => replaced.extend(['%', other]),
            None => replaced.push('%'),
        }
    }
    replaced
}

/// A moment as C's `struct tm` has it.
struct Time {
    civil: DateTime,
    unix_seconds: i64,
}

/// A text that may not grow beyond what it was given.
struct Bounded {
    text: String,
    left: usize,
}

impl Bounded {
    fn push(&mut self, text: &str) -> Option<()> {
        self.left = self.left.checked_sub(text.chars().count())?;
        self.text.push_str(text);
        Some(())
    }

    fn repeat(&mut self, ch: char, count: usize) -> Option<()> {
        self.left = self.left.checked_sub(count)?;
        self.text.extend(std::iter::repeat_n(ch, count));
        Some(())
    }
}

/// Letters of a field as they are, or all of one case.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    AsIs,
    Upper,
    Lower,
}

/// What stands between `%` and the letter of a directive.
#[derive(Clone, Copy)]
struct Flags {
    /// `_`, `-` or `0`: the last of them.
    pad: Option<char>,
    upper: bool,
    /// `#`: the other case.
    change_case: bool,
    width: usize,
    modifier: Option<char>,
}

/// glibc's loop over the pattern. `None` when the text becomes too long.
fn format(pattern: &str, time: &Time, out: &mut Bounded) -> Option<()> {
    let mut rest = pattern;
    while let Some(ch) = rest.chars().next() {
        if ch != '%' {
            out.push(&rest[..ch.len_utf8()])?;
            rest = &rest[ch.len_utf8()..];
            continue;
        }
        let directive = rest;
        rest = &rest[1..];
        let flags = Flags::read(&mut rest);
        let letter = rest.chars().next();
        rest = &rest[letter.map_or(0, char::len_utf8)..];
        let written = &directive[..directive.len() - rest.len()];
        match letter.and_then(|letter| Field::of(letter, &flags, time)) {
            Some(Field::Number { digits, value, space }) => flags.number(digits, value, space, out)?,
            Some(Field::Seconds(value)) => flags.text(&value.to_string(), Case::AsIs, out)?,
            Some(Field::Nothing) => {}
            Some(Field::Text(text, case)) => flags.text(&text, case, out)?,
            Some(Field::Pattern(inner)) => {
                let mut made = Bounded { text: String::new(), left: out.left };
                format(inner, time, &mut made)?;
                flags.text(&made.text, if flags.upper { Case::Upper } else { Case::AsIs }, out)?;
            }
            // No such directive: as it stands from its last `%`, in the case and the width that its flags ask for.
            None => {
                let written = &written[written.rfind('%').unwrap_or(0)..];
                // glibc looks at `#` before it finds that these have no such modifier.
                let is_upper = flags.upper || flags.change_case && matches!(letter, Some('b' | 'h'));
                flags.text(written, if is_upper { Case::Upper } else { Case::AsIs }, out)?;
            }
        }
    }
    Some(())
}

impl Flags {
    fn read(rest: &mut &str) -> Self {
        let mut flags = Self { pad: None, upper: false, change_case: false, width: 0, modifier: None };
        while let Some(flag @ ('_' | '-' | '0' | '^' | '#')) = rest.chars().next() {
            match flag {
                '^' => flags.upper = true,
                '#' => flags.change_case = true,
                pad => flags.pad = Some(pad),
            }
            *rest = &rest[1..];
        }
        while let Some(digit) = rest.chars().next().and_then(|ch| ch.to_digit(10)) {
            flags.width = flags.width.saturating_mul(10).saturating_add(digit as usize);
            *rest = &rest[1..];
        }
        if let Some(modifier @ ('E' | 'O')) = rest.chars().next() {
            flags.modifier = Some(modifier);
            *rest = &rest[1..];
        }
        flags
    }

    /// A text, filled up on the left to the width.
    fn text(&self, text: &str, case: Case, out: &mut Bounded) -> Option<()> {
        let fill = self.width.saturating_sub(text.chars().count());
        out.repeat(if self.pad == Some('0') { '0' } else { ' ' }, fill)?;
        match case {
            Case::AsIs => out.push(text),
            Case::Upper => out.push(&text.chars().map(upper).collect::<String>()),
            Case::Lower => out.push(&text.to_ascii_lowercase()),
        }
    }

    /// A number: filled up to its digits, or to the width where that is more, and with `-` to the width alone.
    fn number(&self, digits: usize, value: i64, space: bool, out: &mut Bounded) -> Option<()> {
        let pad = self.pad.or(space.then_some('_'));
        if pad == Some('-') {
            return self.text(&value.to_string(), Case::AsIs, out);
        }
        let fill = digits.max(self.width).saturating_sub(value.to_string().len());
        let sign = if value < 0 { "-" } else { "" };
        if pad == Some('_') {
            out.repeat(' ', fill)?;
            out.push(sign)?;
        } else {
            out.push(sign)?;
            out.repeat('0', fill)?;
        }
        out.push(&value.unsigned_abs().to_string())
    }
}

/// C's `towupper`: a letter becomes one letter, or stays.
fn upper(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => letter,
    }
}

/// What a directive stands for.
enum Field {
    /// A number of at least so many digits, filled up with zeros, or with spaces.
    Number {
        digits: usize,
        value: i64,
        space: bool,
    },
    /// Seconds since 1970, which no width fills with zeros.
    Seconds(i64),
    Text(String, Case),
    /// What a time without a zone says of its zone, whatever the width.
    Nothing,
    /// Another pattern.
    Pattern(&'static str),
}

impl Field {
    /// `None` for a letter that is no directive, or not with this modifier.
    fn of(letter: char, flags: &Flags, time: &Time) -> Option<Self> {
        // Which modifiers a directive may have; in the C locale they change nothing.
        let allowed: &[Option<char>] = match letter {
            'c' | 'x' | 'X' | 'Y' => &[None, Some('E')],
            'B' | 'b' | 'h' | 'd' | 'e' | 'H' | 'I' | 'k' | 'l' | 'j' | 'M' | 'm' | 'S' | 'U' | 'V' | 'g' | 'G'
            | 'W' | 'w' => &[None, Some('O')],
            'a' | 'A' | 'D' | 'F' | '%' => &[None],
            _ => &[None, Some('E'), Some('O')],
        };
        if !allowed.contains(&flags.modifier) {
            return None;
        }
        let civil = time.civil;
        let number = |digits, value: i64| Some(Self::Number { digits, value, space: false });
        let spaced = |value: i64| Some(Self::Number { digits: 2, value, space: true });
        let as_asked = if flags.upper { Case::Upper } else { Case::AsIs };
        let name = |text: &str| {
            let case = if flags.change_case { Case::Upper } else { as_asked };
            Some(Self::Text(text.to_owned(), case))
        };
        let (hour, year) = (i64::from(civil.hour()), i64::from(civil.year()));
        let hour_of_12 = match hour % 12 {
            0 => 12,
            hour => hour,
        };
        let day_of_year = i64::from(civil.day_of_year()) - 1;
        let from_sunday = i64::from(civil.weekday().to_sunday_zero_offset());
        let from_monday = i64::from(civil.weekday().to_monday_zero_offset());
        let iso = civil.date().iso_week_date();
        match letter {
            'a' => name(&weekday(civil.weekday())[..3]),
            'A' => name(weekday(civil.weekday())),
            'b' | 'h' => name(&MONTHS[civil.month() as usize - 1][..3]),
            'B' => name(MONTHS[civil.month() as usize - 1]),
            'c' => Some(Self::Pattern("%a %b %e %H:%M:%S %Y")),
            'C' => number(2, year.div_euclid(100)),
            'd' => number(2, civil.day().into()),
            'D' | 'x' => Some(Self::Pattern("%m/%d/%y")),
            'e' => spaced(civil.day().into()),
            'F' => Some(Self::Pattern("%Y-%m-%d")),
            'g' => number(2, i64::from(iso.year()).rem_euclid(100)),
            'G' => number(4, iso.year().into()),
            'H' => number(2, hour),
            'I' => number(2, hour_of_12),
            'j' => number(3, day_of_year + 1),
            'k' => spaced(hour),
            'l' => spaced(hour_of_12),
            'm' => number(2, civil.month().into()),
            'M' => number(2, civil.minute().into()),
            'n' => Some(Self::Text("\n".into(), Case::AsIs)),
            'p' | 'P' => {
                let half = if hour < 12 { "AM" } else { "PM" };
                let is_lower = letter == 'P' || flags.change_case;
                Some(Self::Text(half.into(), if is_lower { Case::Lower } else { as_asked }))
            }
            'r' => Some(Self::Pattern("%I:%M:%S %p")),
            'R' => Some(Self::Pattern("%H:%M")),
            's' => Some(Self::Seconds(time.unix_seconds)),
            'S' => number(2, civil.second().into()),
            't' => Some(Self::Text("\t".into(), Case::AsIs)),
            'T' | 'X' => Some(Self::Pattern("%H:%M:%S")),
            'u' => number(1, from_monday + 1),
            'U' => number(2, (day_of_year - from_sunday + 7) / 7),
            'V' => number(2, iso.week().into()),
            'w' => number(1, from_sunday),
            'W' => number(2, (day_of_year - from_monday + 7) / 7),
            'y' => number(2, year.rem_euclid(100)),
            'Y' => number(4, year),
            'z' => Some(Self::Nothing),
            'Z' => Some(Self::Text(String::new(), Case::AsIs)),
            '%' => Some(Self::Text("%".into(), Case::AsIs)),
            _ => None,
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
