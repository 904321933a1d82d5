//! The list of all settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::value::{LogFormat, Mode, Origins, Proxies, Size, Span};
use super::{Env, Error};

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty, $value:literal;)*) => {
        /// What one source says: a flag `--a-b`, a variable `TESTFLINGER_A_B`, a key `a_b` in the file.
        #[derive(Clone, Debug, Default, Deserialize, clap::Args)]
        #[serde(default, deny_unknown_fields)]
        pub struct Raw {
            $($(#[doc = $doc])+ #[arg(long, value_name = $value)] pub $name: Option<$type>,)*
        }

        impl Raw {
            /// What this source says, and where it says nothing what `other` says.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)* }
            }

            /// What the environment says.
            ///
            /// # Errors
            /// The variable whose value is unusable.
            pub fn from_env(env: &Env) -> Result<Self, Error> {
                Ok(Self { $($name: variable(env, stringify!($name))?,)* })
            }
        }
    };
}

settings! {
    /// Where everything is kept
    data_dir: PathBuf, "DIR";
    /// Where to listen; port 0 picks a free one [default: 127.0.0.1:8000]
    listen: SocketAddr, "ADDR:PORT";
    /// What callers without a token may do: open, contributor or locked [default: open]
    access: Mode, "MODE";
    /// Networks of proxies whose X-Forwarded-For is believed, separated by commas
    trusted_proxies: Proxies, "CIDR,..";
    /// Where job events may be sent: schemes and hosts, separated by commas
    /// [default: anywhere in open mode, else nowhere]
    webhook_url: Origins, "URL,..";
    /// A file with the bearer token for webhooks
    webhook_auth_file: PathBuf, "FILE";
    /// A file with the key that signs tokens [default: one that the server makes for itself]
    jwt_signing_key_file: PathBuf, "FILE";
    /// The database's page cache [default: 64MiB]
    cache_size: Size, "SIZE";
    /// The largest JSON body [default: 16MiB]
    max_json_size: Size, "SIZE";
    /// The largest result, logs included [default: 64MiB]
    max_result_size: Size, "SIZE";
    /// The largest uploaded file [default: 8GiB]
    max_upload_size: Size, "SIZE";
    /// How long finished jobs are kept [default: 7d]
    keep_jobs: Span, "TIME";
    /// How long artifacts and attachments are kept [default: 7d]
    keep_files: Span, "TIME";
    /// How long agents that say nothing are kept [default: 7d]
    keep_agents: Span, "TIME";
    /// How long queues that nobody advertises are kept [default: 7d]
    keep_queues: Span, "TIME";
    /// How long output that is read once waits for its reader [default: 4h]
    keep_output: Span, "TIME";
    /// How long an agent that asks for a job is held until there is one; 0 for not at all [default: 20s]
    hold: Span, "TIME";
    /// How long after it got a job an agent may take to acknowledge it [default: 2m]
    acknowledge_within: Span, "TIME";
    /// How long an agent with a job may be silent before that is noted [default: 150s]
    suspect_after: Span, "TIME";
    /// How long an agent with a job may be silent before the job ends [default: 30m]
    lost_after: Span, "TIME";
    /// How long refresh tokens that nobody uses are kept [default: 90d]
    keep_refresh_tokens: Span, "TIME";
    /// How long requests may go on after SIGTERM [default: 20s]
    shutdown_timeout: Span, "TIME";
    /// How log lines look: text or json [default: text]
    log_format: LogFormat, "FORMAT";
    /// Which log lines are written: error, warn, info, debug, trace, or a filter by module [default: info]
    log: String, "FILTER";
}

fn variable<T: FromStr<Err: std::fmt::Display>>(env: &Env, key: &str) -> Result<Option<T>, Error> {
    let name = format!("TESTFLINGER_{}", key.to_ascii_uppercase());
    let Some(value) = env.get(&name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    value.parse().map(Some).map_err(|error: T::Err| Error::Variable {
        name,
        value: value.clone(),
        message: error.to_string(),
    })
}
