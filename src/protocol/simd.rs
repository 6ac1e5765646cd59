//! Where a JSON string stops being plain: its end, an escape, a control character that must not be there (RFC 8259
//! section 7). Sixteen bytes are asked at once, by SSE2 or NEON where there is one.

use wide::u8x16;

/// Bytes that are asked at once.
pub(super) const WIDTH: usize = 16;

/// One bit for each byte of the block, the first one's lowest: whether it is `"`, `\` or below 0x20.
#[inline]
pub(super) fn places(block: [u8; WIDTH]) -> u32 {
    special(block).to_bitmask()
}

/// Whether no byte of two blocks is such a one. Asked together, they cost little more than one.
#[inline]
pub(super) fn are_plain(blocks: &[u8; 2 * WIDTH]) -> bool {
    let (halves, _) = blocks.as_chunks::<WIDTH>();
    (special(halves[0]) | special(halves[1])).to_bitmask() == 0
}

#[inline]
fn special(block: [u8; WIDTH]) -> u8x16 {
    let block = u8x16::new(block);
    let ends = block.simd_eq(u8x16::splat(b'"')) | block.simd_eq(u8x16::splat(b'\\'));
    ends | block.simd_lt(u8x16::splat(0x20))
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

    #[test]
    fn two_blocks_are_plain_where_every_byte_is() {
        for byte in 0..=u8::MAX {
            for place in 0..2 * WIDTH {
                let mut blocks = [b'a'; 2 * WIDTH];
                blocks[place] = byte;
                let (first, second) = blocks.split_at(WIDTH);
                let each = [first, second].map(|block| places(block.try_into().expect("a block")));
                assert_eq!(are_plain(&blocks), each == [0, 0], "{byte:#x} at {place}");
            }
        }
    }
}
