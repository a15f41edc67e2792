//! Bytes that can be read again from any place: a file, or a member of an archive.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::foreign::ForeignFile;

/// Bytes that can be read again from any place.
pub(super) trait Content {
    /// How many there are; of a member, what the archive says.
    fn size(&self) -> u64;

    /// Reads from `offset` on. One reader at a time.
    fn read_at(&mut self, offset: u64) -> io::Result<Box<dyn Read + '_>>;

    /// The file itself, where it is one.
    fn file(&mut self) -> Option<&mut FileContent> {
        None
    }
}

/// A file.
pub(super) struct FileContent {
    file: File,
    path: std::path::PathBuf,
    size: u64,
    failed: bool,
}

impl FileContent {
    pub(super) fn new(file: ForeignFile) -> Self {
        let (path, size) = (file.path().to_owned(), file.size());
        Self { file: file.into_file(), path, size, failed: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether reading it failed.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }
}

impl Content for FileContent {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64) -> io::Result<Box<dyn Read + '_>> {
        self.seek(SeekFrom::Start(offset))?;
        // What is appended while it is read is not read: it could go on for ever.
        let rest = self.size.saturating_sub(offset);
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, self.take(rest))))
    }

    fn file(&mut self) -> Option<&mut FileContent> {
        Some(self)
    }
}

impl Read for FileContent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer).inspect_err(|_| self.failed = true)
    }
}

impl Seek for FileContent {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Bytes read at a time.
pub(super) const BUFFER_BYTES: usize = 1 << 16;

/// Reads until `buffer` is full or there is no more.
pub(super) fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Up to `limit` bytes from `offset` on.
pub(super) fn window(content: &mut dyn Content, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; limit];
    let filled = fill(&mut *content.read_at(offset)?, &mut bytes)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// What a file is, by its first bytes and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Npy,
    Safetensors,
    Csv { delimiter: u8 },
    Json,
    Text,
    Bytes,
}

impl Kind {
    pub(super) fn of(name: &str, content: &mut dyn Content) -> io::Result<Self> {
        const LOOKED_AT: usize = 8192;
        let start = window(content, 0, LOOKED_AT)?;
        if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            return Ok(Self::Zip);
        }
        if start.starts_with(b"\x93NUMPY") {
            return Ok(Self::Npy);
        }
        let length = start.first_chunk().map(|length| u64::from_le_bytes(*length));
        if start.get(8) == Some(&b'{') && length.is_some_and(|length| length < 1 << 40) {
            return Ok(Self::Safetensors);
        }
        let is_text = !start.contains(&0)
            && match std::str::from_utf8(&start) {
                Ok(_) => true,
                // A character may be cut by the end of the window, and by nothing else.
                Err(error) => error.error_len().is_none() && start.len() == LOOKED_AT,
            };
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        Ok(match extension.as_deref() {
            _ if !is_text => Self::Bytes,
            Some("csv") => Self::Csv { delimiter: b',' },
            Some("tsv") => Self::Csv { delimiter: b'\t' },
            Some("json") => Self::Json,
            _ => Self::Text,
        })
    }

    /// What to try when a file is not what it looks like.
    pub(super) fn simpler(self) -> Self {
        match self {
            Self::Csv { .. } | Self::Json => Self::Text,
            _ => Self::Bytes,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zip => "a zip archive",
            Self::Npy => "a NumPy array",
            Self::Safetensors => "safetensors",
            Self::Csv { .. } => "a table",
            Self::Json => "JSON",
            Self::Text => "text",
            Self::Bytes => "bytes",
        })
    }
}
