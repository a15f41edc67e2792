//! What a Linux program needs of the system that it runs on, read from its ELF file.

use std::fmt;

use object::LittleEndian;
use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};

/// A version of glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc {
    /// As in 2.35.
    pub major: u32,
    /// As in 2.35.
    pub minor: u32,
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A program for something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLinux {
    /// No ELF file of 64 bits.
    #[error("a file that is none ({reason})")]
    NoElf {
        /// What is wrong with it.
        reason: String,
    },
    /// An ELF file for another processor.
    #[error("one for another processor (ELF machine {machine})")]
    Machine {
        /// Its number.
        machine: u16,
    },
    /// An object file, a core dump.
    #[error("an ELF file that is no program (type {kind})")]
    NoProgram {
        /// Its type.
        kind: u16,
    },
    /// A table that is not as it has to be.
    #[error("an ELF file with broken version needs ({reason})")]
    Broken {
        /// What is wrong with it.
        reason: String,
    },
}

impl NotLinux {
    /// What it is to be.
    pub const EXPECTED: &str = "a Linux program for x86-64";
}

/// The newest of the versions of glibc whose symbols a program asks for, which is the oldest one that it runs with; `None` of
/// one that asks for none, as a static one.
///
/// # Errors
/// [`NotLinux`]
pub fn oldest_glibc(bytes: &[u8]) -> Result<Option<Glibc>, NotLinux> {
    type Elf = FileHeader64<LittleEndian>;
    let no_elf = |error: object::Error| NotLinux::NoElf { reason: error.to_string() };
    let broken = |error: object::Error| NotLinux::Broken { reason: error.to_string() };
    let header = Elf::parse(bytes).map_err(no_elf)?;
    let endian = header.endian().map_err(no_elf)?;
    let machine = header.e_machine(endian);
    if machine != EM_X86_64 {
        return Err(NotLinux::Machine { machine: machine.0 });
    }
    let kind = header.e_type(endian);
    let segments = header.program_headers(endian, bytes).map_err(broken)?;
    let is_interpreted = segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP);
    // A library is of the same type as a program that may lie anywhere; what runs it tells them apart, or its beginning.
    if kind != ET_EXEC && !(kind == ET_DYN && (is_interpreted || header.e_entry(endian) != 0)) {
        return Err(NotLinux::NoProgram { kind: kind.0 });
    }
    let sections = header.sections(endian, bytes).map_err(broken)?;
    let Some((mut needs, link)) = sections.gnu_verneed(endian, bytes).map_err(broken)? else { return Ok(None) };
    let strings = sections.strings(endian, bytes, link).map_err(broken)?;
    let mut oldest = None;
    while let Some((_, mut versions)) = needs.next().map_err(broken)? {
        while let Some(version) = versions.next().map_err(broken)? {
            let name = version.name(endian, strings).map_err(broken)?;
            oldest = oldest.max(glibc(name));
        }
    }
    Ok(oldest)
}

/// `GLIBC_2.35`, and `GLIBC_2.2.5`, of which two numbers are enough.
fn glibc(name: &[u8]) -> Option<Glibc> {
    let version = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    let mut numbers = version.split('.').map(str::parse);
    Some(Glibc { major: numbers.next()?.ok()?, minor: numbers.next()?.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_and_private_ones_are_none() {
        let of = |name: &str| glibc(name.as_bytes());
        assert!(of("GLIBC_2.35") > of("GLIBC_2.9") && of("GLIBC_2.2.5") == Some(Glibc { major: 2, minor: 2 }));
        assert_eq!([of("GLIBC_PRIVATE"), of("GCC_3.0"), of("GLIBC_2")], [None; 3]);
        assert_eq!(of("GLIBC_2.35").expect("a version").to_string(), "2.35");
    }

    #[test]
    fn what_is_no_elf_or_cut_short_is_refused_and_never_read_beyond() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", b"MZ\x90\0", &[0xcf, 0xfa, 0xed, 0xfe]] {
            assert!(matches!(oldest_glibc(bytes), Err(NotLinux::NoElf { .. })), "{bytes:?}");
        }
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
    #[test]
    fn this_program_needs_a_glibc_that_is_not_newer_than_the_one_here() {
        let program = std::fs::read(std::env::current_exe().expect("a path")).expect("read");
        let glibc = oldest_glibc(&program).expect("a program").expect("dynamic");
        assert!(glibc >= Glibc { major: 2, minor: 2 } && glibc.major == 2, "{glibc}");
        let mut other = program.clone();
        // e_machine: AArch64.
        other[18..20].copy_from_slice(&183u16.to_le_bytes());
        assert_eq!(oldest_glibc(&other), Err(NotLinux::Machine { machine: 183 }));
        // e_type: a core dump.
        let mut other = program.clone();
        other[16..18].copy_from_slice(&4u16.to_le_bytes());
        assert_eq!(oldest_glibc(&other), Err(NotLinux::NoProgram { kind: 4 }));
        for length in [64, 1000, program.len() / 2] {
            assert!(oldest_glibc(&program[..length]).is_err(), "{length}");
        }
    }
}
