//! Masking (RFC 6455 section 5.3).

/// The generator's only key. A browser draws a new one for each frame; a server's work is the same for every key but
/// zero, which some could skip. A constant spares the generator the random numbers.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Masks or unmasks `data` in place: the operation is its own inverse.
pub fn apply(data: &mut [u8], key: [u8; 4]) {
    let wide = u64::from(u32::from_ne_bytes(key));
    let wide = wide | (wide << 32);
    let mut chunks = data.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let word = u64::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3], chunk[4], chunk[5], chunk[6], chunk[7]]);
        chunk.copy_from_slice(&(word ^ wide).to_ne_bytes());
    }
    for (byte, k) in chunks.into_remainder().iter_mut().zip(key.iter().cycle()) {
        *byte ^= k;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_equals_the_definition_and_undoes_itself() {
        for length in 0..70usize {
            let clear: Vec<u8> = (0..length as u8).map(|i| i.wrapping_mul(37)).collect();
            let mut data = clear.clone();
            apply(&mut data, KEY);
            let defined: Vec<u8> = clear.iter().enumerate().map(|(i, o)| o ^ KEY[i % 4]).collect();
            assert_eq!(data, defined);
            apply(&mut data, KEY);
            assert_eq!(data, clear);
        }
    }
}
