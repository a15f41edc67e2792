//! How large this processor's caches are. What depends on it is which parts of a product are done when, no bit.

use std::sync::OnceLock;

/// Bytes of the L2 cache of a core, or what most have where the processor does not tell.
pub fn l2_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| detected().unwrap_or(1 << 20).clamp(1 << 18, 1 << 22))
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Option<usize> {
    None
}

/// From leaf 4 of `cpuid`, or AMD's, which is laid out alike.
#[cfg(target_arch = "x86_64")]
fn detected() -> Option<usize> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    const INTEL: u32 = 4;
    const AMD: u32 = 0x8000_001d;
    // Without the topology extensions that leaf means nothing.
    let has_amds = || __cpuid(0x8000_0000).eax >= AMD && __cpuid(0x8000_0001).ecx >> 22 & 1 == 1;
    let intel = __cpuid(0).eax >= INTEL && __cpuid_count(INTEL, 0).eax & 0x1f != 0;
    let leaf = match intel {
        true => INTEL,
        false if has_amds() => AMD,
        false => return None,
    };
    // Type 0 ends the list.
    let caches = (0..16).map(|index| __cpuid_count(leaf, index)).take_while(|cache| cache.eax & 0x1f != 0);
    // Not one of instructions, which is of type 2.
    let mut second = caches.filter(|cache| cache.eax & 0x1f != 2 && cache.eax >> 5 & 7 == 2);
    second.next().map(|cache| {
        let field = |shift: u32, mask: u32| (cache.ebx >> shift & mask) as usize + 1;
        field(22, 0x3ff) * field(12, 0x3ff) * field(0, 0xfff) * (cache.ecx as usize + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_that_of_the_system() {
        let size = l2_bytes();
        assert!(size.is_multiple_of(1 << 10), "{size}");
        // Where both tell; Linux in KiB.
        let of_linux = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index2/size");
        if let (Some(detected), Ok(text)) = (detected(), of_linux) {
            let kib: usize = text.trim().trim_end_matches('K').parse().expect("a size in KiB");
            assert_eq!(detected, kib << 10);
            assert_eq!(size, detected.clamp(1 << 18, 1 << 22));
        }
    }
}
