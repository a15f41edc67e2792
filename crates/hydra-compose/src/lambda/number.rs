//! Python's arithmetic on whole numbers of any size and on floats.

use num_bigint::{BigInt, Sign};

use super::failed;
use super::lexer::integer;
use crate::error::ConfigError;
use crate::value::Value;

/// What Python's own limit on the digits of a number comes to.
const MAX_BITS: u64 = 14_285;
/// The largest exponent of a float's power that is computed.
const MAX_EXPONENT: u64 = 2048;

/// A number: whole, or a float.
#[derive(Debug, Clone)]
pub(super) enum Number {
    Int(BigInt),
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Float(number) => Some(Self::Float(*number)),
            other => integer(other).map(Self::Int),
        }
    }

    pub(super) fn into_value(self) -> Result<Value, ConfigError> {
        match self {
            Self::Int(number) if number.bits() > MAX_BITS => Err(failed("expected a smaller number")),
            Self::Int(number) => Ok(Value::from_bigint(number)),
            Self::Float(number) => Ok(Value::Float(number)),
        }
    }

    /// `float(number)`
    pub(super) fn to_float(&self) -> Result<f64, ConfigError> {
        match self {
            Self::Float(number) => Ok(*number),
            Self::Int(number) => quotient(number, &BigInt::from(1)),
        }
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Int(number) => Self::Int(-number),
            Self::Float(number) => Self::Float(-number),
        }
    }

    /// The order of two numbers, exactly; `None` where one is no number.
    pub(super) fn compare(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Float(_), Self::Int(_)) => other.compare(self).map(std::cmp::Ordering::reverse),
            // Any whole number is between the infinities.
            (Self::Int(_), Self::Float(b)) if !b.is_finite() => 0.0_f64.partial_cmp(b),
            (Self::Int(a), Self::Float(b)) => {
                let (numerator, denominator) = ratio(*b);
                Some((a * denominator).cmp(&numerator))
            }
        }
    }

    /// One of `+ - * / // % **`.
    pub(super) fn operate(self, operator: &str, other: Self) -> Result<Self, ConfigError> {
        if operator == "**" {
            return self.power(other);
        }
        if operator == "/"
            && let (Self::Int(a), Self::Int(b)) = (&self, &other)
        {
            refuse_zero(b.sign() == Sign::NoSign)?;
            return quotient(a, b).map(Self::Float);
        }
        Ok(match (self, other) {
            (Self::Int(a), Self::Int(b)) => Self::Int(match operator {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                _ => {
                    refuse_zero(b.sign() == Sign::NoSign)?;
                    let (quotient, remainder) = floor_division(&a, &b);
                    if operator == "//" { quotient } else { remainder }
                }
            }),
            (a, b) => {
                let (a, b) = (a.to_float()?, b.to_float()?);
                Self::Float(match operator {
                    "+" => a + b,
                    "-" => a - b,
                    "*" => a * b,
                    _ => {
                        refuse_zero(b == 0.0)?;
                        match operator {
                            "/" => a / b,
                            "//" => float_floor_division(a, b).0,
                            _ => float_floor_division(a, b).1,
                        }
                    }
                })
            }
        })
    }

    fn power(self, other: Self) -> Result<Self, ConfigError> {
        if let (Self::Int(base), Self::Int(exponent)) = (&self, &other)
            && exponent.sign() != Sign::Minus
        {
            let is_small = base.bits() <= 1;
            let exponent = u32::try_from(exponent)
                .ok()
                .filter(|&exponent| is_small || base.bits().saturating_mul(exponent.into()) <= MAX_BITS + base.bits());
            return match exponent {
                Some(exponent) => {
                    Ok(Self::Int(base.pow(if is_small { exponent.min(2 + exponent % 2) } else { exponent })))
                }
                None => Err(failed("expected a smaller number")),
            };
        }
        let (base, exponent) = (self.to_float()?, other.to_float()?);
        if exponent == 0.5 && base >= 0.0 {
            return Ok(Self::Float(base.sqrt()));
        }
        if exponent.fract() != 0.0 || exponent.abs() > MAX_EXPONENT as f64 {
            return Err(failed(format!(
                "expected a whole exponent of at most {MAX_EXPONENT}, or 0.5, got {exponent}: C libraries differ in others"
            )));
        }
        let count = exponent.abs() as u32;
        refuse_zero(base == 0.0 && exponent < 0.0)?;
        if count == 0 {
            return Ok(Self::Float(1.0));
        }
        if !base.is_finite() || base == 0.0 {
            let grown = if count.is_multiple_of(2) { base.abs() } else { base };
            return Ok(Self::Float(if exponent < 0.0 { 1.0 / grown } else { grown }));
        }
        // The powers of two are counted apart, which keeps the numbers small.
        let (mantissa, two) = odd(base);
        let (mantissa, two) = (mantissa.pow(count), two * i64::from(count));
        let power = match exponent < 0.0 {
            true => scaled(&BigInt::from(1), &mantissa, -two),
            false => scaled(&mantissa, &BigInt::from(1), two),
        };
        power.map(Self::Float)
    }

    /// How much an operation costs, in steps of an evaluation: about the words of what it makes.
    pub(super) fn cost(&self, operator: &str, other: &Self) -> usize {
        let words = |number: &Self| match number {
            Self::Int(number) => number.bits() as usize / 64,
            Self::Float(_) => 0,
        };
        let operands = words(self) + words(other);
        match (operator, other) {
            ("**", Self::Int(exponent)) => {
                operands + usize::try_from(exponent.magnitude()).unwrap_or(usize::MAX).min(MAX_EXPONENT as usize)
            }
            ("**", Self::Float(exponent)) => operands + exponent.abs().min(MAX_EXPONENT as f64) as usize,
            _ => operands,
        }
    }

    /// `round(number)`, and with digits `round(number, digits)`: half to even.
    pub(super) fn rounded(self, digits: Option<usize>) -> Result<Self, ConfigError> {
        Ok(match (self, digits) {
            (Self::Int(number), _) => Self::Int(number),
            (Self::Float(number), None) => Self::Int(whole(number.round_ties_even())?),
            (Self::Float(number), Some(_)) if !number.is_finite() => Self::Float(number),
            (Self::Float(number), Some(digits)) => {
                // Both roundings are of the exact decimal value.
                let text = format!("{number:.digits$}", digits = digits.min(400));
                Self::Float(text.parse().map_err(|_| failed("expected a number"))?)
            }
        })
    }

    /// `int(number)`: towards zero.
    pub(super) fn truncated(self) -> Result<Self, ConfigError> {
        Ok(match self {
            Self::Int(number) => Self::Int(number),
            Self::Float(number) => Self::Int(whole(number.trunc())?),
        })
    }
}

fn refuse_zero(is_zero: bool) -> Result<(), ConfigError> {
    if is_zero { Err(failed("division by zero")) } else { Ok(()) }
}

/// A float that is whole, as a whole number.
fn whole(number: f64) -> Result<BigInt, ConfigError> {
    if !number.is_finite() {
        return Err(failed(format!("expected a finite number, got {number}")));
    }
    let (numerator, denominator) = ratio(number);
    Ok(numerator / denominator)
}

/// A finite float as a whole number times a power of two.
fn binary(number: f64) -> (i64, i64) {
    let bits = number.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i64;
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let (mantissa, exponent) = if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    (if number.is_sign_negative() { -mantissa } else { mantissa }, exponent)
}

/// The same with an odd number, of a float that is not zero.
fn odd(number: f64) -> (BigInt, i64) {
    let (mantissa, exponent) = binary(number);
    let two = mantissa.trailing_zeros();
    (BigInt::from(mantissa >> two), exponent + i64::from(two))
}

/// A finite float as a fraction.
fn ratio(number: f64) -> (BigInt, BigInt) {
    let (mantissa, exponent) = binary(number);
    match exponent < 0 {
        true => (BigInt::from(mantissa), BigInt::from(1) << exponent.unsigned_abs()),
        false => (BigInt::from(mantissa) << exponent.unsigned_abs(), BigInt::from(1)),
    }
}

/// `a / b`, rounded once, to the nearest float.
fn quotient(a: &BigInt, b: &BigInt) -> Result<f64, ConfigError> {
    scaled(a, b, 0)
}

/// `a / b * 2**two`, rounded once, to the nearest float.
fn scaled(a: &BigInt, b: &BigInt, two: i64) -> Result<f64, ConfigError> {
    let is_negative = (a.sign() == Sign::Minus) != (b.sign() == Sign::Minus);
    let (a, b) = (a.magnitude(), b.magnitude());
    if a.bits() == 0 {
        return Ok(0.0);
    }
    // A quotient of 66 or 67 bits; whether anything was cut off goes into the last one.
    let shift = 66 + b.bits() as i64 - a.bits() as i64;
    let (shifted, divisor) = match shift >= 0 {
        true => (a << shift.unsigned_abs(), b.clone()),
        false => (a.clone(), b << shift.unsigned_abs()),
    };
    let (cut, is_exact) = (&shifted / &divisor, (&shifted % &divisor).bits() == 0);
    let cut: u128 = u128::try_from(&cut).expect("67 bits") | u128::from(!is_exact);
    let bits = i64::from(128 - cut.leading_zeros());
    // What the last bit of the quotient is worth.
    let last = two - shift;
    // Below the normal numbers there are fewer bits.
    let kept = (bits + last + 1074).min(53);
    if kept < 0 {
        return Ok(if is_negative { -0.0 } else { 0.0 });
    }
    let dropped = (bits - kept) as u32;
    let (high, low) = (cut >> dropped, cut & ((1 << dropped) - 1));
    let half = 1_u128 << (dropped - 1);
    let mantissa = high + u128::from(low > half || low == half && high % 2 == 1);
    let exponent = i64::from(dropped) + last;
    if exponent > 1024 {
        return Err(failed("expected a smaller number"));
    }
    // Exact: what is left fits the float.
    let first = exponent.clamp(-1000, 900) as i32;
    let magnitude = mantissa as f64 * 2.0_f64.powi(first) * 2.0_f64.powi(exponent as i32 - first);
    if !magnitude.is_finite() {
        return Err(failed("expected a smaller number"));
    }
    Ok(if is_negative { -magnitude } else { magnitude })
}

/// Quotient and remainder with the sign of the divisor.
fn floor_division(a: &BigInt, b: &BigInt) -> (BigInt, BigInt) {
    let (quotient, remainder) = (a / b, a % b);
    match remainder.sign() != Sign::NoSign && remainder.sign() != b.sign() {
        true => (quotient - 1, remainder + b),
        false => (quotient, remainder),
    }
}

/// The same of floats, as CPython's `float_divmod`.
fn float_floor_division(a: f64, b: f64) -> (f64, f64) {
    let mut remainder = a % b;
    let mut quotient = (a - remainder) / b;
    if remainder == 0.0 {
        remainder = 0.0_f64.copysign(b);
    } else if (b < 0.0) != (remainder < 0.0) {
        remainder += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0.0_f64.copysign(a / b), remainder);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, remainder)
}
