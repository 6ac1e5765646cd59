//! Where a JSON string stops being plain: its end, an escape, a control character that must not be there (RFC 8259
//! section 7). Sixteen bytes are asked at once, by SSE2 or NEON where there is one.

use wide::u8x16;

/// Bytes that are asked at once.
pub(super) const WIDTH: usize = 16;

/// One bit for each byte of the block, the first one's lowest: whether it is `"`, `\` or below 0x20.
#[inline]
pub(super) fn places(block: [u8; WIDTH]) -> u32 {
    let block = u8x16::new(block);
    let ends = block.simd_eq(u8x16::splat(b'"')) | block.simd_eq(u8x16::splat(b'\\'));
    (ends | block.simd_lt(u8x16::splat(0x20))).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_judged_alike_in_every_place() {
        for byte in 0..=u8::MAX {
            let special = byte < 0x20 || byte == b'"' || byte == b'\\';
            for place in 0..WIDTH {
                let mut block = [b'a'; WIDTH];
                block[place] = byte;
                assert_eq!(places(block), u32::from(special) << place, "{byte:#x} at {place}");
            }
        }
        assert_eq!(places([b'"'; WIDTH]), 0xFFFF);
    }
}
