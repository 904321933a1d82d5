//! Settings: flag > environment > file > default.
//!
//! [`Raw`] holds what each source says, all optional; sources are merged by a pure function and then validated into
//! [`Settings`]. The environment is passed in as a map, so that precedence is a matter of unit tests.

mod raw;
mod secret;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

pub use raw::Raw;
pub use value::{LogFormat, Mode, Origins, Proxies, Size, Span};

/// The environment.
pub type Env = BTreeMap<String, String>;

/// The file that is read when no other is named and it exists.
pub const DEFAULT_FILE: &str = "/etc/testflinger-server/config.toml";

/// Why the settings are unusable. Every message names the setting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file has an unknown key or a bad value.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: PathBuf,
        /// Which key, where, and what is wrong.
        message: String,
    },
    /// A variable has a bad value.
    #[error("{name}={value:?}: {message}")]
    Variable {
        /// The variable.
        name: String,
        /// What it holds.
        value: String,
        /// What is wrong with it.
        message: String,
    },
    /// No place for the data is known.
    #[error("no data directory: give --data-dir, or set TESTFLINGER_DATA_DIR or HOME")]
    NoDataDir,
    /// A setting contradicts itself or another.
    #[error("{key}: {message}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

/// The settings of a server, complete and valid.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// What callers without a token may do.
    pub access: Mode,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where job events may be sent; empty for the mode's default.
    pub webhook_origins: Vec<String>,
    /// The bearer token for webhooks.
    pub webhook_auth: Option<SecretString>,
    /// The key that signs tokens, if the site brings its own.
    pub jwt_signing_key: Option<SecretString>,
    /// Bytes of the database's page cache.
    pub cache_size: usize,
    /// The largest JSON body, bytes.
    pub max_json_size: u64,
    /// The largest result, bytes.
    pub max_result_size: u64,
    /// The largest uploaded file, bytes.
    pub max_upload_size: u64,
    /// How long finished jobs are kept.
    pub keep_jobs: Duration,
    /// How long artifacts and attachments are kept.
    pub keep_files: Duration,
    /// How long silent agents are kept.
    pub keep_agents: Duration,
    /// How long queues that nobody advertises are kept.
    pub keep_queues: Duration,
    /// How long a request for a job may be held; zero for not at all.
    pub hold: Duration,
    /// How long an agent may take to acknowledge a job.
    pub acknowledge_within: Duration,
    /// How long an agent with a job may be silent before that is noted.
    pub suspect_after: Duration,
    /// How long an agent with a job may be silent before the job ends.
    pub lost_after: Duration,
    /// How long output that is read once waits for its reader.
    pub keep_output: Duration,
    /// How long refresh tokens that nobody uses are kept.
    pub keep_refresh_tokens: Duration,
    /// How long requests may go on after SIGTERM.
    pub shutdown_timeout: Duration,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written, in the syntax of `RUST_LOG`.
    pub log: String,
}

impl Settings {
    /// The settings from the command line, the environment and the file.
    ///
    /// # Errors
    /// [`Error`], which names the setting.
    pub fn load(flags: Raw, file: Option<&Path>, env: &Env) -> Result<Self, Error> {
        let file = read_file(file, env)?;
        let merged = flags.or(Raw::from_env(env)?).or(file);
        Self::from_raw(merged, env)
    }

    fn from_raw(raw: Raw, env: &Env) -> Result<Self, Error> {
        const WEEK: Duration = Duration::from_hours(7 * 24);
        let age = |span: Option<Span>| span.map_or(WEEK, |span| span.0);
        let size = |size: Option<Size>, default: u64| size.map_or(default, |size| size.0);
        let cache = size(raw.cache_size, 64 << 20);
        let cache_size = usize::try_from(cache).ok().filter(|&bytes| bytes >= 1 << 20);
        let listen = SocketAddr::from(([127, 0, 0, 1], 8000));
        Ok(Self {
            data_dir: data_dir(raw.data_dir, env)?,
            listen: raw.listen.unwrap_or(listen),
            access: raw.access.unwrap_or_default(),
            trusted_proxies: raw.trusted_proxies.unwrap_or_default().0,
            webhook_origins: webhook_origins(raw.webhook_url, env)?,
            webhook_auth: secret::find("webhook_auth", raw.webhook_auth_file, env)?,
            jwt_signing_key: secret::find("jwt_signing_key", raw.jwt_signing_key_file, env)?,
            cache_size: cache_size.ok_or_else(|| Error::Value {
                key: "cache_size",
                message: "at least 1MiB is needed".to_owned(),
            })?,
            max_json_size: size(raw.max_json_size, 16 << 20),
            max_result_size: size(raw.max_result_size, 64 << 20),
            max_upload_size: size(raw.max_upload_size, 8 << 30),
            keep_jobs: age(raw.keep_jobs),
            keep_files: age(raw.keep_files),
            keep_agents: age(raw.keep_agents),
            keep_queues: age(raw.keep_queues),
            hold: hold(raw.hold)?,
            acknowledge_within: raw
                .acknowledge_within
                .map_or(Duration::from_mins(2), |span| span.0),
            suspect_after: raw.suspect_after.map_or(Duration::from_secs(150), |span| span.0),
            lost_after: raw.lost_after.map_or(Duration::from_mins(30), |span| span.0),
            keep_output: raw.keep_output.map_or(Duration::from_hours(4), |span| span.0),
            keep_refresh_tokens: raw
                .keep_refresh_tokens
                .map_or(Duration::from_hours(90 * 24), |span| span.0),
            shutdown_timeout: raw.shutdown_timeout.map_or(Duration::from_secs(20), |span| span.0),
            log_format: raw.log_format.unwrap_or_default(),
            log: raw.log.unwrap_or_else(|| "info".to_owned()),
        })
    }
}

/// The data directory: the setting, else where systemd, snapd or the user's session keep state. Never a place that a
/// reboot empties.
///
/// # Errors
/// [`Error::NoDataDir`].
pub fn data_dir(setting: Option<PathBuf>, env: &Env) -> Result<PathBuf, Error> {
    let var = |name: &str| env.get(name).filter(|value| !value.is_empty());
    // systemd passes several directories separated by colons; the unit's first one is ours.
    let state = var("STATE_DIRECTORY").and_then(|dirs| dirs.split(':').next()).map(PathBuf::from);
    let snap = || var("SNAP_COMMON").map(|dir| Path::new(dir).join("data"));
    let xdg = || var("XDG_DATA_HOME").map(|dir| Path::new(dir).join("testflinger-server"));
    let home = || var("HOME").map(|dir| Path::new(dir).join(".local/share/testflinger-server"));
    let found = setting.or(state).or_else(snap).or_else(xdg).or_else(home);
    found.ok_or(Error::NoDataDir)
}

/// Stock agents give up after 30 s, claim again five times and then sleep for a minute.
fn hold(setting: Option<Span>) -> Result<Duration, Error> {
    let hold = setting.map_or(Duration::from_secs(20), |span| span.0);
    if hold > Duration::from_secs(25) {
        let message = "at most 25s: stock agents give up after 30s".to_owned();
        return Err(Error::Value { key: "hold", message });
    }
    Ok(hold)
}

/// The setting, else upstream's variable of the same meaning.
fn webhook_origins(setting: Option<Origins>, env: &Env) -> Result<Vec<String>, Error> {
    let upstream = || {
        let value = env.get("WEBHOOK_URL").filter(|value| !value.is_empty())?;
        Some(value.parse::<Origins>().map_err(|message| Error::Variable {
            name: "WEBHOOK_URL".to_owned(),
            value: value.clone(),
            message,
        }))
    };
    Ok(match setting {
        Some(origins) => origins.0,
        None => upstream().transpose()?.unwrap_or_default().0,
    })
}

fn read_file(file: Option<&Path>, env: &Env) -> Result<Raw, Error> {
    let named =
        file.map(Path::to_owned).or_else(|| env.get("TESTFLINGER_CONFIG").map(PathBuf::from));
    let path = match named {
        Some(path) => path,
        None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
        None => return Ok(Raw::default()),
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|source| Error::Read { path: path.clone(), source })?;
    toml::from_str(&text).map_err(|error| Error::File { path, message: describe(&text, &error) })
}

/// Where and what, without the line itself: it may hold a secret that was written into the wrong file.
fn describe(text: &str, error: &toml::de::Error) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return error.message().to_owned();
    };
    let number = before.matches('\n').count();
    let line = text.lines().nth(number).unwrap_or_default();
    let key = line.split_once('=').map_or("", |(key, _)| key.trim());
    let colon = if key.is_empty() { "" } else { ": " };
    format!("line {}{colon}{key}: {}", number + 1, error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
        let file = file("keep_jobs = \"1d\"\nkeep_files = \"2d\"\nkeep_agents = 30\n");
        let env = env(&[
            ("HOME", "/h"),
            ("TESTFLINGER_KEEP_JOBS", "3d"),
            ("TESTFLINGER_KEEP_FILES", "4d"),
        ]);
        let flags = Raw { keep_jobs: Some("5d".parse().unwrap()), ..Raw::default() };
        let settings = Settings::load(flags, Some(file.path()), &env).unwrap();
        let days = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!(settings.keep_jobs, days(5));
        assert_eq!(settings.keep_files, days(4));
        assert_eq!(settings.keep_agents, Duration::from_secs(30));
        assert_eq!(settings.keep_queues, days(7));
    }

    #[test]
    fn the_data_directory_is_looked_for_in_the_documented_order() {
        let all = [
            ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", "/var/lib/a"),
            ("SNAP_COMMON", "/var/snap/x/common", "/var/snap/x/common/data"),
            ("XDG_DATA_HOME", "/xdg", "/xdg/testflinger-server"),
            ("HOME", "/home/me", "/home/me/.local/share/testflinger-server"),
        ];
        for first in 0..all.len() {
            let pairs: Vec<(&str, &str)> = all[first..].iter().map(|(k, v, _)| (*k, *v)).collect();
            let found = data_dir(None, &env(&pairs)).unwrap();
            assert_eq!(found, Path::new(all[first].2));
        }
        assert!(matches!(data_dir(None, &env(&[("HOME", "")])), Err(Error::NoDataDir)));
    }

    #[test]
    fn an_unknown_key_and_a_bad_value_are_named() {
        for (text, name) in [
            ("colour = 1", "colour"),
            ("listen = \"here\"", "listen"),
            ("keep_jobs = \"soon\"", "keep_jobs"),
        ] {
            let file = file(text);
            let error = Settings::load(Raw::default(), Some(file.path()), &env(&[("HOME", "/h")]));
            let error = error.unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        let bad = env(&[("HOME", "/h"), ("TESTFLINGER_LISTEN", "here")]);
        let error = Settings::load(Raw::default(), None, &bad).unwrap_err().to_string();
        assert!(error.contains("TESTFLINGER_LISTEN"), "{error}");
        let tiny = env(&[("HOME", "/h"), ("TESTFLINGER_CACHE_SIZE", "1")]);
        let error = Settings::load(Raw::default(), None, &tiny).unwrap_err().to_string();
        assert!(error.contains("cache_size"), "{error}");
    }
}
