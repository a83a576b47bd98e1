//! The arithmetic coder: decisions in, bytes out, and back.

/// One way or the other.
pub(super) trait Coder {
    /// Codes a decision, given how probable a one is, in 1/65,536. Says what it was: an encoder
    /// repeats `bit`, a decoder does not look at it.
    fn code(&mut self, bit: u32, one: u32) -> u32;
}

/// What is left of the range between 0 and 1, as 32 bits each. A one takes the lower share.
struct Range {
    low: u32,
    high: u32,
}

impl Range {
    const WHOLE: Self = Self { low: 0, high: u32::MAX };

    /// The last point of a one's share.
    fn split(&self, one: u32) -> u32 {
        self.low + ((u64::from(self.high - self.low) * u64::from(one)) >> 16) as u32
    }

    fn take(&mut self, bit: u32, split: u32) {
        if bit == 1 {
            self.high = split;
        } else {
            self.low = split + 1;
        }
    }

    /// Drops the highest byte when both ends agree on it, and says which it was.
    fn settled(&mut self) -> Option<u8> {
        if (self.low ^ self.high) >> 24 != 0 {
            return None;
        }
        let byte = (self.high >> 24) as u8;
        self.low <<= 8;
        self.high = self.high << 8 | 0xFF;
        Some(byte)
    }
}

/// Writes.
pub(super) struct Encoder {
    range: Range,
    code: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { range: Range::WHOLE, code: Vec::new() }
    }
}

impl Encoder {
    /// The code, with as much of the last point as tells it from all others.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.code.extend_from_slice(&self.range.high.to_be_bytes());
        self.code
    }
}

impl Coder for Encoder {
    fn code(&mut self, bit: u32, one: u32) -> u32 {
        let split = self.range.split(one);
        self.range.take(bit, split);
        while let Some(byte) = self.range.settled() {
            self.code.push(byte);
        }
        bit
    }
}

/// Reads. Behind the end of the code there are zeros.
pub(super) struct Decoder<'a> {
    range: Range,
    point: u32,
    code: std::slice::Iter<'a, u8>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(code: &'a [u8]) -> Self {
        let mut decoder = Self { range: Range::WHOLE, point: 0, code: code.iter() };
        (0..4).for_each(|_| decoder.shift());
        decoder
    }

    fn shift(&mut self) {
        self.point = self.point << 8 | u32::from(self.code.next().copied().unwrap_or(0));
    }
}

impl Coder for Decoder<'_> {
    fn code(&mut self, _: u32, one: u32) -> u32 {
        let split = self.range.split(one);
        let bit = u32::from(self.point <= split);
        self.range.take(bit, split);
        while self.range.settled().is_some() {
            self.shift();
        }
        bit
    }
}
