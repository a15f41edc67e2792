//! The numbers of a `range(…)` sweep.
//!
//! Integers count as Python's `range` does. With a float among the three numbers, Hydra turns them into exact
//! decimals and adds with 28 significant digits, so `range(0.1, 0.5, 0.1)` is 0.1, 0.2, 0.30000000000000004, 0.4.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use super::functions::to_float;
use crate::error::{ConfigError, ErrorKind};
use crate::limits::MAX_JOBS;
use crate::value::Value;

/// Lists the numbers of a range.
///
/// # Errors
/// [`ErrorKind::Other`] for a step of zero, [`ErrorKind::Limit`] for more than [`MAX_JOBS`] numbers.
pub(crate) fn numbers(start: &Value, stop: &Value, step: &Value) -> Result<Vec<Value>, ConfigError> {
    match (integer(start), integer(stop), integer(step)) {
        (Some(start), Some(stop), Some(step)) => integers(start, &stop, &step),
        _ => decimals(start, stop, step),
    }
}

/// `a + b` of two numbers.
pub(super) fn add(a: &Value, b: &Value) -> Value {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Value::from_bigint(a + b),
        _ => Value::Float(to_float(a).unwrap_or(f64::NAN) + to_float(b).unwrap_or(f64::NAN)),
    }
}

/// `a - b` of two numbers.
pub(super) fn subtract(a: &Value, b: &Value) -> Value {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Value::from_bigint(a - b),
        _ => Value::Float(to_float(a).unwrap_or(f64::NAN) - to_float(b).unwrap_or(f64::NAN)),
    }
}

fn integer(value: &Value) -> Option<BigInt> {
    match value {
        Value::Int(number) => Some(BigInt::from(*number)),
        Value::BigInt(number) => Some(number.clone()),
        _ => None,
    }
}

fn zero_step() -> ConfigError {
    let hint = "`range(start,stop,step)` counts from start to before stop".to_owned();
    ConfigError::new(ErrorKind::Other, "the step of a range must not be zero").with_hint(Some(hint))
}

fn too_many() -> ConfigError {
    let hint = "take a larger step, or a nearer end".to_owned();
    ConfigError::new(ErrorKind::Limit, format!("expected a range of at most {MAX_JOBS} numbers")).with_hint(Some(hint))
}

fn integers(start: BigInt, stop: &BigInt, step: &BigInt) -> Result<Vec<Value>, ConfigError> {
    let goes_up = match step.sign() {
        Sign::NoSign => return Err(zero_step()),
        Sign::Plus => true,
        Sign::Minus => false,
    };
    if (stop - &start) / step > BigInt::from(MAX_JOBS) {
        return Err(too_many());
    }
    let mut numbers = Vec::new();
    let mut at = start;
    while if goes_up { at < *stop } else { at > *stop } {
        if numbers.len() == MAX_JOBS {
            return Err(too_many());
        }
        numbers.push(Value::from_bigint(at.clone()));
        at += step;
    }
    Ok(numbers)
}

fn decimals(start: &Value, stop: &Value, step: &Value) -> Result<Vec<Value>, ConfigError> {
    let floats = [start, stop, step].map(|value| to_float(value).unwrap_or(f64::NAN));
    if floats.iter().any(|float| float.is_infinite()) && !floats.iter().any(|float| float.is_nan()) && floats[2] != 0.0
    {
        let [start, stop, step] = floats;
        let is_empty = if step > 0.0 { start >= stop } else { start <= stop };
        return if is_empty { Ok(Vec::new()) } else { Err(too_many()) };
    }
    let not_finite = || ConfigError::new(ErrorKind::Other, "expected numbers in a range, got NaN");
    let [start, stop, step] = [start, stop, step].map(|value| Decimal::exact(value).ok_or_else(not_finite));
    let (mut at, stop, step) = (start?, stop?, step?);
    let goes_up = match step.digits.sign() {
        Sign::NoSign => return Err(zero_step()),
        Sign::Plus => true,
        Sign::Minus => false,
    };
    // Adding may lose digits, so this is no exact count; it spares the work of a hundred thousand long additions.
    if (floats[1] - floats[0]) / floats[2] > 2.0 * MAX_JOBS as f64 {
        return Err(too_many());
    }
    let wanted = if goes_up { Ordering::Less } else { Ordering::Greater };
    let mut numbers = Vec::new();
    while at.cmp(&stop) == wanted {
        if numbers.len() == MAX_JOBS {
            return Err(too_many());
        }
        numbers.push(Value::Float(at.to_float()));
        at = at.plus(&step);
    }
    Ok(numbers)
}

/// `digits * 10^exponent`, like Python's `decimal.Decimal`.
#[derive(Debug, Clone)]
struct Decimal {
    digits: BigInt,
    exponent: i64,
}

/// The precision of Python's default decimal context.
const PRECISION: usize = 28;

impl Decimal {
    /// A finite number without rounding: every float is a decimal.
    fn exact(value: &Value) -> Option<Self> {
        if let Some(digits) = integer(value) {
            return Some(Self { digits, exponent: 0 });
        }
        let float = to_float(value).filter(|float| float.is_finite())?;
        let bits = float.to_bits();
        let (raw_exponent, fraction) = ((bits >> 52 & 0x7ff) as i64, bits & ((1 << 52) - 1));
        let (mantissa, mut power) =
            if raw_exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, raw_exponent - 1075) };
        let mut digits = BigInt::from(mantissa);
        if float < 0.0 {
            digits = -digits;
        }
        let trailing = i64::from(mantissa.trailing_zeros().min(52));
        // The fewest digits, as Python has them: halves become fives only where they must.
        if power < 0 && mantissa != 0 {
            let shift = trailing.min(-power);
            digits >>= shift as usize;
            power += shift;
        }
        if mantissa == 0 {
            return Some(Self { digits, exponent: 0 });
        }
        if power >= 0 {
            return Some(Self { digits: digits << power as usize, exponent: 0 });
        }
        Some(Self { digits: digits * BigInt::from(5).pow((-power) as u32), exponent: power })
    }

    fn aligned(&self, exponent: i64) -> BigInt {
        &self.digits * BigInt::from(10).pow((self.exponent - exponent) as u32)
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let exponent = self.exponent.min(other.exponent);
        self.aligned(exponent).cmp(&other.aligned(exponent))
    }

    /// The sum, rounded to [`PRECISION`] digits, half to even.
    fn plus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let digits = self.aligned(exponent) + other.aligned(exponent);
        let excess = digits.magnitude().to_string().len().saturating_sub(PRECISION);
        if excess == 0 {
            return Self { digits, exponent };
        }
        let unit = BigInt::from(10).pow(excess as u32);
        let (mut quotient, rest) = (&digits / &unit, &digits % &unit);
        let twice = BigInt::from(rest.magnitude().clone()) * 2;
        let is_odd = quotient.bit(0);
        if twice > unit || (twice == unit && is_odd) {
            quotient += if digits.sign() == Sign::Minus { -1 } else { 1 };
        }
        Self { digits: quotient, exponent: exponent + excess as i64 }
    }

    fn to_float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().expect("a decimal is a float literal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_ranges_add_exact_decimals() {
        let tenth = Value::Float(0.1);
        let all = numbers(&tenth, &Value::Float(0.5), &tenth).expect("a legal range");
        assert_eq!(all, [0.1, 0.2, 0.30000000000000004, 0.4].map(Value::Float));
    }

    #[test]
    fn endless_ranges_are_refused_before_memory_is_spent() {
        let error = numbers(&Value::Int(0), &Value::Int(i64::MAX), &Value::Int(1)).expect_err("too long");
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert_eq!(numbers(&Value::Int(5), &Value::Int(0), &Value::Int(1)).expect("an empty range"), []);
    }
}
