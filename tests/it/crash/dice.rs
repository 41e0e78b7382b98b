//! Chance that can be repeated.

/// Random numbers from a seed (`SplitMix64`): the same ones on every machine and with every version of every library.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice for somebody who rolls beside others, so that nobody's luck hangs on who is quicker.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.roll())
    }

    /// A number from `from` to `to`, both included.
    pub(crate) fn number(&mut self, from: u32, to: u32) -> u32 {
        let span = u64::from(to.saturating_sub(from)) + 1;
        from + u32::try_from(self.roll() % span).unwrap_or(0)
    }

    /// True so many times in a hundred.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.number(0, 99) < percent
    }

    /// One of these; none of nothing.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let last = u32::try_from(of.len().checked_sub(1)?).ok()?;
        of.get(usize::try_from(self.number(0, last)).ok()?)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
