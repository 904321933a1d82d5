//! Client secrets: argon2id hashing and checking in bounded memory.
//!
//! One hash with default parameters fills 19 MiB. A semaphore alone does not bound the memory, because the allocator
//! keeps the freed blocks of every thread that ever hashed (991 MiB were measured with two permits). So a permit here
//! *is* a preallocated buffer, and the number of buffers never changes.
//!
//! Every call blocks for tens of milliseconds and may also wait for a permit, so call it from a blocking thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub use argon2::Params;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Version};
use secrecy::zeroize::{Zeroize, Zeroizing};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::refresh::random_bytes;

/// How many callers may wait for a permit; the next one gets [`Error::Busy`].
const MAX_WAITING: usize = 64;
/// The largest `m` (KiB) that a stored hash may ask for: 256 MiB.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// The largest `m * t` (KiB written) that a stored hash may ask for: 4 GiB, some seconds of work.
const MAX_WORK_KIB: u64 = 16 * MAX_MEMORY_KIB as u64;

/// Why a secret was neither hashed nor checked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many callers wait already; the client should try again in a second or so.
    #[error("too many secrets are being checked at once")]
    Busy,
    /// No secret can be checked against the stored text; the reason never quotes the text. Deny the login and log it.
    #[error("the stored secret is unusable: {0}")]
    Corrupt(&'static str),
    /// An empty secret is never hashed.
    #[error("a secret must not be empty")]
    Empty,
    /// The parameters given to [`Passwords::with_params`] exceed what a stored hash may ask for.
    #[error("the argon2 parameters exceed the limit")]
    Excessive,
    /// There is no memory for a buffer.
    #[error("there is not enough memory to hash a secret")]
    OutOfMemory,
    /// The operating system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// argon2 refused its input.
    #[error("the secret could not be hashed: {0}")]
    Hashing(#[from] argon2::Error),
    /// The result could not be written as a PHC string.
    #[error("the hash could not be encoded: {0}")]
    Encoding(#[from] argon2::password_hash::Error),
}

/// The costs of bcrypt; each step doubles the work.
const COSTS: std::ops::RangeInclusive<u32> = 4..=31;
/// The check of a hash above this cost takes longer than most callers wait: 2^16 rounds take some seconds.
const HIGHEST_QUICK: u32 = 16;
/// A hash above this cost is never checked, because one guess would occupy a processor for hours: 2^24 rounds take a quarter
/// of an hour.
const HIGHEST_CHECKED: u32 = 24;

/// How long the check of a stored hash takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Seconds at most: [`Passwords::verify`].
    Quick,
    /// Longer than a caller waits, at most about a quarter of an hour: [`check_slow`].
    Slow,
    /// Hours or days, so nobody can log in with it.
    Hopeless,
}

impl Effort {
    /// Of a stored text, argon2id or bcrypt.
    #[must_use]
    pub fn of(stored: &str) -> Self {
        match bcrypt_cost(stored) {
            Ok(cost) if cost > HIGHEST_CHECKED => Self::Hopeless,
            Ok(cost) if cost > HIGHEST_QUICK => Self::Slow,
            _ => Self::Quick,
        }
    }

    /// What a login with such a hash is like, if it is unusual.
    #[must_use]
    pub const fn remark(self) -> Option<&'static str> {
        match self {
            Self::Quick => None,
            Self::Slow => Some(
                "the cost of its bcrypt hash is so high that its first login may have to be repeated after some minutes",
            ),
            Self::Hopeless => Some(
                "the cost of its bcrypt hash is so high that one login would take hours: it cannot log in here until \
                 client-admin set-secret gives it a new secret",
            ),
        }
    }
}

/// The cost of a bcrypt hash, `$2b$08$` and 53 characters; else what is wrong with it, without repeating it.
///
/// # Errors
/// The end of a sentence that begins with the name of the hash.
pub fn bcrypt_cost(hash: &str) -> Result<u32, String> {
    let cost = || {
        let ["", "2a" | "2b" | "2y", cost, rest] = hash.split('$').collect::<Vec<_>>()[..] else {
            return None;
        };
        cost.parse().ok().filter(|cost| COSTS.contains(cost) && rest.len() == 53)
    };
    cost().ok_or_else(|| "is not a bcrypt hash".to_owned())
}

/// Checks a secret against a bcrypt hash of any cost, on this thread and with no permit. Blocks for minutes.
///
/// # Errors
/// [`Error::Corrupt`].
pub fn check_slow(stored: &str, secret: &SecretString) -> Result<Verdict, Error> {
    check_bcrypt(stored, secret.expose_secret().as_bytes())
}

fn check_bcrypt(stored: &str, secret: &[u8]) -> Result<Verdict, Error> {
    match bcrypt::verify(secret, stored) {
        Ok(true) => Ok(Verdict::MatchNeedsRehash),
        Ok(false) => Ok(Verdict::Mismatch),
        Err(_) => Err(Error::Corrupt("it is malformed bcrypt")),
    }
}

/// Whether a secret is the one that was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The right secret.
    Match,
    /// The right secret, but it is stored as bcrypt or with weaker parameters: store [`Passwords::hash`] of it.
    MatchNeedsRehash,
    /// The wrong secret, or no such client.
    Mismatch,
}

/// `min(cores, 2)`, because more permits cost 19 MiB each and starve the threads that serve requests.
#[must_use]
pub fn default_permits() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(2))
}

/// Hashes and checks client secrets, at most `permits` at a time.
pub struct Passwords {
    params: Params,
    /// The hash against which the secret of an unknown client is checked. No secret matches it.
    dummy: PasswordHash,
    pool: Pool,
}

impl Passwords {
    /// Hashes with argon2id, m=19456 KiB, t=2, p=1. Takes 19 MiB for each of `permits` (at least 1) when it is first
    /// needed.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::Random`].
    pub fn new(permits: usize) -> Result<Self, Error> {
        Self::with_params(Params::default(), permits)
    }

    /// The same with other parameters; tests use `Params::new(8, 1, 1, None)`.
    ///
    /// # Errors
    /// [`Error::Excessive`], [`Error::OutOfMemory`], [`Error::Random`].
    pub fn with_params(params: Params, permits: usize) -> Result<Self, Error> {
        if !affordable(&params) {
            return Err(Error::Excessive);
        }
        let dummy = phc(&params, &random_bytes::<16>()?, &random_bytes::<32>()?)?;
        let pool = Pool::new(permits.max(1), params.block_count());
        Ok(Self { params, dummy, pool })
    }

    /// A PHC string (`$argon2id$v=19$m=..,t=..,p=..$salt$hash`) with a fresh salt.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Busy`], [`Error::Random`].
    pub fn hash(&self, secret: &SecretString) -> Result<String, Error> {
        let secret = secret.expose_secret().as_bytes();
        if secret.is_empty() {
            return Err(Error::Empty);
        }
        let salt = random_bytes::<16>()?;
        let mut output = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
        let mut permit = self.pool.acquire()?;
        argon2id(&self.params, Version::V0x13).hash_password_into_with_memory(
            secret,
            &salt,
            &mut *output,
            &mut permit.blocks[..],
        )?;
        Ok(phc(&self.params, &salt, &*output)?.to_string())
    }

    /// Checks `secret` against the stored argon2id or bcrypt text; `None` stands for an unknown client.
    ///
    /// Unknown clients and unusable hashes take as long as a real check, so that the time does not tell which ids
    /// exist. (A client whose hash is still bcrypt can be told apart, because its hash has a cost of its own.) bcrypt
    /// reads only the first 72 bytes of a secret, as the Python servers that stored it did. Any cost is accepted, so the caller
    /// asks for the [`Effort`] first.
    ///
    /// # Errors
    /// [`Error::Busy`]; [`Error::Corrupt`], on which the login is denied and logged; [`Error::OutOfMemory`].
    pub fn verify(&self, stored: Option<&str>, secret: &SecretString) -> Result<Verdict, Error> {
        let secret = secret.expose_secret().as_bytes();
        // This is decided before `stored` is looked at, so the short cut tells nothing about it.
        if secret.is_empty() {
            return Ok(Verdict::Mismatch);
        }
        let mut permit = self.pool.acquire()?;
        let Some(stored) = stored else {
            self.check_argon2(&self.dummy, secret, &mut permit.blocks)?;
            return Ok(Verdict::Mismatch);
        };
        let verdict = self.check(stored, secret, &mut permit.blocks);
        if matches!(verdict, Err(Error::Corrupt(_))) {
            self.check_argon2(&self.dummy, secret, &mut permit.blocks)?;
        }
        verdict
    }

    fn check(&self, stored: &str, secret: &[u8], blocks: &mut [Block]) -> Result<Verdict, Error> {
        if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| stored.starts_with(prefix)) {
            return check_bcrypt(stored, secret);
        }
        match PasswordHash::new(stored) {
            Ok(hash) if hash.algorithm == ARGON2ID_IDENT => {
                self.check_argon2(&hash, secret, blocks)
            }
            _ => Err(Error::Corrupt("it is neither argon2id nor bcrypt")),
        }
    }

    fn check_argon2(
        &self,
        stored: &PasswordHash,
        secret: &[u8],
        blocks: &mut [Block],
    ) -> Result<Verdict, Error> {
        let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
            return Err(Error::Corrupt("its argon2 salt or hash is missing"));
        };
        let version = stored.version.map_or(Ok(Version::default()), Version::try_from);
        let (Ok(version), Ok(params)) = (version, Params::try_from(stored)) else {
            return Err(Error::Corrupt("its argon2 parameters are unknown"));
        };
        if !affordable(&params) {
            return Err(Error::Corrupt("its argon2 parameters exceed the limit"));
        }

        // A hash from elsewhere may need more memory than a buffer of the pool has; there is still one such hash per
        // permit.
        let mut larger;
        let blocks = if params.block_count() > blocks.len() {
            larger = allocate(params.block_count())?;
            &mut larger[..]
        } else {
            blocks
        };
        let mut buffer = Zeroizing::new([0; Output::MAX_LENGTH]);
        let output = &mut buffer[..expected.len()];
        argon2id(&params, version).hash_password_into_with_memory(secret, salt, output, blocks)?;

        let weaker = params.m_cost() < self.params.m_cost()
            || params.t_cost() < self.params.t_cost()
            || expected.len() < Params::DEFAULT_OUTPUT_LEN
            || version < Version::default();
        Ok(match (bool::from(output.ct_eq(expected.as_bytes())), weaker) {
            (true, false) => Verdict::Match,
            (true, true) => Verdict::MatchNeedsRehash,
            (false, _) => Verdict::Mismatch,
        })
    }
}

fn argon2id(params: &Params, version: Version) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, version, params.clone())
}

fn phc(params: &Params, salt: &[u8], output: &[u8]) -> Result<PasswordHash, Error> {
    Ok(PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params)?,
        salt: Some(Salt::new(salt).map_err(argon2::password_hash::Error::from)?),
        hash: Some(Output::new(output).map_err(argon2::password_hash::Error::from)?),
    })
}

/// A stored hash states its own cost; a mistyped or hostile one must not occupy the machine.
fn affordable(params: &Params) -> bool {
    params.m_cost() <= MAX_MEMORY_KIB
        && u64::from(params.m_cost()) * u64::from(params.t_cost()) <= MAX_WORK_KIB
}

type Blocks = Zeroizing<Vec<Block>>;

fn allocate(count: usize) -> Result<Blocks, Error> {
    let mut blocks = Vec::new();
    blocks.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
    blocks.resize(count, Block::new());
    Ok(Zeroizing::new(blocks))
}

/// The buffers; each running hash borrows one. A server that nobody has logged in to has none.
struct Pool {
    blocks: usize,
    state: Mutex<PoolState>,
    returned: Condvar,
}

struct PoolState {
    /// `None` stands for a buffer that was not needed yet.
    free: Vec<Option<Blocks>>,
    waiting: usize,
}

impl Pool {
    fn new(permits: usize, blocks: usize) -> Self {
        let free = (0..permits).map(|_| None).collect();
        let state = Mutex::new(PoolState { free, waiting: 0 });
        Self { blocks, state, returned: Condvar::new() }
    }

    fn acquire(&self) -> Result<Permit<'_>, Error> {
        let mut state = self.lock();
        if state.free.is_empty() && state.waiting >= MAX_WAITING {
            return Err(Error::Busy);
        }
        state.waiting += 1;
        loop {
            // The buffer that was returned last, so that the others are not touched while one login runs at a time.
            if let Some(blocks) = state.free.pop() {
                state.waiting -= 1;
                drop(state);
                return self.permit(blocks);
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn permit(&self, blocks: Option<Blocks>) -> Result<Permit<'_>, Error> {
        let mut permit = Permit { pool: self, blocks: blocks.unwrap_or_default() };
        if permit.blocks.is_empty() {
            // On failure it is dropped, which returns the permit.
            permit.blocks = allocate(self.blocks)?;
        }
        Ok(permit)
    }

    /// Poison is ignored, because nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The permit to hash, and the memory for it. Dropping it returns both, even when hashing panics.
struct Permit<'a> {
    pool: &'a Pool,
    blocks: Blocks,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // The blocks hold values that are derived from the secret. `Vec::zeroize` would also empty the vector.
        self.blocks.iter_mut().zeroize();
        let blocks = std::mem::take(&mut self.blocks);
        let returned = (!blocks.is_empty()).then_some(blocks);
        self.pool.lock().free.push(returned);
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests;
