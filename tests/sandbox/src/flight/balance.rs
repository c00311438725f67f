//! Which servers one query tries, and in which order; decided before the first is dialled.

use crate::options::Profile;

/// The value of the parameter `loadBalancing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Balancing {
    /// Always the first, the next ones only when it is down.
    None,
    RoundRobin,
    Random,
}

impl Balancing {
    /// Reads the parameter; without it there is no balancing.
    pub(crate) fn parse(value: Option<&str>) -> Result<Self, String> {
        match value {
            None | Some("none") => Ok(Self::None),
            Some("round-robin") => Ok(Self::RoundRobin),
            Some("random") => Ok(Self::Random),
            Some(other) => Err(format!(
                "`loadBalancing` is `{other}`, but must be none, round-robin or random"
            )),
        }
    }
}

/// The indices of the servers to try, one after the other as long as each cannot be reached. `turn` is the number of
/// the query, or a random number for [`Balancing::Random`].
pub(crate) fn order(balancing: Balancing, profile: Profile, servers: usize, turn: usize) -> Vec<usize> {
    if servers == 0 {
        return Vec::new();
    }
    let (first, tried) = match (balancing, profile) {
        (Balancing::None, Profile::Strict | Profile::Lenient) => (0, servers),
        (Balancing::RoundRobin | Balancing::Random, Profile::Lenient) => (turn % servers, servers),
        (Balancing::RoundRobin | Balancing::Random, Profile::Strict) => (turn % servers, 1),
    };
    (first..first + tried).map(|index| index % servers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_falls_over_without_balancing_only() {
        assert_eq!(order(Balancing::None, Profile::Strict, 3, 7), [0, 1, 2]);
        assert_eq!(order(Balancing::RoundRobin, Profile::Strict, 3, 7), [1]);
        assert_eq!(order(Balancing::Random, Profile::Strict, 3, 8), [2]);
    }

    #[test]
    fn lenient_always_falls_over_from_where_it_starts() {
        assert_eq!(order(Balancing::None, Profile::Lenient, 3, 7), [0, 1, 2]);
        assert_eq!(order(Balancing::RoundRobin, Profile::Lenient, 3, 7), [1, 2, 0]);
        assert_eq!(order(Balancing::Random, Profile::Lenient, 2, 3), [1, 0]);
        assert!(order(Balancing::Random, Profile::Lenient, 0, 3).is_empty());
    }

    #[test]
    fn reads_the_parameter() {
        assert_eq!(Balancing::parse(None), Ok(Balancing::None));
        assert_eq!(Balancing::parse(Some("round-robin")), Ok(Balancing::RoundRobin));
        assert!(
            Balancing::parse(Some("roundRobin"))
                .unwrap_err()
                .contains("`roundRobin`")
        );
    }
}
