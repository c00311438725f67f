//! Tokens that were found good, so that a caller's next call need not have the signature verified again: that takes many
//! times as long as everything else about a token.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::keys::KeySet;
use crate::auth::Identity;

/// Tokens that are kept. With more callers than that at a time, all are forgotten, and verified once again.
const MAX_TOKENS: usize = 256;

/// The callers of good tokens, by digests of the tokens, for as long as the keys that verified them are those in use.
#[derive(Default)]
pub(super) struct KnownTokens(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// What the tokens were verified with.
    keys: Option<Arc<KeySet>>,
    callers: HashMap<TokenDigest, Caller>,
}

struct Caller {
    identity: Identity,
    /// When the token expires, in seconds since the epoch.
    expires: u64,
}

type TokenDigest = [u8; 32];

fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

impl KnownTokens {
    /// Whose token this is, if these keys verified it before and it has not expired; a leeway is for others to grant.
    pub(super) fn find(&self, token: &str, keys: &Arc<KeySet>, now: u64) -> Option<Identity> {
        let token = digest(token);
        let known = self.lock();
        let same_keys = known.keys.as_ref().is_some_and(|verified| Arc::ptr_eq(verified, keys));
        let caller = known.callers.get(&token).filter(|_| same_keys)?;
        (now < caller.expires).then(|| caller.identity.clone())
    }

    /// Keeps whose token this is, which these keys verified.
    pub(super) fn keep(&self, token: &str, keys: &Arc<KeySet>, identity: &Identity, expires: u64) {
        let token = digest(token);
        let mut known = self.lock();
        let same_keys = known.keys.as_ref().is_some_and(|verified| Arc::ptr_eq(verified, keys));
        if !same_keys {
            known.keys = Some(Arc::clone(keys));
        }
        if !same_keys || known.callers.len() >= MAX_TOKENS {
            known.callers.clear();
        }
        let identity = identity.clone();
        known.callers.insert(token, Caller { identity, expires });
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KnownTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownTokens({} tokens)", self.lock().callers.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_known_until_they_expire_or_the_keys_change() {
        let known = KnownTokens::default();
        let (keys, others) = (Arc::new(KeySet::default()), Arc::new(KeySet::default()));
        let ann = Identity::named("ann");
        assert_eq!(known.find("token", &keys, 99), None);
        known.keep("token", &keys, &ann, 100);
        assert_eq!(known.find("token", &keys, 99), Some(ann.clone()));
        assert_eq!(known.find("token", &keys, 100), None);
        assert_eq!(known.find("another", &keys, 99), None);
        assert_eq!(known.find("token", &others, 99), None);
        known.keep("another", &others, &ann, 100);
        assert_eq!(known.find("token", &others, 99), None, "other keys did not verify it");
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let known = KnownTokens::default();
        let keys = Arc::new(KeySet::default());
        for number in 0..3 * MAX_TOKENS {
            known.keep(&number.to_string(), &keys, &Identity::token(), 100);
            assert!(known.lock().callers.len() <= MAX_TOKENS);
            assert!(known.find(&number.to_string(), &keys, 1).is_some());
        }
        assert_eq!(format!("{known:?}"), format!("KnownTokens({MAX_TOKENS} tokens)"));
    }
}
