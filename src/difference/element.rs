//! Elements of tensors: types, and one element shown with its bits.

/// Order of an element's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endian {
    Little,
    Big,
}

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Bool,
    Signed,
    Unsigned,
    /// IEEE 754 of 2, 4 or 8 bytes.
    Float,
    /// The upper half of an `f32`.
    Bfloat16,
    /// Two floats.
    Complex,
    /// Bytes whose meaning is not known here.
    Opaque,
}

/// The type of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ElementType {
    pub number: Number,
    /// Size in bytes, at least 1.
    pub size: u64,
    pub endian: Endian,
}

impl ElementType {
    /// `1.5 (0x3fc00000)`. Fewer bytes than an element has are shown as such.
    pub(super) fn show(self, bytes: &[u8]) -> String {
        let mut big = bytes.to_vec();
        if self.endian == Endian::Little && self.number != Number::Opaque && self.number != Number::Complex {
            big.reverse();
        }
        let shown = &big[..big.len().min(32)];
        let mut hex = String::from("0x");
        shown.iter().for_each(|byte| hex.push_str(&format!("{byte:02x}")));
        if shown.len() < big.len() {
            hex.push('…');
        }
        match (big.len() as u64 == self.size).then(|| self.value(&big)).flatten() {
            Some(value) => format!("{value} ({hex})"),
            None => hex,
        }
    }

    /// The value of the element with these bytes, the most significant first.
    fn value(self, big: &[u8]) -> Option<String> {
        let unsigned = || {
            let mut wide = [0; 8];
            let start = wide.len().checked_sub(big.len())?;
            wide[start..].copy_from_slice(big);
            Some(u64::from_be_bytes(wide))
        };
        match self.number {
            Number::Bool => match big {
                [0] => Some("false".to_owned()),
                [1] => Some("true".to_owned()),
                _ => None,
            },
            Number::Unsigned => Some(unsigned()?.to_string()),
            Number::Signed => {
                let unused = 64 - 8 * big.len() as u32;
                Some((((unsigned()? << unused) as i64) >> unused).to_string())
            }
            Number::Float => match *big {
                [a, b] => Some(half(u16::from_be_bytes([a, b])).to_string()),
                [a, b, c, d] => Some(shortest(f32::from_be_bytes([a, b, c, d]))),
                _ => Some(shortest(f64::from_be_bytes(big.try_into().ok()?))),
            },
            Number::Bfloat16 => Some(shortest(f32::from_be_bytes([*big.first()?, *big.get(1)?, 0, 0]))),
            Number::Complex | Number::Opaque => None,
        }
    }
}

/// As few digits as tell the value apart, with an exponent when it is very large or small.
fn shortest(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

/// The value of IEEE 754 binary16; exact.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        0x1f if fraction == 0.0 => sign * f32::INFINITY,
        0x1f => f32::NAN,
        _ => sign * (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

/// The index of the element at `position`, for row-major order or, with `is_column_major`, Fortran's.
pub(super) fn index(position: u64, shape: &[u64], is_column_major: bool) -> Vec<u64> {
    let mut index = vec![0; shape.len()];
    let mut rest = position;
    let mut place = |at: usize| {
        let size = shape[at].max(1);
        index[at] = rest % size;
        rest /= size;
    };
    match is_column_major {
        true => (0..shape.len()).for_each(&mut place),
        false => (0..shape.len()).rev().for_each(&mut place),
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn little(number: Number, bytes: &[u8]) -> String {
        ElementType { number, size: bytes.len() as u64, endian: Endian::Little }.show(bytes)
    }

    #[test]
    fn elements_are_shown_with_value_and_bits() {
        assert_eq!(little(Number::Float, &1.5f32.to_le_bytes()), "1.5 (0x3fc00000)");
        assert_eq!(little(Number::Float, &f32::NAN.to_le_bytes()), "NaN (0x7fc00000)");
        assert_eq!(little(Number::Float, &(-0.0f64).to_le_bytes()), "-0.0 (0x8000000000000000)");
        assert_eq!(little(Number::Float, &[0x00, 0x3c]), "1 (0x3c00)");
        assert_eq!(little(Number::Float, &[0x01, 0x00]), "0.000000059604645 (0x0001)");
        assert_eq!(little(Number::Bfloat16, &[0xc0, 0x3f]), "1.5 (0x3fc0)");
        assert_eq!(little(Number::Signed, &(-2i16).to_le_bytes()), "-2 (0xfffe)");
        assert_eq!(little(Number::Signed, &i64::MIN.to_le_bytes()), "-9223372036854775808 (0x8000000000000000)");
        assert_eq!(little(Number::Unsigned, &[0xff]), "255 (0xff)");
        assert_eq!(little(Number::Bool, &[2]), "0x02");
        assert_eq!(little(Number::Opaque, &[1, 2, 3]), "0x010203");
        let big = ElementType { number: Number::Signed, size: 2, endian: Endian::Big };
        assert_eq!(big.show(&[0x01, 0x00]), "256 (0x0100)");
        assert_eq!(big.show(&[0x01]), "0x01");
    }

    #[test]
    fn positions_become_indices_in_either_order() {
        assert_eq!(index(7, &[2, 5], false), [1, 2]);
        assert_eq!(index(7, &[2, 5], true), [1, 3]);
        assert_eq!(index(0, &[], false), [0_u64; 0]);
        assert_eq!(index(3, &[0], false), [0]);
    }
}
