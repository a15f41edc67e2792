//! NumPy's `.npy`: what the header says, then the element.
//!
//! Source of the format: NEP 1. The header is a Python literal; of it this reads what `numpy.save` writes for arrays of
//! plain types. Arrays of records and of Python objects are compared by their bytes.

use super::bytes::first_in;
use super::content::{Content, window};
use super::element::{ElementType, Endian, Number, index};
use super::{Place, Unexplained, broken, shown};

/// Longest header that is read; NumPy itself trusts 10,000 bytes.
const MAX_HEADER_BYTES: u64 = 1 << 16;

/// The first difference of two arrays.
pub(super) fn first(expected: &mut dyn Content, got: &mut dyn Content) -> Result<Place, Unexplained> {
    let (left, right) = (Header::read(expected)?, Header::read(got)?);
    let say = |subject: &str, expected: String, got: String| Place::Header {
        subject: subject.to_owned(),
        expected: Some(shown::text(expected.as_bytes())),
        got: Some(shown::text(got.as_bytes())),
    };
    if left.descr != right.descr {
        return Ok(say("type of the elements", left.descr, right.descr));
    }
    if left.shape != right.shape {
        return Ok(say("shape", format!("{:?}", left.shape), format!("{:?}", right.shape)));
    }
    if left.fortran_order != right.fortran_order {
        return Ok(say("order of the elements", left.order().to_owned(), right.order().to_owned()));
    }
    let Some(byte) = first_in(expected, left.data_start, got, right.data_start, u64::MAX)? else {
        return Err(Unexplained::Equal("every element is equal, only the spelling of the header differs"));
    };
    let element = left.element;
    let position = byte.offset / element.size;
    let start = position * element.size;
    let show = |content: &mut dyn Content, data_start: u64| -> Result<Option<String>, Unexplained> {
        let bytes = window(content, data_start.saturating_add(start), element.size as usize)?;
        Ok((!bytes.is_empty()).then(|| element.show(&bytes)))
    };
    Ok(Place::Element {
        tensor: None,
        dtype: shown::text(left.descr.as_bytes()),
        index: index(position, &left.shape, left.fortran_order),
        expected: show(expected, left.data_start)?,
        got: show(got, right.data_start)?,
    })
}

#[derive(Debug)]
struct Header {
    descr: String,
    element: ElementType,
    fortran_order: bool,
    shape: Vec<u64>,
    data_start: u64,
}

impl Header {
    fn read(content: &mut dyn Content) -> Result<Self, Unexplained> {
        let start = window(content, 0, 12)?;
        let (prefix, length) = match start[..] {
            [_, _, _, _, _, _, 1, _, a, b, ..] => (10, u64::from(u16::from_le_bytes([a, b]))),
            [_, _, _, _, _, _, 2 | 3, _, a, b, c, d] => (12, u64::from(u32::from_le_bytes([a, b, c, d]))),
            _ => return Err(broken("expected version 1, 2 or 3 of the format")),
        };
        if length > MAX_HEADER_BYTES {
            return Err(broken(format!("a header of {length} bytes, expected at most {MAX_HEADER_BYTES}")));
        }
        let bytes = window(content, prefix, length as usize)?;
        if bytes.len() as u64 != length {
            return Err(broken(format!("a header of {length} bytes of which {} are there", bytes.len())));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| broken("a header that is no text"))?;
        let (descr, fortran_order, shape) =
            fields(text).ok_or_else(|| broken("a header that is none of an array of plain elements"))?;
        let element = element(&descr).ok_or_else(|| broken("elements of a type without a size"))?;
        Ok(Self { descr, element, fortran_order, shape, data_start: prefix + length })
    }

    fn order(&self) -> &'static str {
        if self.fortran_order { "Fortran's" } else { "C's" }
    }
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, in any order of the keys.
fn fields(text: &str) -> Option<(String, bool, Vec<u64>)> {
    let (mut descr, mut order, mut shape) = (None, None, None);
    let mut rest = text.trim().strip_prefix('{')?.trim_start();
    while let Some(after) = rest.strip_prefix('\'') {
        let (key, after) = after.split_once('\'')?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        rest = match key {
            "descr" => {
                let (value, after) = value.strip_prefix('\'')?.split_once('\'')?;
                descr = Some(value.to_owned());
                after
            }
            "fortran_order" => {
                let (value, after) = match value.strip_prefix("True") {
                    Some(after) => (true, after),
                    None => (false, value.strip_prefix("False")?),
                };
                order = Some(value);
                after
            }
            "shape" => {
                let (value, after) = value.strip_prefix('(')?.split_once(')')?;
                let sizes = value.split(',').map(str::trim).filter(|size| !size.is_empty());
                shape = Some(sizes.map(|size| size.parse().ok()).collect::<Option<Vec<u64>>>()?);
                after
            }
            _ => return None,
        };
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    match rest {
        "}" => Some((descr?, order?, shape?)),
        _ => None,
    }
}

fn element(descr: &str) -> Option<ElementType> {
    let mut characters = descr.chars();
    let endian = match characters.next()? {
        '<' | '|' => Endian::Little,
        '>' => Endian::Big,
        _ => return None,
    };
    let letter = characters.next()?;
    // `<M8[ns]` has its unit behind it.
    let digits = characters.as_str().split('[').next()?;
    let count: u64 = digits.parse().ok().filter(|count| (1..=1 << 16).contains(count))?;
    let known = |number, sizes: &[u64]| if sizes.contains(&count) { number } else { Number::Opaque };
    let (number, size) = match letter {
        'b' => (known(Number::Bool, &[1]), count),
        'i' => (known(Number::Signed, &[1, 2, 4, 8]), count),
        'u' => (known(Number::Unsigned, &[1, 2, 4, 8]), count),
        'f' => (known(Number::Float, &[2, 4, 8]), count),
        'M' | 'm' => (known(Number::Signed, &[8]), count),
        'c' => (Number::Complex, count),
        'U' => (Number::Opaque, 4 * count),
        'S' | 'a' | 'V' => (Number::Opaque, count),
        _ => return None,
    };
    Some(ElementType { number, size, endian })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let header = |text| fields(text);
        let written = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }          \n";
        assert_eq!(header(written), Some(("<f4".to_owned(), false, vec![3, 4])));
        assert_eq!(
            header("{'shape': (), 'fortran_order': True, 'descr': '|b1'}"),
            Some(("|b1".to_owned(), true, vec![]))
        );
        assert_eq!(
            header("{'descr': '<i8', 'fortran_order': False, 'shape': (5,), }"),
            Some(("<i8".to_owned(), false, vec![5]))
        );
        for broken in [
            "",
            "{",
            "{'descr",
            "{'descr': '<f4'}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }",
            "{'descr': '<f4', 'fortran_order': None, 'shape': (3,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } + evil()",
        ] {
            assert_eq!(header(broken), None, "{broken}");
        }
    }

    #[test]
    fn types_without_a_size_are_no_elements() {
        for broken in ["", "<", "<f", "<f0", "<f-1", "<f99999999999", "|O", "=f4", "é8", "<é"] {
            assert_eq!(element(broken), None, "{broken}");
        }
        assert_eq!(element("<U3").map(|element| element.size), Some(12));
        assert_eq!(element("<M8[ns]").map(|element| element.number), Some(Number::Signed));
    }
}
