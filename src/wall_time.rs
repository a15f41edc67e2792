//! Wall-clock durations as Lightning's `max_time` writes them, without a dependency: the light verifier reads them, too.

/// Seconds of `HH:MM:SS` or `DD:HH:MM:SS`, or of digits alone, which are seconds; `None` for anything else.
///
/// The first field may have any number of digits, as in Lightning's `Timer`; the others have two and stay in their range.
/// `MM:SS` is refused: half of its readers take it for hours and minutes.
pub fn seconds(text: &str) -> Option<u64> {
    let digits = |field: &&str| !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    let fields: Vec<&str> = text.split(':').collect();
    if !fields.iter().all(digits) || fields.iter().skip(1).any(|field| field.len() != 2) {
        return None;
    }
    let numbers = fields.iter().map(|field| field.parse::<u64>().ok()).collect::<Option<Vec<_>>>()?;
    let (days, hours, [minutes, seconds]) = match numbers[..] {
        [seconds] => return Some(seconds),
        [hours, minutes, seconds] => (0, hours, [minutes, seconds]),
        [days, hours @ ..24, minutes, seconds] => (days, hours, [minutes, seconds]),
        _ => return None,
    };
    if minutes >= 60 || seconds >= 60 {
        return None;
    }
    days.checked_mul(86_400)?.checked_add(hours.checked_mul(3600)?)?.checked_add(minutes * 60 + seconds)
}
