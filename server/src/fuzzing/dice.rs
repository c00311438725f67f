//! Choices made by an input: as long as there are bytes they decide, after that everything is zero.

pub(super) struct Dice<'i>(pub(super) &'i [u8]);

impl<'i> Dice<'i> {
    pub(super) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    /// A number below `limit`, which is at most 256.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    pub(super) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Up to so many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// So many bytes.
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.bytes(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
