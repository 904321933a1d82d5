//! Settings: a flag beats the environment, which beats the file, which beats the default.
//!
//! [`Raw`] holds what one source says, each value optional. Sources are merged by a pure function and then settled into
//! [`Settings`]. The environment is passed in as a map, so that unit tests can show which source wins.

#[cfg(test)]
mod documents;
mod found;
mod secret;
mod settings;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use secret::{Secret, old_master_key};
pub use settings::{
    Agents, Alerts, Auth, Limits, Logging, Metrics, Network, Raw, Retention, Settings, Storage,
    WebPages, Webhooks,
};
pub use value::{
    Address, AlertForm, Count, Filter, GuardedJobs, Hosts, Link, LogFormat, Mode, Origins, Pages,
    Port, Proxies, Size, Span, Switch,
};

/// The environment.
pub type Env = BTreeMap<String, String>;

/// The file that is read when no other is named and it exists.
pub const DEFAULT_FILE: &str = "/etc/testflinger-server/config.toml";

/// Why the settings cannot be used. Every message names the setting.
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
    /// A variable is named like a setting, and there is no such setting.
    #[error(
        "{0} is not a setting: correct its name, or unset it (testflinger-server serve --help lists all settings)"
    )]
    UnknownVariable(String),
    /// Nothing says where the data directory is.
    #[error("there is no data directory: give --data-dir, or set TESTFLINGER_DATA_DIR or HOME")]
    NoDataDir,
    /// A setting has a value that cannot be used.
    #[error("{key}: {message}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

/// The secrets that a site brings.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The key that signs tokens; without one the server makes a key for itself.
    pub jwt_signing_key: Option<SecretString>,
    /// The bearer token for webhooks.
    pub webhook_auth: Option<SecretString>,
    /// The key that seals secrets of clients; without one the server makes a key for itself.
    pub secrets_key: Option<SecretString>,
    /// The key that sealed them before.
    pub secrets_old_key: Option<SecretString>,
}

impl Error {
    fn value(key: &'static str, message: String) -> Self {
        Self::Value { key, message }
    }
}

impl Settings {
    /// The settings from the command line, the environment and the file.
    ///
    /// # Errors
    /// [`Error`] names the setting.
    pub fn load(flags: Raw, file: Option<&Path>, env: &Env) -> Result<Self, Error> {
        let file = read_file(file, env)?;
        flags.or(Raw::from_env(env)?).or(file).settle(env)
    }

    /// The settings of an admin command: the data directory as [`Settings::load`] finds it, and defaults. A file that is
    /// not needed to find it is not read, and nothing else that is wrong with the settings of the server stops the command.
    ///
    /// # Errors
    /// [`Error`] when nothing says where the data is.
    pub fn of_data(dir: Option<PathBuf>, file: Option<&Path>, env: &Env) -> Result<Self, Error> {
        let given = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let data_dir = match dir.or_else(|| given("TESTFLINGER_DATA_DIR")) {
            Some(dir) => Some(dir),
            None => read_file::<OnlyDataDir>(file, env)?.data_dir,
        };
        Raw { data_dir, ..Raw::default() }.settle(env)
    }

    /// Reads the secrets. Commands that need none do without, so that a file that they may not read does not stop them.
    ///
    /// # Errors
    /// [`Error`] names the setting.
    pub fn secrets(&self) -> Result<Secrets, Error> {
        Ok(Secrets {
            jwt_signing_key: self.auth.jwt_signing_key_file.read()?,
            webhook_auth: self.webhooks.webhook_auth_file.read()?,
            secrets_key: self.secrets.secrets_key_file.read()?,
            secrets_old_key: self.secrets.secrets_old_key_file.read()?,
        })
    }
}

/// The part of a file that says where the data is.
#[derive(Default, Deserialize)]
struct OnlyDataDir {
    data_dir: Option<PathBuf>,
}

fn read_file<T: DeserializeOwned + Default>(file: Option<&Path>, env: &Env) -> Result<T, Error> {
    let named =
        file.map(Path::to_owned).or_else(|| env.get("TESTFLINGER_CONFIG").map(PathBuf::from));
    let path = match named {
        Some(path) => path,
        None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
        None => return Ok(T::default()),
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|source| Error::Read { path: path.clone(), source })?;
    toml::from_str(&text).map_err(|error| Error::File { path, message: describe(&text, &error) })
}

/// Where the error is and what it is, without the line itself, which may hold a secret that was written into the wrong
/// file.
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
    use std::time::Duration;

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
        let file = file("keep_jobs = \"1d\"\nkeep_files = \"2d\"\nkeep_agents = \"30s\"\n");
        let env = env(&[
            ("HOME", "/h"),
            ("TESTFLINGER_KEEP_JOBS", "3d"),
            ("TESTFLINGER_KEEP_FILES", "4d"),
        ]);
        let flags = Raw { keep_jobs: Some("5d".parse().unwrap()), ..Raw::default() };
        let settings = Settings::load(flags, Some(file.path()), &env).unwrap();
        let days = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!(settings.retention.keep_jobs, days(5));
        assert_eq!(settings.retention.keep_files, days(4));
        assert_eq!(settings.retention.keep_agents, Duration::from_secs(30));
        assert_eq!(settings.retention.keep_queues, days(7));
    }

    #[test]
    fn an_unknown_key_and_a_bad_value_are_named() {
        for (text, name) in [
            ("colour = 1", "colour"),
            ("listen = \"here\"", "listen"),
            ("keep_jobs = \"soon\"", "keep_jobs"),
            ("keep_jobs = 30", "\"30s\", \"30m\", \"30h\" or \"30d\""),
            ("log = \"verbose\"", "verbose"),
        ] {
            let file = file(text);
            let error = Settings::load(Raw::default(), Some(file.path()), &env(&[("HOME", "/h")]));
            let error = error.unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        let bad = env(&[("HOME", "/h"), ("TESTFLINGER_LISTEN", "here")]);
        let error = Settings::load(Raw::default(), None, &bad).unwrap_err().to_string();
        assert!(error.contains("TESTFLINGER_LISTEN"), "{error}");
        for (variable, value, words) in [
            ("TESTFLINGER_CACHE_SIZE", "1", "cache_size: must be at least 1MiB"),
            ("TESTFLINGER_HOLD", "26s", "hold: must be at most 25s"),
        ] {
            let bad = env(&[("HOME", "/h"), (variable, value)]);
            let error = Settings::load(Raw::default(), None, &bad).unwrap_err().to_string();
            assert_eq!(error, words);
        }
    }
}
