//! How kinds of tasks share what is scarce: the slots to run on, and the places in line.
//!
//! The rule: there is a common stock, and a reserve of a quarter on top. Out of the common stock everybody takes what
//! there is; so one kind by itself gets all of it, and no more. Once it is used up, only kinds that hold less than their
//! fair share (the common stock divided by the kinds that hold or want something) take from the reserve. Whatever is
//! given back then refills the reserve first. So a kind that filled every slot for as long as it likes delays nobody:
//! the next kind that comes runs at once, grows to its fair share as the first one's calls end, and when both have
//! theirs the reserve is free again, for a third.
//!
//! A stock of one has no reserve: who asks for one call at a time means it.

/// A stock that kinds share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    common: usize,
    reserve: usize,
}

impl Shares {
    /// So much for one kind by itself.
    pub(super) const fn new(common: usize) -> Self {
        let reserve = if common > 1 { common.div_ceil(4) } else { 0 };
        Self { common, reserve }
    }

    /// What all kinds together hold at most.
    pub(super) const fn total(self) -> usize {
        self.common.saturating_add(self.reserve)
    }

    /// Whether a kind that holds `own` may take one more, when all kinds together hold `used`, and `active` kinds (this
    /// one included; counted when it matters) hold or want something.
    pub(super) fn admit(self, used: usize, own: usize, active: impl FnOnce() -> usize) -> bool {
        used < self.common || (used < self.total() && own < self.fair(active()))
    }

    /// What each of so many kinds may hold when all want all they can get.
    fn fair(self, active: usize) -> usize {
        (self.common / active.max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_kind_gets_the_common_stock_and_no_more() {
        for common in [0, 1, 2, 4, 32] {
            let shares = Shares::new(common);
            let held = (0..100).take_while(|&held| shares.admit(held, held, || 1)).count();
            assert_eq!(held, common);
        }
    }

    #[test]
    fn a_newcomer_gets_its_part_of_what_another_kind_filled() {
        let shares = Shares::new(32);
        let got = (0..100).take_while(|&own| shares.admit(32 + own, own, || 2)).count();
        assert_eq!(got, 8);
        assert!(
            !shares.admit(39, 32, || 2),
            "the first gets nothing back until the reserve is full again"
        );
        assert!(shares.admit(31, 31, || 2));
    }

    #[test]
    fn one_at_a_time_means_one() {
        assert!(!Shares::new(1).admit(1, 0, || 2));
        assert!(Shares::new(2).admit(2, 0, || 2));
    }

    proptest! {
        #[test]
        fn no_order_of_takers_passes_the_total(common in 0_usize..50, takers in prop::collection::vec(0_usize..6, 0..200)) {
            let shares = Shares::new(common);
            let mut held = [0_usize; 6];
            for taker in takers {
                let active = held.iter().enumerate().filter(|&(kind, &n)| n > 0 || kind == taker).count();
                if shares.admit(held.iter().sum(), held[taker], || active) {
                    held[taker] += 1;
                }
                prop_assert!(held.iter().sum::<usize>() <= shares.total());
                prop_assert!(held.iter().all(|&own| own <= common));
            }
        }
    }
}
