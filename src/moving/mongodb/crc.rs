//! The sum that an archive has of each collection: CRC-64/XZ.

const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut n: usize = 0;
    while n < 256 {
        let mut value = n as u64;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xC96C_5795_D787_0F42 } else { value >> 1 };
            bit += 1;
        }
        table[n] = value;
        n += 1;
    }
    table
};

/// A sum under way.
#[derive(Clone, Copy)]
pub(super) struct Crc(u64);

impl Default for Crc {
    fn default() -> Self {
        Self(!0)
    }
}

impl Crc {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let [low, ..] = (self.0 ^ u64::from(*byte)).to_le_bytes();
            self.0 = TABLE[usize::from(low)] ^ (self.0 >> 8);
        }
    }

    pub(super) const fn sum(self) -> u64 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_the_catalogue() {
        let mut crc = Crc::default();
        crc.update(b"12345");
        crc.update(b"6789");
        assert_eq!(crc.sum(), 0x995D_C9BB_DF19_39FA);
    }
}
