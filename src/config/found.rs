//! Settings whose default depends on the environment.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::value::{Origins, Port};
use super::{Env, Error};

/// The data directory: the setting, else where systemd, snapd or the user's session keep state. It is never a place
/// that a reboot empties.
pub(super) fn data_dir(setting: Option<PathBuf>, env: &Env) -> Result<PathBuf, Error> {
    let var = |name: &str| env.get(name).filter(|value| !value.is_empty());
    // systemd passes several directories, separated by colons; the first one of the unit is ours.
    let state = var("STATE_DIRECTORY").and_then(|dirs| dirs.split(':').next()).map(PathBuf::from);
    let snap = || var("SNAP_COMMON").map(|dir| Path::new(dir).join("data"));
    let xdg = || var("XDG_DATA_HOME").map(|dir| Path::new(dir).join("testflinger-server"));
    let home = || var("HOME").map(|dir| Path::new(dir).join(".local/share/testflinger-server"));
    let found = setting.or(state).or_else(snap).or_else(xdg).or_else(home);
    found.ok_or(Error::NoDataDir)
}

/// The file of the setting, if there is one.
#[expect(clippy::unnecessary_wraps, reason = "the list of settings calls all its functions alike")]
pub(super) fn file(setting: Option<PathBuf>, _: &Env) -> Result<Option<PathBuf>, Error> {
    Ok(setting)
}

/// The setting, else the variable that servers before this one read.
pub(super) fn webhook_origins(setting: Option<Origins>, env: &Env) -> Result<Vec<String>, Error> {
    Ok(setting.map_or_else(|| variable(env, "WEBHOOK_URL", Origins::default()), Ok)?.0)
}

/// The setting, else the variable that servers before this one read.
pub(super) fn metrics_port(setting: Option<Port>, env: &Env) -> Result<Option<u16>, Error> {
    Ok(setting.map_or_else(|| variable(env, "METRICS_PORT", Port(None)), Ok)?.0)
}

/// A variable without our prefix.
fn variable<T: FromStr<Err = String>>(env: &Env, name: &str, default: T) -> Result<T, Error> {
    let Some(value) = env.get(name).filter(|value| !value.is_empty()) else { return Ok(default) };
    value.parse().map_err(|message| Error::Variable {
        name: name.to_owned(),
        value: value.clone(),
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_is_looked_for_in_the_documented_order() {
        let all = [
            ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", "/var/lib/a"),
            ("SNAP_COMMON", "/var/snap/x/common", "/var/snap/x/common/data"),
            ("XDG_DATA_HOME", "/xdg", "/xdg/testflinger-server"),
            ("HOME", "/home/me", "/home/me/.local/share/testflinger-server"),
        ];
        let env = |pairs: &[(&str, &str, &str)]| -> Env {
            pairs.iter().map(|(k, v, _)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        for first in 0..all.len() {
            let found = data_dir(None, &env(&all[first..])).unwrap();
            assert_eq!(found, Path::new(all[first].2));
        }
        assert!(matches!(data_dir(None, &env(&[("HOME", "", "")])), Err(Error::NoDataDir)));
    }
}
