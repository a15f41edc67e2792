//! Zip archives, of which PyTorch's `.pt` and NumPy's `.npz` are two: the member, then by the member's kind.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use ::zip::ZipArchive;

use super::content::{BUFFER_BYTES, Content, FileContent};
use super::{Depth, Place, Unexplained, broken, place, shown};

/// Most bytes read to find the members: bounds the memory for their list, and the search for a list that is not there.
const MAX_DIRECTORY_BYTES: u64 = 16 << 20;

/// Most bytes that all reading of one archive's members may make of compressed ones. A bomb of a few kilobytes makes
/// petabytes; what is stored as it is cannot grow and is not counted.
const MAX_INFLATED_BYTES: u64 = 8 << 30;

/// The first difference of two archives: in the set of members, in a member, in how members are kept.
pub(super) fn first(
    expected: &mut FileContent,
    got: &mut FileContent,
    notes: &mut Vec<String>,
) -> Result<Place, Unexplained> {
    first_within(expected, got, MAX_INFLATED_BYTES, notes)
}

pub(super) fn first_within(
    expected: &mut FileContent,
    got: &mut FileContent,
    inflated_bytes: u64,
    notes: &mut Vec<String>,
) -> Result<Place, Unexplained> {
    let (mut expected, mut got) = (Archive::open(expected, inflated_bytes)?, Archive::open(got, inflated_bytes)?);
    let (left, right) = (expected.members()?, got.members()?);
    let say =
        |subject: String, expected: Option<String>, got: Option<String>| Ok(Place::Header { subject, expected, got });
    for (index, member) in left.iter().enumerate() {
        let name = shown::text(member.name.as_bytes());
        let Some(other) = got.archive.index_for_name(&member.name) else {
            return say(format!("member \"{name}\""), Some(format!("{} bytes", member.size)), None);
        };
        let mut inner_notes = Vec::new();
        let mut a = Member { archive: &mut expected, index, size: member.size };
        let mut b = Member { archive: &mut got, index: other, size: right[other].size };
        // What fails within an archive is the archive's fault as far as can be told.
        let found = place(&member.name, &mut a, &mut b, Depth::Member, &mut inner_notes)
            .map_err(|error| broken(format!("member \"{name}\": {error}")))?;
        if let Some(place) = found {
            notes.append(&mut inner_notes);
            return Ok(Place::Member { member: name, place: Box::new(place) });
        }
    }
    if let Some(added) = right.iter().find(|member| expected.archive.index_for_name(&member.name).is_none()) {
        let name = shown::text(added.name.as_bytes());
        return say(format!("member \"{name}\""), None, Some(format!("{} bytes", added.size)));
    }
    notes.push("every member's content is equal".to_owned());
    for (left, right) in left.iter().zip(&right) {
        let (a, b) = (shown::text(left.name.as_bytes()), shown::text(right.name.as_bytes()));
        if a != b {
            return say("order of the members".to_owned(), Some(format!("\"{a}\"")), Some(format!("\"{b}\"")));
        }
        if left.compression != right.compression {
            let (left, right) = (left.compression.clone(), right.compression.clone());
            return say(format!("compression of member \"{a}\""), Some(left), Some(right));
        }
        if left.modified != right.modified {
            return say(format!("time of member \"{a}\""), left.modified.clone(), right.modified.clone());
        }
        if left.compressed_size != right.compressed_size {
            let bytes = |size: u64| Some(format!("{size} bytes"));
            let (left, right) = (bytes(left.compressed_size), bytes(right.compressed_size));
            return say(format!("compressed size of member \"{a}\""), left, right);
        }
    }
    Err(Unexplained::Equal("what differs is how the archive keeps them: padding, attributes or a comment, say"))
}

/// What the list of an archive says of a member.
struct Listed {
    name: String,
    size: u64,
    compressed_size: u64,
    compression: String,
    modified: Option<String>,
}

struct Archive<'a> {
    archive: ZipArchive<Metered<'a>>,
    /// How many more bytes may be inflated.
    inflated_left: Cell<u64>,
}

impl<'a> Archive<'a> {
    fn open(file: &'a mut FileContent, inflated_bytes: u64) -> Result<Self, Unexplained> {
        let left = Rc::new(Cell::new(MAX_DIRECTORY_BYTES));
        let archive = ZipArchive::new(Metered { file, left: Rc::clone(&left) });
        let archive = archive.map_err(|error| broken(error.to_string()))?;
        left.set(u64::MAX);
        Ok(Self { archive, inflated_left: Cell::new(inflated_bytes) })
    }

    fn members(&mut self) -> Result<Vec<Listed>, Unexplained> {
        let length = self.archive.len();
        let listed = |index| {
            let file = self.archive.by_index_raw(index).map_err(|error| broken(error.to_string()))?;
            Ok(Listed {
                name: file.name().to_owned(),
                size: file.size(),
                compressed_size: file.compressed_size(),
                compression: file.compression().to_string(),
                modified: file.last_modified().map(|time| time.to_string()),
            })
        };
        (0..length).map(listed).collect()
    }
}

/// A member of an archive.
struct Member<'a, 'file> {
    archive: &'a mut Archive<'file>,
    index: usize,
    size: u64,
}

impl Content for Member<'_, '_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64) -> io::Result<Box<dyn Read + '_>> {
        let Archive { archive, inflated_left } = &mut *self.archive;
        let file = archive.by_index(self.index).map_err(io::Error::other)?;
        let is_stored = file.compression() == ::zip::CompressionMethod::Stored;
        let mut reader = Inflated { reader: file, left: (!is_stored).then_some(&*inflated_left) };
        io::copy(&mut (&mut reader).take(offset), &mut io::sink())?;
        Ok(Box::new(io::BufReader::with_capacity(BUFFER_BYTES, reader)))
    }
}

/// A reader of what is inflated, up to a budget.
struct Inflated<'a, R> {
    reader: R,
    left: Option<&'a Cell<u64>>,
}

impl<R: Read> Read for Inflated<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Some(left) = self.left {
            let rest = left.get().checked_sub(count as u64);
            left.set(rest.ok_or_else(|| io::Error::other("inflates to more than is read of an archive"))?);
        }
        Ok(count)
    }
}

/// A file of which no more than so many bytes are read.
struct Metered<'a> {
    file: &'a mut FileContent,
    left: Rc<Cell<u64>>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let rest = self.left.get().checked_sub(count as u64);
        self.left.set(rest.ok_or_else(|| io::Error::other("the list of members is too long"))?);
        Ok(count)
    }
}

impl Seek for Metered<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
