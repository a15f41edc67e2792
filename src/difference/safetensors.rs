//! Safetensors: what the header says of each tensor, then the element.
//!
//! Parsed here and not by the crate of that name, which wants the whole file in memory.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::bytes::first_in;
use super::content::{Content, window};
use super::element::{ElementType, Endian, Number, index};
use super::{Place, Unexplained, broken, shown};

/// Longest header that is parsed; one of ten thousand tensors has about a million bytes.
const MAX_HEADER_BYTES: u64 = 32 << 20;

/// The first difference: in the set of tensors, in what is said of them, in their elements, in the metadata, in the layout.
pub(super) fn first(
    expected: &mut dyn Content,
    got: &mut dyn Content,
    notes: &mut Vec<String>,
) -> Result<Place, Unexplained> {
    let (left, right) = (File::read(expected)?, File::read(got)?);
    let metadata = metadata_difference(&left.header, &right.header);
    match tensor_difference(expected, &left, got, &right)? {
        Some(place) => {
            if metadata.is_some() {
                notes.push("the metadata differ, too".to_owned());
            }
            Ok(place)
        }
        None => metadata.ok_or(Unexplained::Equal(
            "every tensor and the metadata are equal, only the spelling of the header or the layout differs",
        )),
    }
}

fn tensor_difference(
    expected: &mut dyn Content,
    left: &File,
    got: &mut dyn Content,
    right: &File,
) -> Result<Option<Place>, Unexplained> {
    let added = right.header.tensors.keys().filter(|name| !left.header.tensors.contains_key(*name));
    for name in left.header.tensors.keys().chain(added) {
        let shown_name = shown::text(name.as_bytes());
        let say = |what: &str, expected: Option<String>, got: Option<String>| {
            let cut = |text: Option<String>| text.map(|text| shown::text(text.as_bytes()));
            let subject = format!("{what} \"{shown_name}\"");
            Ok(Some(Place::Header { subject, expected: cut(expected), got: cut(got) }))
        };
        let (a, b) = match (left.header.tensors.get(name), right.header.tensors.get(name)) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => {
                let describe = |tensor: Option<&Tensor>| tensor.map(|it| format!("{} {:?}", it.dtype, it.shape));
                return say("tensor", describe(a), describe(b));
            }
        };
        if a.dtype != b.dtype {
            return say("type of tensor", Some(a.dtype.clone()), Some(b.dtype.clone()));
        }
        if a.shape != b.shape {
            return say("shape of tensor", Some(format!("{:?}", a.shape)), Some(format!("{:?}", b.shape)));
        }
        let (a_start, b_start) = (left.data_start + a.data_offsets[0], right.data_start + b.data_offsets[0]);
        let length = (a.data_offsets[1] - a.data_offsets[0]).max(b.data_offsets[1] - b.data_offsets[0]);
        if let Some(byte) = first_in(expected, a_start, got, b_start, length)? {
            let element = element(&a.dtype);
            let size = element.map_or(1, |element| element.size);
            let position = byte.offset / size;
            let shown = |content: &mut dyn Content, start: u64| -> Result<Option<String>, Unexplained> {
                let bytes = window(content, start + position * size, size as usize)?;
                let opaque = ElementType { number: Number::Opaque, size: 1, endian: Endian::Little };
                Ok((!bytes.is_empty()).then(|| element.unwrap_or(opaque).show(&bytes)))
            };
            let dtype = shown::text(a.dtype.as_bytes());
            return Ok(Some(Place::Element {
                tensor: Some(shown_name),
                // Elements of an unknown type have no index: the byte's is given.
                index: if element.is_some() { index(position, &a.shape, false) } else { vec![position] },
                dtype: if element.is_some() { dtype } else { format!("bytes of {dtype}") },
                expected: shown(expected, a_start)?,
                got: shown(got, b_start)?,
            }));
        }
    }
    Ok(None)
}

fn metadata_difference(left: &Header, right: &Header) -> Option<Place> {
    let keys = left.metadata.keys().chain(right.metadata.keys());
    let key = keys.into_iter().find(|key| left.metadata.get(*key) != right.metadata.get(*key))?;
    let value =
        |header: &Header| header.metadata.get(key).map(|value| format!("\"{}\"", shown::text(value.as_bytes())));
    let subject = format!("metadata \"{}\"", shown::text(key.as_bytes()));
    Some(Place::Header { subject, expected: value(left), got: value(right) })
}

struct File {
    header: Header,
    data_start: u64,
}

impl File {
    fn read(content: &mut dyn Content) -> Result<Self, Unexplained> {
        let length = window(content, 0, 8)?;
        let length = length.first_chunk().map(|length| u64::from_le_bytes(*length));
        let length = length.ok_or_else(|| broken("no length of the header"))?;
        if length > MAX_HEADER_BYTES {
            return Err(broken(format!("a header of {length} bytes, expected at most {MAX_HEADER_BYTES}")));
        }
        if length.saturating_add(8) > content.size() {
            return Err(broken(format!("a header of {length} bytes in a file of {}", content.size())));
        }
        let bytes = window(content, 8, length as usize)?;
        let header: Header = serde_json::from_slice(&bytes).map_err(|error| broken(format!("its header: {error}")))?;
        let data_start = 8 + length;
        let data_bytes = content.size() - data_start;
        for (name, tensor) in &header.tensors {
            if !tensor.is_within(data_bytes) {
                let name = shown::text(name.as_bytes());
                return Err(broken(format!("the offsets of tensor \"{name}\" fit neither its shape nor the file")));
            }
        }
        Ok(Self { header, data_start })
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Tensor {
    fn is_within(&self, data_bytes: u64) -> bool {
        let [start, end] = self.data_offsets;
        if start > end || end > data_bytes {
            return false;
        }
        let Some(element) = element(&self.dtype) else { return true };
        let bytes = self.shape.iter().try_fold(element.size, |product, size| product.checked_mul(*size));
        bytes == Some(end - start)
    }
}

#[derive(Debug)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: IndexMap<String, Tensor>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tensors")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Header, M::Error> {
                let mut header = Header { metadata: BTreeMap::new(), tensors: IndexMap::new() };
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        header.metadata = map.next_value()?;
                    } else {
                        let tensor = map.next_value()?;
                        // Which of two is meant is anybody's guess.
                        if header.tensors.insert(name, tensor).is_some() {
                            return Err(de::Error::custom("a tensor is named twice"));
                        }
                    }
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// The types of whole bytes; those of fewer bits have no element that could be shown by itself.
fn element(dtype: &str) -> Option<ElementType> {
    let (number, size) = match dtype {
        "BOOL" => (Number::Bool, 1),
        "U8" => (Number::Unsigned, 1),
        "U16" => (Number::Unsigned, 2),
        "U32" => (Number::Unsigned, 4),
        "U64" => (Number::Unsigned, 8),
        "I8" => (Number::Signed, 1),
        "I16" => (Number::Signed, 2),
        "I32" => (Number::Signed, 4),
        "I64" => (Number::Signed, 8),
        "F16" => (Number::Float, 2),
        "F32" => (Number::Float, 4),
        "F64" => (Number::Float, 8),
        "BF16" => (Number::Bfloat16, 2),
        "C64" => (Number::Complex, 8),
        "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => (Number::Opaque, 1),
        _ => return None,
    };
    Some(ElementType { number, size, endian: Endian::Little })
}
