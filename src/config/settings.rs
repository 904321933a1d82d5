//! The list of all settings. A line of `settings!` is the one place that states a setting: everything else follows
//! from it, namely the flag and its help, the variable, the key in the file, the field of [`Settings`], the table in
//! `README.md` and the line in `packaging/config.toml`.

use std::cmp::Ordering;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::found::{data_dir, file, metrics_port, webhook_origins};
use super::secret::{Secret, jwt_signing_key, secrets_key, secrets_old_key, webhook_auth};
use super::value::{
    Address, AlertForm, Count, Filter, GuardedJobs, Hosts, Link, LogFormat, Mode, Origins, Pages,
    Port, Proxies, Size, Span, Switch,
};
use super::{Env, Error};

/// A setting, as documents list it.
#[cfg(test)]
pub(super) struct Setting {
    /// What the settings of its group are about.
    pub(super) about: &'static str,
    /// Its key in the file.
    pub(super) name: &'static str,
    /// What stands for its value in a synopsis.
    pub(super) value: &'static str,
    /// The default as it would be written; in words if it depends on the environment.
    pub(super) default: &'static str,
    /// Whether the default is in words.
    pub(super) in_words: bool,
    /// The default and the limits, such as `20s, at most 25s`.
    pub(super) bounds: String,
    /// What it does.
    pub(super) help: &'static str,
}

/// The variables that begin like settings and are none: the path of the file, and what the stock clients read.
const OTHER_VARIABLES: [&str; 7] = [
    "TESTFLINGER_CONFIG",
    "TESTFLINGER_SERVER",
    "TESTFLINGER_CLIENT_ID",
    "TESTFLINGER_SECRET_KEY",
    "TESTFLINGER_SECRETS_MASTER_KEY",
    "TESTFLINGER_ERROR_THRESHOLD",
    "TESTFLINGER_AGENT_CMD",
];

/// Refuses a variable that looks like a setting and is none, because a mistyped setting would be ignored.
fn refuse_unknown(env: &Env, known: &[&str]) -> Result<(), Error> {
    let ours =
        |name: &&String| name.starts_with(PREFIX) && !OTHER_VARIABLES.contains(&name.as_str());
    let unknown = |name: &&String| !known.iter().any(|key| **name == variable_name(key));
    match env.keys().filter(ours).find(unknown) {
        None => Ok(()),
        Some(name) => Err(Error::UnknownVariable(name.clone())),
    }
}

fn bounds(default: &str, least: Option<&str>, most: Option<&str>) -> String {
    let default = if default.is_empty() { "none" } else { default };
    let least = least.map(|least| format!(", at least {least}")).unwrap_or_default();
    let most = most.map(|most| format!(", at most {most}")).unwrap_or_default();
    format!("{default}{least}{most}")
}

macro_rules! optional {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

/// Each line: the name, the type as which a person writes the value, the type as which the program uses it, the default
/// and its limits, what stands for the value in a synopsis, and the help. A name before the default is a function that
/// finds the value; the default is in words then.
macro_rules! settings {
    (@used $raw:ident $env:ident $name:ident () $default:literal ($($least:literal)?) ($($most:literal)?)) => {{
        let value = given_or(stringify!($name), $raw.$name, $default)?;
        $(limit(stringify!($name), &value, Ordering::Less, ("at least", $least))?;)?
        $(limit(stringify!($name), &value, Ordering::Greater, ("at most", $most))?;)?
        value.into()
    }};
    (@used $raw:ident $env:ident $name:ident ($find:ident) $default:literal () ()) => {
        $find($raw.$name, $env)?
    };
    ($(
        $about:literal $group:ident: $Group:ident {
            $($name:ident: $written:ty as $used:ty = $($find:ident)? $default:literal
                $((at least $least:literal))? $((at most $most:literal))?,
                $value:literal, $help:literal;)*
        }
    )*) => {
        /// What one source says: a flag `--a-b`, a variable `TESTFLINGER_A_B`, a key `a_b` in the file.
        #[derive(Clone, Debug, Default, Deserialize, clap::Args)]
        #[serde(default, deny_unknown_fields)]
        pub struct Raw {
            $($(
                #[doc = $help]
                #[arg(
                    long, value_name = $value, help_heading = $about,
                    help = format!(
                        "{} [default: {}]",
                        $help,
                        bounds($default, optional!($($least)?), optional!($($most)?))
                    ),
                )]
                pub $name: Option<$written>,
            )*)*
        }

        impl Raw {
            /// This source's values, with gaps filled from `other`.
            #[must_use]
            pub(super) fn or(self, other: Self) -> Self {
                Self { $($($name: self.$name.or(other.$name),)*)* }
            }

            /// The values of the environment.
            ///
            /// # Errors
            /// [`Error::Variable`] names the variable whose value is unusable, [`Error::UnknownVariable`] one that is
            /// not a setting.
            pub(super) fn from_env(env: &Env) -> Result<Self, Error> {
                refuse_unknown(env, &[$($(stringify!($name),)*)*])?;
                Ok(Self { $($($name: variable(env, stringify!($name))?,)*)* })
            }

            /// The settings, with gaps filled by defaults.
            ///
            /// # Errors
            /// [`Error`] names the setting.
            pub(super) fn settle(self, env: &Env) -> Result<Settings, Error> {
                Ok(Settings {
                    $($group: $Group {
                        $($name: settings!(
                            @used self env $name ($($find)?) $default ($($least)?) ($($most)?)
                        ),)*
                    },)*
                })
            }
        }

        /// The settings of a server, complete and valid.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $(#[doc = $about] pub $group: $Group,)*
        }

        $(
            #[doc = $about]
            #[derive(Clone, Debug)]
            pub struct $Group {
                $(#[doc = $help] pub $name: $used,)*
            }
        )*

        /// All settings, in the order in which documents list them.
        #[cfg(test)]
        pub(super) fn all() -> Vec<Setting> {
            vec![$($(Setting {
                about: $about,
                name: stringify!($name),
                value: $value,
                default: $default,
                in_words: !stringify!($($find)?).is_empty(),
                bounds: bounds($default, optional!($($least)?), optional!($($most)?)),
                help: $help,
            },)*)*]
        }
    };
}

settings! {
    "Storage" storage: Storage {
        data_dir: PathBuf as PathBuf = data_dir
            "the first of $STATE_DIRECTORY, $SNAP_COMMON/data, $XDG_DATA_HOME/testflinger-server \
             and ~/.local/share/testflinger-server whose variable is set", "DIR",
            "The directory for everything that the server keeps, mode 0700";
        disk_reserve: Size as u64 = "512MiB", "SIZE",
            "How much space uploads leave for the database: while less is free, uploads and large \
             results are refused with status 507";
        cache_size: Size as u64 = "64MiB" (at least "1MiB"), "SIZE",
            "How much memory the database may use to cache its pages";
    }
    "Network" network: Network {
        listen: Address as SocketAddr = "127.0.0.1:8000", "ADDR:PORT",
            "The address to listen on; port 0 picks a free port, and the first log line says which";
        max_connections: Count as usize = "12288" (at least "64"), "NUMBER",
            "How many connections are served at the same time, as far as the limit of open files \
             allows; an eighth of them is kept for known callers, and one address gets at most half";
        max_watchers: Count as usize = "1000", "NUMBER",
            "How many callers may watch a job or the lab at the same time, each over a connection of \
             its own; one address gets at most half, and more are refused with status 503";
        trusted_proxies: Proxies as Vec<IpNet> = "", "CIDR,..",
            "The networks of proxies whose X-Forwarded-For header is believed, separated by commas";
        allowed_hosts: Hosts as Vec<String> = "", "NAME,..",
            "The names by which browsers may call this server, separated by commas, besides addresses, \
             names without a dot and this machine's own name";
        tls_certificate_file: PathBuf as Option<PathBuf> = file "none: plain HTTP", "FILE",
            "A file with the certificate for HTTPS in PEM form, followed by those that vouch for \
             it; needs tls_key_file. It is read again on SIGHUP";
        tls_key_file: PathBuf as Option<PathBuf> = file "none: plain HTTP", "FILE",
            "A file with the private key of the certificate in PEM form, which the server's user or \
             a group may read";
        shutdown_timeout: Span as Duration = "20s", "TIME",
            "How long requests may continue after SIGTERM";
    }
    "Access" auth: Auth {
        access: Mode as Mode = "open", "MODE",
            "What callers without a token may do: open (on a trusted network: everything except \
             administration), contributor (submit jobs and look at them; agents need a token of \
             role agent) or locked (nothing except ask for a token)";
        guarded_jobs: GuardedJobs as GuardedJobs = "restricted", "WHICH",
            "Which jobs of clients callers without a token may not cancel or send attachments for, \
             in contributor mode: restricted (those in restricted queues, and those that name \
             secrets) or all. The command line of 2025 cancels without its token";
        jwt_signing_key_file: PathBuf as Secret = jwt_signing_key
            "keys/jwt.key in the data directory, made at the first start", "FILE",
            "A file with the key that signs tokens. The variable JWT_SIGNING_KEY or the systemd \
             credential jwt_signing_key may hold the key instead";
    }
    "Pages" pages: WebPages {
        pages: Pages as Pages = "auto", "WHO",
            "Who may look at the pages in a browser: auto (as the access mode allows without a token; in \
             locked mode one logs in with the id and secret of a client), login (only who has logged \
             in), read-only (everybody, without any way to change something: for a screen on the wall) \
             or off (there are no pages)";
    }
    "Webhooks" webhooks: Webhooks {
        webhook_url: Origins as Vec<String> = webhook_origins
            "any host in open mode, otherwise none", "URL,..",
            "The origins (scheme, host and port) that job events may be sent to, separated by \
             commas. The variable WEBHOOK_URL may hold them instead";
        webhook_keep: Switch as bool = "false", "true|false",
            "Whether job events are written down, answered with 202 at once and sent in order until \
             the webhook takes them, for a day at most";
        webhook_auth_file: PathBuf as Secret = webhook_auth "no token", "FILE",
            "A file with the bearer token that is sent to webhooks. The variable WEBHOOK_AUTH or \
             the systemd credential webhook_auth may hold the token instead";
    }
    "Alerts" alerts: Alerts {
        alert_url: Link as Link = "", "URL",
            "Where alerts are sent with POST: that agents are lost, that queues with jobs have no agent, \
             that the disk fills up, that the last backup is too old, that the clock jumped. Each is \
             sent once when it begins and once when it ends";
        alert_form: AlertForm as AlertForm = "json", "FORM",
            "What is sent: json (an object whose member text is the sentence, as chats expect it) or \
             text (the sentence alone)";
        alert_backup_age: Span as Duration = "2d", "TIME",
            "How old the newest verified backup may become before that needs a person; 0s for any age";
    }
    "Secrets in jobs" secrets: JobSecrets {
        secrets_key_file: PathBuf as Secret = secrets_key
            "keys/secrets.key in the data directory, made at the first start", "FILE",
            "A file with the key that seals secrets. The variable SECRETS_KEY or the systemd \
             credential secrets_key may hold the key instead";
        secrets_old_key_file: PathBuf as Secret = secrets_old_key "no key", "FILE",
            "A file with the key that sealed secrets before: rotate-secrets-key then seals all of \
             them under the key of secrets_key_file";
        mask_secrets: Switch as bool = "true", "true|false",
            "Whether values of secrets are masked where they come back in the log, the output or \
             the result of a job; what is stored stays as the agent sent it";
    }
    "Size of requests" limits: Limits {
        max_json_size: Size as u64 = "16MiB", "SIZE",
            "The largest JSON body; a larger one is refused with status 413";
        max_result_size: Size as u64 = "64MiB", "SIZE",
            "The largest result that an agent may post, its output included";
        max_upload_size: Size as u64 = "8GiB", "SIZE",
            "The largest artifact or archive of attachments";
        max_in_flight: Size as u64 = "256MiB" (at least "16MiB"), "SIZE",
            "How much memory request bodies and answers may take together; while it is used up, \
             requests are refused with status 503";
    }
    "Agents" agents: Agents {
        hold: Span as Duration = "20s" (at most "25s"), "TIME",
            "How long an agent's request for a job is held while there is no job for it; 0s \
             answers at once. Stock agents give up after 30s";
        acknowledge_within: Span as Duration = "2m", "TIME",
            "How long an agent may take to acknowledge a job before the job goes back to its queue";
        suspect_after: Span as Duration = "150s", "TIME",
            "How long an agent that holds a job may be silent before its silence is noted";
        lost_after: Span as Duration = "30m", "TIME",
            "How long an agent that holds a job may be silent, or busy with other jobs, before the job \
             ends";
        quarantine_after: Count as usize = "0", "NUMBER",
            "How many provisionings of an agent must fail in a row, while others of its queues pass, \
             before it is set aside and gets no more jobs; 0 for never. The last agent of a queue \
             always stays, and agent-admin resume ends it";
    }
    "Retention" retention: Retention {
        keep_jobs: Span as Duration = "7d", "TIME",
            "How long a job is kept, with its results and logs, after it ended; a job that has not \
             ended always stays";
        keep_files: Span as Duration = "7d", "TIME",
            "How long artifacts and attachments are kept; those of a job that has not ended always \
             stay";
        keep_agents: Span as Duration = "7d", "TIME",
            "How long an agent is kept after it last reported; one that is offline, in maintenance, \
             to be restarted or set aside always stays";
        keep_queues: Span as Duration = "7d", "TIME",
            "How long a queue is kept after it was last advertised";
        keep_output: Span as Duration = "4h", "TIME",
            "How long output that can be read only once waits for its reader";
        keep_refresh_tokens: Span as Duration = "90d", "TIME",
            "How long a refresh token is valid after it was last used";
        keep_free: Size as u64 = "0", "SIZE",
            "How much of the disk retention keeps free: while less is free, the oldest files of jobs \
             that have ended go before their time; those of pinned jobs always stay";
    }
    "Metrics" metrics: Metrics {
        metrics_port: Port as Option<u16> = metrics_port "none", "PORT",
            "A port of its own for /metrics, /healthz and /readyz, on the address that the server \
             listens on. Whoever reaches it needs no token. The variable METRICS_PORT may hold it \
             instead; port 0 picks a free port";
        metrics_queues: Count as usize = "200", "NUMBER",
            "How many queues have metrics of their own; the queue \"other\" stands for all others";
    }
    "Logging" logging: Logging {
        log: Filter as String = "info", "FILTER",
            "Which log lines are written: error, warn, info, debug (each request) or trace, or a \
             filter by module in the syntax of RUST_LOG. Security events have the target audit";
        log_format: LogFormat as LogFormat = "text", "FORMAT",
            "The format of log lines: text for people or json for programs";
    }
}

/// The value that was given, else the default.
fn given_or<T>(key: &'static str, given: Option<T>, default: &str) -> Result<T, Error>
where
    T: FromStr<Err: std::fmt::Display>,
{
    given.map_or_else(|| parse(key, default), Ok)
}

/// Refuses a value that compares to the limit as `wrong`.
fn limit<T>(
    key: &'static str,
    value: &T,
    wrong: Ordering,
    (words, limit): (&str, &str),
) -> Result<(), Error>
where
    T: FromStr<Err: std::fmt::Display> + PartialOrd,
{
    if value.partial_cmp(&parse(key, limit)?) == Some(wrong) {
        return Err(Error::value(key, format!("must be {words} {limit}")));
    }
    Ok(())
}

fn parse<T>(key: &'static str, text: &str) -> Result<T, Error>
where
    T: FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error: T::Err| Error::value(key, error.to_string()))
}

const PREFIX: &str = "TESTFLINGER_";

fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase())
}

fn variable<T: FromStr<Err: std::fmt::Display>>(env: &Env, key: &str) -> Result<Option<T>, Error> {
    let name = variable_name(key);
    let Some(value) = env.get(&name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    value.parse().map(Some).map_err(|error: T::Err| Error::Variable {
        name,
        value: value.clone(),
        message: error.to_string(),
    })
}
