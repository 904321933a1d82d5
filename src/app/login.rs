//! Clients log in, and are known by their tokens afterwards.

use std::time::Duration;

use secrecy::SecretString;

use super::audit::{Event, Source};
use super::{App, Error, Result};
use crate::auth::passwords::{self, Effort, Verdict};
use crate::auth::refresh::RefreshToken;
use crate::auth::throttle::{Guess, Wait};
use crate::auth::{Identity, Permissions, jwt};
use crate::domain::{Client, ClientId};
use crate::ops;
use crate::store::ClientReads;

/// How far the clocks of this server and of whoever issued a token may differ, seconds.
const LEEWAY: u32 = 5;
/// How long a login waits for others to be judged.
pub(super) const LONGEST_TURN: Duration = Duration::from_secs(10);
/// How long an access token lives, seconds.
pub const TOKEN_LIFETIME: u32 = 600;

impl App {
    /// The client with this id and secret. An unknown id costs the same time as a wrong secret, and whoever guesses is
    /// slowed down.
    pub async fn log_in(
        &self,
        id: &str,
        secret: SecretString,
        source: Source<'_>,
    ) -> Result<Client> {
        let guess = self.guess(id, source).await?;
        let known = ClientId::try_from(id.to_owned()).ok();
        let client = known.map(|id| self.read(|tx| tx.client(&id))).transpose()?.flatten();
        let judged = self.judge(client.as_ref(), secret).await;
        let hash = match (guess, judged) {
            (Some(guess), Ok(Some(hash))) => {
                guess.succeeded();
                Ok(Some(hash))
            }
            // A check that was begun and goes on costs as much as a failure.
            (guess, judged @ (Ok(_) | Err(Error::SlowLogin))) => {
                drop(guess);
                judged
            }
            (guess, Err(error)) => {
                guess.into_iter().for_each(Guess::was_not_judged);
                Err(error)
            }
        };
        self.0.judged.notify_waiters();
        let Some((mut client, hash)) = client.zip(hash?) else {
            source.log(Event::LoginFail, id, "");
            self.metrics().failed_logins.inc();
            return Err(Error::WrongSecret);
        };
        source.log(Event::LoginSuccess, id, "");
        client.secret_hash = hash;
        Ok(client)
    }

    /// The hash that a client has from now on, if the secret is right: one of another kind is replaced.
    async fn judge(&self, client: Option<&Client>, secret: SecretString) -> Result<Option<String>> {
        let hash = client.map(|client| client.secret_hash.clone()).filter(|hash| !hash.is_empty());
        if let (Some(client), Some(hash)) = (client, &hash) {
            match Effort::of(hash) {
                Effort::Quick => {}
                Effort::Slow => {
                    return self.judge_slowly(client.id.clone(), hash.clone(), secret).await;
                }
                Effort::Hopeless => return Err(Error::HopelessLogin),
            }
        }
        match (self.verify(hash.clone(), secret.clone()).await?, client, hash) {
            (Verdict::Match, _, hash) => Ok(hash),
            (Verdict::MatchNeedsRehash, Some(client), Some(old)) => {
                self.replace_hash(client.id.clone(), old, secret).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Stores a new hash of a secret that is right, and gives it.
    pub(super) async fn replace_hash(
        &self,
        id: ClientId,
        old: String,
        secret: SecretString,
    ) -> Result<String> {
        let new = self.hash(secret).await?;
        let hash = new.clone();
        self.write(move |tx, _| ops::replace_hash(tx, &id, &old, &new)).await?;
        Ok(hash)
    }

    /// The right to try a secret; whoever guesses has to wait. The local administrator needs none.
    async fn guess(&self, id: &str, source: Source<'_>) -> Result<Option<Guess<'_>>> {
        let Some(address) = source.address else {
            return Ok(None);
        };
        let turn = async {
            loop {
                let judged = self.0.judged.notified();
                match self.auth().throttle.guess(id, address, self.now()) {
                    Ok(guess) => return Ok(Some(guess)),
                    Err(Wait::OthersAreJudged) => judged.await,
                    Err(Wait::Seconds(seconds)) => {
                        source.log(Event::RateLimit, id, "too many failed logins");
                        return Err(Error::TooManyFailures(seconds));
                    }
                }
            }
        };
        // A guess that is dropped wakes nobody, hence the limit.
        tokio::time::timeout(LONGEST_TURN, turn).await.unwrap_or(Err(Error::TooManyLogins))
    }

    /// A signed access token with the client's rights as they are now; it lives for [`TOKEN_LIFETIME`].
    pub fn access_token(&self, client: &Client, source: Source<'_>) -> Result<String> {
        let permissions = ops::claims(client, self.auth().incarnation(client));
        let token = jwt::issue(&self.auth().key, permissions, self.now(), TOKEN_LIFETIME);
        let token = token.map_err(|error| {
            tracing::error!(client = %client.id, %error, "no token can be issued");
            Error::Internal
        })?;
        source.log(Event::TokenCreated, client.id.as_str(), "access token");
        Ok(token)
    }

    /// A new refresh token of a client, which is remembered.
    pub async fn refresh_token(&self, client: &Client, source: Source<'_>) -> Result<RefreshToken> {
        let token = RefreshToken::generate().map_err(|error| {
            tracing::error!(%error, "the system gave no random numbers");
            Error::Internal
        })?;
        let (digest, id) = (token.digest(), client.id.clone());
        self.write(move |tx, now| ops::remember_refresh(tx, now, &digest, &id)).await?;
        source.log(Event::TokenCreated, client.id.as_str(), "refresh token");
        Ok(token)
    }

    /// The client that a refresh token belongs to, as it is now.
    pub async fn use_refresh(&self, digest: [u8; 32], source: Source<'_>) -> Result<Client> {
        let idle = self.auth().refresh_idle;
        let used = self.write(move |tx, now| ops::use_refresh(tx, now, &digest, idle)).await;
        used.inspect_err(|error| match error {
            Error::Ops(ops::Error::RevokedRefresh(client)) => {
                source.log(Event::TokenReuse, client.as_str(), "revoked refresh token");
            }
            Error::Ops(error @ ops::Error::BadRefresh(_)) => {
                source.log(Event::TokenFail, "", &error.to_string());
            }
            _ => {}
        })
    }

    /// Who an access token says that its bearer is.
    pub fn identify(&self, token: &str) -> Result<Identity> {
        let claims = jwt::verify(&self.auth().key, token, self.now(), LEEWAY)?;
        let permissions = Permissions::from_claims(claims.permissions);
        let mut permissions = permissions.ok_or(jwt::TokenError::Invalid)?;
        let client = self.read(|tx| tx.client(&permissions.client))?;
        let client = client.ok_or(jwt::TokenError::Invalid)?;
        self.check_row(&permissions, &client)?;
        permissions.agents = client.agents;
        Ok(Identity::Client(permissions))
    }

    /// Compares a token with its client as it is now. A token lives for ten minutes: without this, it would outlive its
    /// client and be good for the next one of that name, and a demoted admin could make itself an admin again.
    fn check_row(
        &self,
        permissions: &Permissions,
        client: &Client,
    ) -> std::result::Result<(), jwt::TokenError> {
        let ours = self.auth().incarnation(client);
        // Servers that share a signing key have clients of their own.
        let issued_here = |its: &&jwt::Incarnation| its.instance == ours.instance;
        let Some(its) = permissions.since.as_ref().filter(issued_here) else {
            return Ok(());
        };
        if its.at != ours.at {
            return Err(jwt::TokenError::Invalid);
        }
        if permissions.role != client.role || its.secret.is_some_and(|its| Some(its) != ours.secret)
        {
            return Err(jwt::TokenError::Outdated);
        }
        Ok(())
    }

    /// The hash of a secret.
    pub async fn hash(&self, secret: SecretString) -> Result<String> {
        let app = self.clone();
        let hashed = self.blocking(move || app.auth().passwords.hash(&secret)).await?;
        hashed.map_err(|error| unhashed(&error))
    }

    /// Checks a secret against a hash; no hash costs the same time and never matches.
    async fn verify(&self, hash: Option<String>, secret: SecretString) -> Result<Verdict> {
        let app = self.clone();
        let verify = move || app.auth().passwords.verify(hash.as_deref(), &secret);
        verdict(self.blocking(verify).await?)
    }
}

/// Nobody can log in with a hash that is unusable; that must look like any other failure from outside.
pub(super) fn verdict(checked: std::result::Result<Verdict, passwords::Error>) -> Result<Verdict> {
    match checked {
        Err(error @ passwords::Error::Corrupt(_)) => {
            tracing::error!(%error, "a stored hash is unusable");
            Ok(Verdict::Mismatch)
        }
        verdict => verdict.map_err(|error| unhashed(&error)),
    }
}

fn unhashed(error: &passwords::Error) -> Error {
    match error {
        passwords::Error::Busy => Error::TooManyLogins,
        passwords::Error::Empty => Error::EmptySecret,
        error => {
            tracing::error!(%error, "hashing failed");
            Error::Internal
        }
    }
}
